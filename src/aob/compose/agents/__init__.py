"""Wires the agents of an application to a shard."""

from aob.compose.agents.paused import PausedAgents
from aob.compose.agents.wiring import agent_law, make_agents, registering, with_agents

__all__ = ["PausedAgents", "agent_law", "make_agents", "registering", "with_agents"]
