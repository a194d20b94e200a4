"""Processes of a simulated world: each task belongs to one life of a process, and ends with it."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

LIFE: ContextVar[int] = ContextVar("life", default=0)  # the life of a task; 0 is the world itself


class Lives:
    """Every task of a world, in the order in which they were made."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], int] = {}
        self.count = 0

    def begin(self) -> Context:
        """Start a new life: all tasks started in this context, and by them, belong to it."""
        self.count += 1
        context = copy_context()
        context.run(LIFE.set, self.count)
        return context

    def new_task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        """The task factory of the world's loop."""
        task = asyncio.Task(work, loop=loop, **more)
        context: Context | None = more.get("context")
        self._tasks[task] = LIFE.get() if context is None else context.get(LIFE, 0)
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def end(self, life: int) -> None:
        """SIGKILL: nothing is drained or reported."""
        for task in [task for task, mine in self._tasks.items() if mine == life]:
            task.cancel()


def within(context: Context, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of the life of a context."""
    return asyncio.get_running_loop().create_task(work, context=context)
