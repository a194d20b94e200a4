"""Names of the streams of agents, and what they say. Pure."""

from aob.core.agent_name.names import AGENT, agent_key_of, agent_of, agent_stream, placing

__all__ = ["AGENT", "agent_key_of", "agent_of", "agent_stream", "placing"]
