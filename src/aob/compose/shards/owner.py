"""An owner process: serves one shard of a home over a wire to the main process, and ends with it. It opens no port and
trusts no other process: it inherits its socket. However the main process ends, the kernel closes the socket, and the
owner ends; one whose handler blocks it ends itself after a while."""

import asyncio
import os
import select
import signal
import socket
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from aob.compose.app import assemble
from aob.compose.logging import set_up_log
from aob.compose.loop import end_process, on_continued, run_tuned
from aob.compose.memory import watched
from aob.compose.settings import Settings
from aob.compose.shards.local import STREAMS, LocalShard, locked
from aob.compose.shards.owned import Hello
from aob.compose.shards.upward import UpwardLog, UpwardReader
from aob.compose.topics import RowText, row_text
from aob.compose.wire import Asking, Kind, Requests, Wire, encode
from aob.core.errors import AobError
from aob.core.event import MessageMark
from aob.core.opening import Opening
from aob.core.problem import problem_of
from aob.journal.messages import Delivery
from aob.ports.topics import RecordRow

TELL_S: Final = 0.2  # how often it reports its opening's progress
ORPHAN_S: Final = 10.0  # how long an owner whose main process has gone may take for an orderly stop


def main(argv: list[str]) -> NoReturn:
    """`python -m aob.compose.shards FD`: serve the shard that the first frame names, until stopped."""
    sock = socket.socket(fileno=int(argv[1]))
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the main process gets the signal and stops its owners
    threading.Thread(target=_end_with, args=(os.dup(sock.fileno()),), daemon=True).start()
    end_process(run_tuned(_own(sock)))


def _end_with(handle: int) -> None:
    """Ends this process some time after the other end has gone, whatever the loop does."""
    watched = select.poll()
    watched.register(handle, 0)  # a hang-up is reported without being asked for
    watched.poll()
    time.sleep(ORPHAN_S)
    os._exit(1)


async def _own(sock: socket.socket) -> int:
    wire = await Wire.over(sock)
    first = await wire.receive()
    if first is None:
        return 1
    hello = msgspec.json.decode(first.body, type=Hello)
    sys.path.extend(place for place in hello.path if place not in sys.path)
    async with AsyncExitStack() as stack:
        try:
            shard = await _told_of(wire, partial(_open, stack, hello))
        except AobError as error:
            wire.send(first.number, Kind.ERROR, encode(problem_of(error)))
            await wire.drained()
            return 1
        if shard is None:
            return 0
        running, shared = shard.running, shard.running.shared
        upward = Asking(wire)
        shared.log.provide(UpwardLog(upward))
        shared.reader.provide(UpwardReader(upward))
        core = running.views.core

        async def read_through(tenant: str) -> int:
            row: int = await upward.ask("read_through", tenant, hello.shard, core.journal.durable_row)
            return row

        async def document(tenant: str, digest: bytes) -> bytes | None:
            told: str | None = await upward.ask("value", tenant, digest.hex())
            return None if told is None else b64decode(told)

        async def deliver(delivery: Delivery) -> MessageMark:
            return msgspec.convert(await upward.ask("deliver", delivery), MessageMark)

        async def rows(tenant: str, topic: str, partition: int, start: int, limit: int) -> list[RecordRow]:
            told = await upward.ask("topic_rows", tenant, topic, partition, start, limit)
            return [row_text(tenant, topic, partition, each) for each in msgspec.convert(told, list[RowText])]

        shared.topics.read_by(rows)
        core.journal.post = deliver
        core.followed.append(read_through)
        core.values.elsewhere = document
        core.run_law.carried = set()
        # Work ends before the wire is closed: its last requests to the main process are still answered.
        requests = Requests(wire, lambda ask: shard, STREAMS, upward, telemetry=shared.telemetry)
        asked = await stack.enter_async_context(requests)
        await stack.enter_async_context(running.working())
        stack.enter_context(watched(core))
        on_continued(shared.continued)
        running.views.core.pool.contain()
        wire.send(first.number, Kind.VALUE, encode(os.getpid()))
        await asked.stopped.wait()
    return 0


async def _told_of(wire: Wire, work: Callable[[Opening], Coroutine[Any, Any, LocalShard]]) -> LocalShard | None:
    """The shard once it is open; reports progress meanwhile. None if it is no longer wanted: no request is sent before
    it is open, so any frame means stop, or that the other end has gone."""
    opening, told = Opening(), ""
    opened, stop = asyncio.create_task(work(opening)), asyncio.create_task(wire.receive())
    try:
        while not (opened.done() or stop.done()):
            await asyncio.wait({opened, stop}, timeout=TELL_S, return_when=asyncio.FIRST_COMPLETED)
            if told != str(opening):
                told = str(opening)
                wire.send(0, Kind.OPENING, encode(opening))
    finally:
        opened.cancel()
        stop.cancel()
        await asyncio.wait({opened, stop})
    return None if opened.cancelled() else opened.result()


async def _open(stack: AsyncExitStack, hello: Hello, opening: Opening) -> LocalShard:
    home = Path(hello.home)
    settings = msgspec.convert(hello.settings, Settings)
    set_up_log(
        settings.log_level, pretty=sys.stderr.isatty()
    )  # as the main process does: standard output is for answers
    await locked(stack, home, hello.shard)
    running = await assemble(stack, home, settings, hello.app, hello.layout, hello.shard, opening)
    return LocalShard(hello.shard, running)
