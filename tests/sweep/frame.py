"""How a field is shown to do something: an observer gets it with one value and with another, and sees two things.

An observer is `observe(given, world)`, where `given` is `{field: value}` (empty where it is left out): it puts `given`
into a document or into settings, lets the engine work, and answers what the world would see: jobs, timers, tickets,
requests, outputs, errors. Never the document itself, so that a field which nobody reads cannot pass.
"""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import aob
from aob.compose import App
from aob.core.errors import AobError
from tests.core.run_desk import Desk
from tests.runs.home import Deed
from tests.work.peers import Peer, peer

LEFT_OUT: Final = object()
"""In place of a value: the field is not given."""


class World:
    """What an observer may work with; all of it ends with the observation."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder, self._stack, self.deed = folder, stack, Deed()

    async def enter(self, part: Any) -> Any:
        """Enter a context until the observation is over."""
        return await self._stack.enter_async_context(part)

    async def home(self, *more: Any, **settings: Any) -> App:
        """A home in memory with the handlers of `deed`, and those in `more`."""
        settings = {"store": "memory:", "blobs": "memory:", "log": "memory:"} | settings
        app: App = await self.enter(aob.open(self.folder / "home", app=[self.deed.handlers(), *more], **settings))
        self._stack.callback(self.deed.release)
        return app

    def set_env(self, **variables: str) -> None:
        """Variables of the environment, until the observation is over."""
        self._stack.enter_context(patch.dict(os.environ, variables))

    async def peer(self) -> Peer:
        """A server of somebody else."""
        made: Peer = await self.enter(peer())
        return made


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A world with a folder of its own, which is there."""
    async with AsyncExitStack() as stack:
        yield World(folder, stack)


Observer = Callable[[dict[str, Any], World], Any]


async def observed(case: "Case", field: str, value: Any, folder: Path) -> Any:
    """What the observer of a field sees with a value of it."""
    async with world(folder) as around:
        found = case.observe({} if value is LEFT_OUT else {field: value}, around)
        return await found if inspect.isawaitable(found) else found


async def told_apart(part: str, field: str, folder: Path) -> None:
    """Holds that the world sees which of its two values a field has."""
    case = CASES[part, field]
    seen = []
    for name, value in (("one", case.one), ("again", case.one), ("other", case.other)):
        (own := folder / name).mkdir()
        seen.append(await observed(case, field, value, own))
    one, again, other = seen
    assert one == again, "an observer that does not see the same twice shows nothing"
    assert one != other, f"`{field}` of {part} makes no difference"


class Case(NamedTuple):
    """An observer of a field, and two values that it tells apart."""

    observe: Observer
    one: Any
    other: Any


CASES: Final[dict[tuple[str, str], Case]] = {}
"""By part and field."""


def shows(part: str, field: str, one: Any, other: Any) -> Callable[[Observer], Observer]:
    """Register an observer of a field of a part; it may be registered for several."""

    def register(observe: Observer) -> Observer:
        assert (part, field) not in CASES, f"{field} of {part} has two observers"
        CASES[part, field] = Case(observe, one, other)
        return observe

    return register


def seen(desk: Desk) -> dict[str, Any]:
    """What the world sees of a run: its status, what it would do next, what it asks, what came out."""
    run = desk.run
    return {
        "status": run.status, "jobs": dict(desk.jobs), "timers": desk.timers,
        "tickets": {t.visit: (t.subject, t.role, bytes(t.shown), dict(t.form), list(t.choices), t.answer) for t in
                    run.tickets.values()},
        "output": desk.output() if run.status == "COMPLETED" else None,
        "error": desk.error["code"] if run.error is not None else "",
    }  # fmt: skip


def code_of(act: Callable[[], Any]) -> str:
    """`ok`, or the code with which it is refused."""
    try:
        act()
    except AobError as error:
        return error.code
    return "ok"


async def code(act: Any) -> str:
    """The same of something to wait for."""
    try:
        await act
    except AobError as error:
        return error.code
    return "ok"


def handlers(**named: Any) -> SimpleNamespace:
    """A module's worth of handlers."""
    return SimpleNamespace(**named)


async def turns_ms(ms: float) -> None:
    """So much time of the loop: what was due before is done then."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(ms / 1_000, over.set)
    await over.wait()
