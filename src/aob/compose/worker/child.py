"""A worker process: loads handlers, attaches to a home, performs jobs until it is asked to end or its keeper is gone.

It inherits its socket to the keeper and gets its plan, with the key, over it: neither stands in a list of processes.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from aob.compose.logging import open_telemetry, set_up_log
from aob.compose.loop import end_process, on_continued, run_tuned
from aob.compose.worker.variables import taken
from aob.core.answers import JsonObject
from aob.core.errors import AobError, Invalid, Problem, Unavailable
from aob.core.problem import problem_of
from aob.ports.store import AWAY
from aob.work import HandlerTable
from aob.work.secrets import VARIABLE
from aob.worker import DRAIN, DRAIN_S, Holding, Link, Performing, Plan, Told, Values, hello_of, load

if TYPE_CHECKING:
    from aob.compose.executor import Executor

FLUSHED_S = 2.0  # how long the last results of a drain may take to be acknowledged
AGAIN_S = 0.5  # until a database that is away is tried again


class Keeping:
    """The socket to the keeper. Events go out from any thread."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._turn = sock, threading.Lock()
        self._lines = sock.makefile("rb")

    def plan(self) -> Plan | None:
        """What to do; None when the keeper has gone already."""
        line = self._lines.readline()
        return msgspec.json.decode(line, type=Plan) if line else None

    def tell(self, event: str, **facts: object) -> None:
        """Tell an event."""
        line = msgspec.json.encode(Told(event, facts)) + b"\n"
        with self._turn, suppress(OSError):
            self._sock.sendall(line)

    def listen(self, drain: Callable[[], None]) -> None:
        """Call `drain` when the keeper asks for it; end with the keeper, whatever the loop does."""
        threading.Thread(target=self._listen, args=(drain,), name="aob-worker-keeper", daemon=True).start()

    def _listen(self, drain: Callable[[], None]) -> None:
        with suppress(OSError):
            while line := self._lines.readline():
                if line == DRAIN:
                    drain()
        os._exit(1)


def main(argv: list[str]) -> NoReturn:
    """Perform jobs until asked to end, then end this process: by 0 in order, by 2 when it could not begin."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the keeper gets the signal and ends its processes
    keeping = Keeping(socket.socket(fileno=int(argv[1])))
    plan = keeping.plan()
    if plan is None:
        end_process(1)
    if plan.home:
        os.umask(0o077)  # a home's contents are for its owner only
    sys.path.extend(place for place in plan.path if place not in sys.path)
    set_up_log("info", pretty=sys.stderr.isatty())
    try:
        env = taken(os.environ)
        handlers, build = load(plan.app)
        if plan.agents and not handlers.agents:
            why = f"there is no agent in {', '.join(plan.app)}"
            hint = 'mark one: @aob.agent(consumes=["orders"])'
            raise Invalid(why, [Problem("app", why, "no_agents", hint=hint)], code="no_agents")
        _forget_secrets(handlers)
        code = run_tuned(_work(plan, handlers, plan.build or (build if plan.app else ""), keeping, env))
    except AobError as error:
        keeping.tell("failed", **problem_of(error))
        end_process(2)
    end_process(code)


def _forget_secrets(handlers: HandlerTable) -> None:
    """Remove the secrets of the environment that no handler or agent names."""
    named = {VARIABLE + name for each in (*handlers.values(), *handlers.agents.values()) for name in each.secrets}
    for name in [each for each in os.environ if each.startswith(VARIABLE) and each not in named]:
        del os.environ[name]


async def _work(plan: Plan, handlers: HandlerTable, build: str, keeping: Keeping, env: Mapping[str, str]) -> int:
    """`env`: what the built-in kinds may have; handlers have less."""
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[None] = loop.create_future()

    def end(error: AobError | None = None) -> None:
        if not ending.done():
            ending.set_result(None) if error is None else ending.set_exception(error)

    keeping.listen(lambda: _call(loop, end))
    async with AsyncExitStack() as stack:
        executor = await _executor(stack, plan, handlers, env, keeping, ending) if plan.home else None
        if ending.done():
            return 0
        offers = executor.offers if executor is not None else []
        keeping.tell(
            "loaded",
            handlers=sorted(handlers),
            agents=sorted(handlers.agents),
            build=build,
            worker=plan.name,
            offers=offers,
        )
        holding = Holding(hello_of(plan, handlers, build, offers), loop)
        holding.welcomed = lambda welcome, held: keeping.tell("connected", address=plan.address, held=held)
        holding.paused = lambda handler, paused: keeping.tell("paused" if paused else "resumed", handler=handler)
        if executor is not None:
            holding.settings = partial(_told, executor, end)
        link = Link(
            plan, holding, lambda why: keeping.tell("waits", why=why, address=plan.address),
            lambda error: _call(loop, partial(end, error)),
        )  # fmt: skip
        values = await stack.enter_async_context(
            Values(holding.value_max, partial(_url, plan, holding), plan.key, plan.ca)
        )
        telemetry = open_telemetry()
        stack.push_async_callback(telemetry.close)
        performing = await stack.enter_async_context(
            Performing(handlers, holding, values, plan.slots, kinds=executor, telemetry=telemetry)
        )
        performing.pool.contain()
        on_continued(performing.pool.continued)
        stack.callback(link.close)
        link.open()
        await ending
        await _drained(holding, performing, keeping)
    return 0


async def _executor(
    stack: AsyncExitStack, plan: Plan, handlers: HandlerTable, env: Mapping[str, str], keeping: Keeping,
    ending: asyncio.Future[None],
) -> "Executor | None":  # fmt: skip
    """What performs built-in kinds; a database that is away is waited for. None when asked to end before."""
    from aob.compose.executor import executing  # here: a worker of handlers needs little of what it imports

    told = False
    while not ending.done():
        try:
            return await stack.enter_async_context(executing(Path(plan.home), handlers, env))
        except Unavailable as error:
            if error.code not in AWAY:
                raise
            if not told:
                told = True
                keeping.tell("waits", why=error.detail, address=plan.address)
        await asyncio.wait([ending], timeout=AGAIN_S)
    return None


def _told(executor: "Executor", end: Callable[[AobError], None], version: int, data: bytes) -> None:
    """The home says what counts for built-in kinds."""
    try:
        executor.told(version, data)
    except AobError as error:
        end(error)


async def _drained(holding: Holding, performing: Performing, keeping: Keeping) -> None:
    """Let running handlers end in time, and their results be acknowledged; the rest is lost."""
    keeping.tell("draining", running=holding.running)
    holding.drain()
    performing.give_back()
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await holding.empty.wait()
    lost = holding.running
    await performing.stop(0)
    keeping.tell("counted", **_counts(holding), lost=lost)


def _counts(holding: Holding) -> JsonObject:
    told: JsonObject = msgspec.to_builtins(holding.counts)
    return told


def _url(plan: Plan, holding: Holding) -> str:
    """Where the blobs are."""
    welcome = holding.welcome
    return (plan.url or (welcome.url if welcome is not None else "")).rstrip("/")


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the process ends
        loop.call_soon_threadsafe(what)
