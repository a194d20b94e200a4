"""Evaluates alerts on metric values: their states, and the notifications and runs that these cause."""

from aob.core.metric.alert import command as commands
from aob.core.metric.alert.command import Begin, Drop, Put, Silence, Tell, Weigh
from aob.core.metric.alert.events import AlertEvent
from aob.core.metric.alert.judging import Judge
from aob.core.metric.alert.law import decide
from aob.core.metric.alert.state import AlertState, Instance

__all__ = [
    "AlertEvent", "AlertState", "Begin", "Drop", "Instance", "Judge", "Put", "Silence", "Tell", "Weigh", "commands",
    "decide",
]  # fmt: skip
