"""Processes of a simulated world: tasks know which life of which process they belong to, and end with it."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

LIFE: ContextVar[int] = ContextVar("life", default=0)
"""Which life a task belongs to; 0 is the world itself."""


class Lives:
    """Every task of a world, in the order in which they were made."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], int] = {}
        self.count = 0

    def begin(self) -> Context:
        """A new life: what is begun in this context belongs to it, and all that it begins too."""
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
        """SIGKILL: nothing is drained, nothing is said."""
        for task in [task for task, mine in self._tasks.items() if mine == life]:
            task.cancel()


def within(context: Context, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of the life that a context belongs to."""
    return asyncio.get_running_loop().create_task(work, context=context)
