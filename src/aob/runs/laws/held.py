"""What runs, workflows and agents' keys hold by id: tickets and patches."""

from typing import Any, Literal

from aob.core.agent import Key


def holds(state: Any, kind: Literal["ticket", "patch"], id: str) -> bool:
    """Whether a run, a workflow or an agent's key has this ticket or patch."""
    if isinstance(state, Key):
        return kind == "ticket" and state.has_ticket(id)
    return id in (state.tickets if kind == "ticket" else state.patches)
