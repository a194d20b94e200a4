"""Commands to a run, the events of its record, and their encoding. Data only."""

from aob.core.run.record import command as commands
from aob.core.run.record import event as events
from aob.core.run.record import message as messages
from aob.core.run.record.event import NodeCompleted, RunEvent, decode_events, encode_events

__all__ = ["NodeCompleted", "RunEvent", "commands", "decode_events", "encode_events", "events", "messages"]
