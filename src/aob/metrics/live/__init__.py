"""Live numbers from the event log: answers, deltas, the feed of events, and why a number moved."""

from aob.metrics.live.answering import Answers, info
from aob.metrics.live.changes import Changes
from aob.metrics.live.entities import EntityReads
from aob.metrics.live.live import Live
from aob.metrics.live.live_host import Memory
from aob.metrics.live.pushes import PushLog
from aob.metrics.live.streaming import Streams
from aob.metrics.live.watch import Watches

__all__ = [
    "Answers", "Changes", "EntityReads", "Live", "Memory", "PushLog", "Streams", "Watches", "info",
]  # fmt: skip
