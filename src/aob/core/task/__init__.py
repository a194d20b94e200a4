"""The laws of a task and of a plan: commands and messages go in, events come out, with the records and messages that
go with them. Pure."""

from aob.core.task import answer as answers
from aob.core.task import command as commands
from aob.core.task import event as events
from aob.core.task import limit as limits
from aob.core.task import message as messages
from aob.core.task import plan as plans
from aob.core.task import request as requests
from aob.core.task import rule as rules
from aob.core.task import task as tasks
from aob.core.task.request import Kind
from aob.core.task.rule import Types, topic_of

__all__ = [
    "Kind", "Types", "answers", "commands", "events", "limits", "messages", "plans", "requests", "rules", "tasks",
    "topic_of",
]  # fmt: skip
