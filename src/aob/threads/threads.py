"""The threads of a shard. Changes of one thread are decided in order from what is known of it in memory, and each is
answered when its commit is durable; those that come together share one. The owner of the shard is the only writer."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.errors import Invalid, Problem, TooLarge
from aob.journal import Journal
from aob.journal.entries import MEMORY, THREAD, Enter
from aob.ports.store import Entry
from aob.threads import reading
from aob.threads.command import (
    Copied,
    Delete,
    Find,
    Found,
    Listed,
    Listing,
    Prune,
    Put,
    PutWrites,
    Rows,
)
from aob.threads.command.commands import Browse, Recall, Remember, ThreadCommand
from aob.threads.index import ThreadIndex
from aob.threads.rows import beyond, opened, sealed

KNOWN_MAX: Final = 200_000
"""About how many checkpoints, values and items are known in memory, of all threads together."""
HELD_S: Final = 0.002
"""How long the writes of a task wait for the checkpoint that mostly follows, to share its commit."""
TAKEN_BYTES: Final = 8 * 2**20
"""About how much of a copied thread is written at once."""
CHANGE_MAX: Final = 64 * 2**20
"""Bytes that one change of a thread writes at most."""
NAME_MAX: Final = 1_024
"""Bytes of a thread's name, a namespace, a channel, a task at most."""
_command: Final = msgspec.msgpack.Decoder(ThreadCommand)
encoded: Final = msgspec.msgpack.Encoder().encode
"""A command as MessagePack."""
_answers: Final[Mapping[type, msgspec.msgpack.Decoder[Any]]] = {
    Put: msgspec.msgpack.Decoder(list[str]), PutWrites: msgspec.msgpack.Decoder(None),
    Find: msgspec.msgpack.Decoder(Found | None), Listing: msgspec.msgpack.Decoder(list[Listed]),
    Delete: msgspec.msgpack.Decoder(None), Prune: msgspec.msgpack.Decoder(None),
    Rows: msgspec.msgpack.Decoder(Copied), Copied: msgspec.msgpack.Decoder(None),
    Remember: msgspec.msgpack.Decoder(None), Recall: msgspec.msgpack.Decoder(dict[bytes, bytes]),
    Browse: msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]),
}  # fmt: skip


class _Known:
    """The index of a thread while it is used. `flying` changes are on their way; `over` when one of them failed, and
    the index may say what is not stored."""

    def __init__(self, stream: str, turn: int) -> None:
        self.index = ThreadIndex(stream)
        self.turn, self.flying, self.over = turn, 0, False
        self.still = asyncio.Event()
        self.still.set()
        self.ready: asyncio.Task[None] | None = None
        self.held: list[Entry] = []
        """Rows of writes that wait for the next checkpoint, and `group` is done when they are durable."""
        self.group: asyncio.Future[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def join(self, entries: Sequence[Entry]) -> "asyncio.Future[Any]":
        """Add rows to those that go next; the future is done when they are durable."""
        self.held += entries
        if self.group is None:
            self.group = asyncio.get_running_loop().create_future()
            self.flying += 1
            self.still.clear()
        return self.group

    def landed(self, group: "asyncio.Future[Any]", error: BaseException | None) -> None:
        """Rows are durable, or it failed."""
        self.flying -= 1
        if not self.flying:
            self.still.set()
        if error is None:
            group.set_result(None)
        else:
            self.over = True
            group.set_exception(error)
            group.exception()  # its caller may have gone


class Threads:
    """Performs commands about threads of the shard of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._store = journal, journal.store
        self._known = OrderedDict[str, _Known]()
        self._weight = 0

    async def perform(self, tenant: str, thread: str, command: bytes) -> bytes:
        """The same as `ask`, with command and answer as MessagePack."""
        return encoded(await self.ask(tenant, thread, _command.decode(command)))

    async def ask(self, tenant: str, thread: str, command: ThreadCommand) -> Any:
        """Performs a command; what it changed is durable and visible when this returns. Raises TooLarge, Invalid for
        a name that is none, Unavailable while the shard cannot write, or is another process's."""
        stream = stream_of(tenant, thread, command)
        match command:
            case Recall():
                rows = await self._store.entries_at(stream, command.keys)
                return {key: opened(key, row) for key, row in rows.items()}
            case Browse():
                first = command.after + b"\0" if command.after else command.start
                found = await self._store.entries(stream, first, beyond(command.start), limit=command.limit)
                return [(key, opened(key, row)) for key, row in found]
            case Remember():
                return await self._remember(stream, command)
            case Find():
                return await reading.find(self._store, stream, command)
            case Listing():
                return await reading.listing(self._store, stream, command)
            case Rows():
                return await reading.copied(self._store, stream)
            case PutWrites():
                return await self._put_writes(stream, command)
            case Put():
                return await self._put(stream, command)
            case Copied():
                return await self._take(stream, command)
        known = await self._of(stream)
        if isinstance(command, Prune):
            return await self._enter(known, known.index.latest_only())
        if command.runs is not None:
            return await self._enter(known, known.index.drop_runs(frozenset(command.runs)))
        known.index = ThreadIndex(stream)
        return await self._enter(known, [Entry(stream, b"")])

    async def names(self, tenant: str, after: str = "", kind: str = THREAD, limit: int = 1_000) -> list[str]:
        """The names of a tenant's threads (or memories) in this shard, those greater than `after`."""
        start = f"{kind}{tenant}/"
        found = await self._store.entry_streams(start + after, limit)
        return [name.removeprefix(start) for name in found if name.startswith(start)]

    # -- changes ------------------------------------------------------------------------------------------------------

    async def _put(self, stream: str, put: Put) -> list[str]:
        check_names(put.ns, put.id, *put.values)
        known = await self._of(stream)
        missing, entries = known.index.put(put)
        if not missing:
            await self._enter(known, entries)
        return missing

    async def _put_writes(self, stream: str, given: PutWrites) -> None:
        check_names(given.ns, given.id, *(write.channel for write in given.writes), *(w.task for w in given.writes))
        known = await self._of(stream)
        await self._enter(known, known.index.write(given), HELD_S)

    async def _remember(self, stream: str, given: Remember) -> None:
        entries = [
            Entry(stream, key, None if data is None else sealed(key, data), b"" if data is not None else key + b"\0")
            for key, data in given.items
        ]
        check_size(entries)
        if entries:
            await self._journal.ask(stream, Enter(entries), fresh=True)

    async def _take(self, stream: str, given: Copied) -> None:
        some: list[Entry] = []
        size = 0
        for key, row in given.rows:
            some.append(Entry(stream, key, row))
            size += len(row)
            if size > TAKEN_BYTES or (key, row) == given.rows[-1]:
                known = await self._of(stream)
                known.over = True  # it is read again before the next change
                await self._enter(known, some)
                some, size = [], 0

    async def _enter(self, known: _Known, entries: Sequence[Entry], hold_s: float = 0.0) -> None:
        """Commits rows, in the order of the calls. With a time, they wait so long for what comes next."""
        if not entries:
            return
        try:
            check_size(entries)
        except TooLarge:
            known.over = True
            raise
        group = known.join(entries)
        if not hold_s:
            self._send(known)
        elif known.timer is None:
            known.timer = asyncio.get_running_loop().call_later(hold_s, self._send, known)
        await asyncio.shield(group)

    def _send(self, known: _Known) -> None:
        if known.timer is not None:
            known.timer.cancel()
        entries, group, known.held, known.group, known.timer = known.held, known.group, [], None, None
        if group is None:
            return
        try:
            future = self._journal.ask(known.index.stream, Enter(entries), fresh=True)
        except BaseException as error:
            known.landed(group, error)
            return
        future.add_done_callback(
            lambda done: known.landed(group, asyncio.CancelledError() if done.cancelled() else done.exception())
        )

    # -- what is known ------------------------------------------------------------------------------------------------

    async def _of(self, stream: str) -> _Known:
        """What is known of a thread, read from the store where nothing is, or what was may be outdated. Until the
        caller awaits, nobody else changes it."""
        while True:
            known, turn = self._known.get(stream), self._journal.turns
            if known is not None and (known.over or known.turn != turn):
                if known.flying:
                    await known.still.wait()
                    continue
                self._drop(stream, known)
                known = None
            if known is None:
                known = self._known[stream] = _Known(stream, turn)
                known.ready = asyncio.create_task(self._read(known))
            assert known.ready is not None
            if not known.ready.done():
                await asyncio.wait({known.ready})
                if (error := known.ready.exception()) is not None:
                    self._drop(stream, known)
                    raise error
                continue  # it may be outdated by now
            self._known.move_to_end(stream)
            self._shrink()
            return known

    async def _read(self, known: _Known) -> None:
        self._journal.check()
        await reading.read_into(known.index, self._store)

    def _drop(self, stream: str, known: _Known) -> None:
        if self._known.get(stream) is known:
            del self._known[stream]

    def _shrink(self) -> None:
        """Forgets threads that nobody used for long, while too much is known."""
        if len(self._known) < 64 or len(self._known) % 16:
            return
        weight = sum(known.index.weight for known in self._known.values())
        idle = [(stream, known) for stream, known in self._known.items() if not known.flying and known.still.is_set()]
        for stream, known in idle[:-1]:
            if weight <= KNOWN_MAX and len(self._known) <= 10_000:
                return
            if known.ready is not None and known.ready.done():
                weight -= known.index.weight
                self._drop(stream, known)


def answer_in(command: ThreadCommand, answer: bytes) -> Any:
    """The answer to a command, as `ask` gives it, in what `perform` returned."""
    return _answers[type(command)].decode(answer)


def check_size(entries: Sequence[Entry]) -> None:
    """Raises TooLarge for a change that writes too much."""
    if sum(len(entry.data or b"") for entry in entries) > CHANGE_MAX:
        raise TooLarge(f"a change of {entries[0].stream} is larger than {CHANGE_MAX >> 20} MiB",
                       hint="keep large things as files, and their names in the state")  # fmt: skip


def stream_of(tenant: str, thread: str, command: ThreadCommand) -> str:
    """The stream of a thread or memory. Raises Invalid for a name that cannot be stored."""
    check_names(thread)
    if not thread:
        raise Invalid("a thread has a name", [Problem("thread_id", "is empty", "bad_name")])
    return f"{MEMORY if isinstance(command, Remember | Recall | Browse) else THREAD}{tenant}/{thread}"


def check_names(*names: str) -> None:
    """Raises Invalid `bad_name` for one that is too long, or has a character that no store takes."""
    for name in names:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            size = NAME_MAX + 1
        if size > NAME_MAX or "\0" in name:
            why = f"{name[:60]!r} is no name: at most {NAME_MAX:,} bytes of UTF-8, and no U+0000"
            raise Invalid(why, [Problem("", why, "bad_name")])
