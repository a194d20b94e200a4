"""Bare jobs on their way to a worker: made ready by a commit, and needing only a call. First in, first out. They have
one tenant and one priority, and are few: all other jobs wait in lanes, and as soon as any does, these join it there, so
that all wait by the same rules."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Final

from aob.core.graph.compiled import Task
from aob.ports.workers import Job

STEPS_MAX: Final = 256

Perform = Callable[[Job], Coroutine[object, object, object]]
"""Performs a job: its coroutine returns the output (or a Done), or raises."""

Bare = Callable[[Task], Perform | None]
"""How the jobs of a task are called when a call is all they need: a handler of the loop that is a coroutine function,
without context, timeouts, memo or intents. None for all others. Asked once for each task."""

TASKS_KEPT: Final = 4_096


def never(task: Task) -> Perform | None:
    """No job is bare."""
    return None


class Steps(OrderedDict[tuple[str, str], tuple[Job, Perform]]):
    """Bare jobs by run and visit, in order."""

    __slots__ = ("_bare", "_known", "priority", "tenant")

    def __init__(self, bare: Bare) -> None:
        super().__init__()
        self._bare = bare
        self._known: dict[int, tuple[Task, Perform | None]] = {}
        self.tenant = self.priority = ""

    def call_of(self, job: Job) -> Perform | None:
        """How this job is called, if it is bare; one with a trace has more to do."""
        if job.trace:
            return None
        task = job.task
        known = self._known.get(id(task))  # the task is kept there, so that its id stays unique
        if known is None:
            if len(self._known) >= TASKS_KEPT:
                self._known.clear()
            known = self._known[id(task)] = task, None if _timed(task) else self._bare(task)
        return known[1]


def _timed(task: Task) -> bool:
    times = task.spec.timeout
    return bool(times.queue_ms or times.start_ms or times.run_ms or times.heartbeat_ms)
