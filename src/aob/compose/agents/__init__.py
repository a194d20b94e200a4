"""Wires the agents of an application to a shard."""

from aob.compose.agents.wiring import agent_law, make_agents, registering, with_agents

__all__ = ["agent_law", "make_agents", "registering", "with_agents"]
