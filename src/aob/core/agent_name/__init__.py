"""The names of streams of agents, tasks and plans, by which they are placed."""

from aob.core.agent_name.names import (
    AGENT,
    WORK,
    agent_key_of,
    agent_of,
    agent_stream,
    agent_thread,
    held_stream,
    placing,
    tenant_of,
    ticket_holder,
    work_id_of,
    work_stream,
)

__all__ = [
    "AGENT", "WORK", "agent_key_of", "agent_of", "agent_stream", "agent_thread", "held_stream", "placing", "tenant_of",
    "ticket_holder", "work_id_of", "work_stream",
]  # fmt: skip
