"""What the commands `aob worker` and `aob dev` run: a keeper of worker processes, with a home beside it in `dev`."""

import asyncio
import math
import os
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from aob.compose.loop import end_process, end_tasks, run_tuned
from aob.compose.worker.changes import changes, needs_watchfiles
from aob.compose.worker.keeper import Keeper, Said
from aob.compose.worker.memory import measurable
from aob.compose.worker.probes import probed
from aob.core.errors import AobError, CallerError, Invalid, Problem, Unavailable
from aob.core.opening import Opening
from aob.worker import Plan, Target

AGAIN_S: Final = 0.5
WAITED_S: Final = 5.0
"""How often it is told what is waited for, and how long what says nothing of itself is."""
AWAY: Final = frozenset({"no_server", "server_starting"})
NO_HOME: Final = "no_workers_here"

Find = Callable[[], Coroutine[Any, Any, Target]]
"""Finds the gateway. Raises Unavailable with a code of AWAY while there is none, and with NO_HOME where something says
nothing of itself: a balancer whose home is not up yet, or no home at all."""


class Wishes(msgspec.Struct, frozen=True):
    """The words of `aob worker` and `aob serve worker`, besides where it attaches. `memory` in bytes, 0: no limit;
    `home`: the folder under whose settings it performs built-in kinds (empty: it performs none); `probes`: where it
    answers probes, `[HOST:]PORT` (empty: nowhere); `agents`: its files must have agents."""

    app: tuple[str, ...]
    name: str = ""
    build: str = ""
    labels: dict[str, str] = {}
    slots: int = 64
    memory: int = 0
    reload: bool = False
    ca: str = ""
    home: str = ""
    probes: str = ""
    agents: bool = False


def work(wishes: Wishes, find: Find, said: Said) -> NoReturn:
    """Keep a worker until SIGINT or SIGTERM, then end this process. `said(event, facts)` hears what happens."""
    needs(wishes)
    run_tuned(_work(wishes, find, said))
    end_process()


async def _work(wishes: Wishes, find: Find, said: Said) -> None:
    async with AsyncExitStack() as stack:
        if wishes.probes:
            said = await stack.enter_async_context(probed(wishes.probes, said))
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stop.set)
        target = await _found(find, said, stop)
        if target is not None:
            await keeper_of(wishes, target, said).run()


async def _found(find: Find, said: Said, stop: asyncio.Event) -> Target | None:
    """The gateway, as soon as there is one; None when told to stop before. Raises Invalid for what is no home."""
    loop = asyncio.get_running_loop()
    since, tell_at = math.inf, 0.0
    while not stop.is_set():
        try:
            return await find()
        except AobError as error:
            now_s = loop.time()
            if error.code in AWAY:
                since = math.inf
            elif error.code == NO_HOME and isinstance(error, Unavailable):
                since = min(since, now_s)
            else:
                raise
            if now_s - since > WAITED_S:
                raise Invalid(error.detail, code=NO_HOME, hint=error.hint) from None
            if now_s >= tell_at:
                tell_at = now_s + WAITED_S
                said("waits", {"why": error.detail, "hint": error.hint})
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await stop.wait()
    return None


def dev(
    wishes: Wishes, home: Path, find: Find, said: Said, *, host: str | None, port: int | None,
    up: Callable[..., None], waits: Callable[[Opening], None],
) -> NoReturn:  # fmt: skip
    """Run a home, and beside it a worker that follows the changes of its code, until SIGINT or SIGTERM. `up(url,
    running, settings)` is called once the home takes requests."""
    from aob.compose.serving import up as run_home  # here: a worker alone needs none of what it imports

    needs(wishes)
    run_home(home, host=host, port=port, said=up, waits=waits, beside=partial(beside, wishes, find, said))


async def beside(wishes: Wishes, find: Find, said: Said, stop: asyncio.Event) -> None:
    """Keep a worker beside other roles of this process until a signal or `stop`. Raises as `work` does."""
    target = await _found(find, said, stop)
    if target is None:
        return
    keeper = keeper_of(wishes, target, said)
    ends = asyncio.create_task(_ends(stop, keeper), name="aob-worker-stop")
    try:
        await keeper.run()
    finally:
        await end_tasks(ends)


async def _ends(stop: asyncio.Event, keeper: Keeper) -> None:
    """What it stands beside stops: so does the worker."""
    await stop.wait()
    keeper.stop()


def keeper_of(wishes: Wishes, target: Target, said: Said) -> Keeper:
    """The keeper of the processes that some words ask for."""
    base = wishes.name or f"{socket.gethostname()}-{os.getpid()}"
    number = 0

    def plan(*, replaces: bool, found: bool) -> Plan:
        """With `replaces`, the process before works on beside this one: it is another worker."""
        nonlocal number
        number += replaces
        name = f"{base}.{number}" if number else base
        return Plan(
            wishes.app, target.address, name, secrets.token_hex(8), target.key, target.tls, target.url, wishes.build,
            wishes.labels, wishes.slots, _path(), wishes.ca, wishes.home, found, wishes.agents,
        )  # fmt: skip

    seen = changes(_folders(wishes.app)) if wishes.reload else None
    return Keeper(plan, said, memory=wishes.memory, changes=seen)


def _path() -> tuple[str, ...]:
    """Where this process finds modules, for one that begins elsewhere."""
    here = str(Path.cwd())
    return (here, *(place for place in sys.path if place and place != here))


def _folders(app: Sequence[str]) -> list[Path]:
    """The folders in which the files of an application lie."""
    found = set[Path]()
    for each in app:
        file = Path(each).expanduser()
        if not (each.endswith(".py") or "/" in each):
            spec = util.find_spec(each.partition(".")[0])
            file = Path(spec.origin) if spec is not None and spec.origin else Path.cwd() / each
        folder = file.resolve().parent
        while (folder / "__init__.py").is_file():
            folder = folder.parent
        found.add(folder)
    return sorted(found)


def needs(wishes: Wishes) -> None:
    """Raises Invalid or CallerError for what cannot be done here."""
    if util.find_spec("grpc") is None:
        raise Invalid("a worker cannot attach", [
            Problem("aob worker", "needs a package that is not installed (grpc)", "not_installed",
                    hint="pip install 'agentic-orchestration-builder[grpc]'")
        ])  # fmt: skip
    for each in wishes.app:
        if each.endswith(".py") and not Path(each).expanduser().is_file():  # else it would wait for a server first
            raise Invalid(f"the application {each!r} cannot be loaded", [
                Problem(each, "there is no such file", "app_not_loaded", hint="give the path of a Python file")
            ], code="app_not_loaded")  # fmt: skip
    if wishes.ca and not Path(wishes.ca).is_file():
        raise CallerError(f"{wishes.ca} is not there", code="certs_missing", hint="copy ca.pem of aob certs init to it")
    try:
        if wishes.ca:
            ssl.create_default_context(cafile=wishes.ca)
    except OSError as error:
        raise CallerError(f"{wishes.ca} has no certificate: {error}", code="certs_missing",
                          hint="--ca is ca.pem of aob certs init") from error  # fmt: skip
    if wishes.reload:
        needs_watchfiles()
    if wishes.memory and not measurable():
        raise CallerError("memory cannot be measured on this system", code="memory_unmeasurable",
                          hint="leave --memory out, and limit the worker from outside")  # fmt: skip
