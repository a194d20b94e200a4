"""Verbs of tasks and plans."""

from aob.core.verbs.work import tasks as task_verbs
from aob.core.verbs.work.tasks import VERBS

__all__ = ["VERBS", "task_verbs"]
