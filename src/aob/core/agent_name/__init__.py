"""Names of the streams of agents, and what they say. Pure."""

from aob.core.agent_name.names import (
    AGENT,
    agent_key_of,
    agent_of,
    agent_stream,
    agent_thread,
    held_stream,
    placing,
    tenant_of,
    ticket_holder,
)

__all__ = [
    "AGENT", "agent_key_of", "agent_of", "agent_stream", "agent_thread", "held_stream", "placing",
    "tenant_of", "ticket_holder",
]  # fmt: skip
