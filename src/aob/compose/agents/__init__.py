"""Wires the agents of an application to a shard, and its tasks and plans."""

from aob.compose.agents.paused import PausedAgents
from aob.compose.agents.wiring import agent_laws, make_agents, registering, with_agents
from aob.compose.agents.work import attach_work, declare_work

__all__ = [
    "PausedAgents", "agent_laws", "attach_work", "declare_work", "make_agents", "registering", "with_agents",
]  # fmt: skip
