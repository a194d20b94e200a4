"""Commands to an agent's key, the events of its record, and what it is given and gives. Data only."""

from aob.core.agent.record import command as commands
from aob.core.agent.record import event as events
from aob.core.agent.record.envelope import REMINDER, Input, Later, Mark, Output, Question, Reply
from aob.core.agent.record.event import KeyEvent, decode_events, encode_events

__all__ = [
    "REMINDER", "Input", "KeyEvent", "Later", "Mark", "Output", "Question", "Reply", "commands",
    "decode_events", "encode_events", "events",
]  # fmt: skip
