"""The commits of all shards that wait in one process, as one statement: while it is under way the next ones gather. A
lone commit never waits for others. Each batch is judged alone: a stale one is left out, and one that the server cannot
take fails by itself."""

import asyncio
from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import Final
from weakref import WeakKeyDictionary, ref

import msgspec

from aob.backends.postgres.database import Database
from aob.backends.postgres.telling import Told, tell
from aob.backends.postgres.text import stored_json
from aob.core.errors import AobError, Unavailable
from aob.ports.store import DISK_FULL, Batch

BYTES_MAX: Final = 64 << 20
"""Further batches wait for the next statement when those of one have so much; a larger one goes alone."""
ALL_FAIL: Final = frozenset({"store_away", "store_login", DISK_FULL, "closing"})
"""Codes that are of the server, and not of one of the batches."""
LOCKED: Final = "store_locked"
LOCK_MS: Final = 2_000
"""How long all wait for the lock of one shard, which its other owner holds for the time of a commit."""

Waiting = tuple[Told, asyncio.Future[int]]


class Commits:
    """Joins the commits of one database in this process. `await commit(shard, batch)`."""

    def __init__(self, database: Database) -> None:
        self._database = ref(database)
        self._statements = database.statements("store.sql")
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._apart: set[int] = set()
        """Shards whose batches go alone: a lock holds up the last one, or the server refused it among others."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.stats = {"calls": 0, "batches": 0}

    async def commit(self, shard: int, batch: Batch) -> int:
        """What the server answered of the batch. Raises Unavailable; with `unknown` it may be written nevertheless."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((tell(shard, batch), future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="aob-commits")
        return await future

    async def _run(self) -> None:
        try:
            while joined := self._next():
                await self._write(joined)
        finally:
            self._task = None

    def _next(self) -> list[Waiting]:
        """The batches of the next statement by shard, one of each."""
        chosen: dict[int, Waiting] = {}
        left: list[Waiting] = []
        size = 0
        for waiting in self._waiting:
            told, future = waiting
            if future.done():
                continue  # its caller has gone, and it was never sent
            if told.shard in self._apart:
                self._write_apart(waiting)
            elif told.shard in chosen or (chosen and size + told.size > BYTES_MAX):
                left.append(waiting)
            else:
                chosen[told.shard] = waiting
                size += told.size
        self._waiting = left
        return [chosen[shard] for shard in sorted(chosen)]

    def _write_apart(self, waiting: Waiting) -> None:
        self._apart.add(waiting[0].shard)
        task = asyncio.create_task(self._write([waiting]), name="aob-commit-apart")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, joined: Sequence[Waiting]) -> None:
        try:
            answers = await self._call([told for told, _ in joined])
        except AobError as error:
            if len(joined) > 1 and not error.fields.get("unknown") and error.code not in ALL_FAIL:
                for each in joined:  # nothing is written: one of them is at fault, and the others are not
                    self._write_apart(each)
                return
            self._done(joined, held_up=error.code == LOCKED)
            _fail(joined, error)
            return
        except BaseException as error:
            lost = f"the commit was broken off: {type(error).__name__}"
            _fail(joined, Unavailable(lost, code="store_failed", unknown=True))
            raise
        self._done(joined, held_up=False)
        for (_, future), answer in zip(joined, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _done(self, joined: Sequence[Waiting], *, held_up: bool) -> None:
        shards = {told.shard for told, _ in joined}
        self._apart = self._apart | shards if held_up else self._apart - shards

    async def _call(self, joined: Sequence[Told]) -> Sequence[int]:
        database = self._database()
        if database is None:
            raise Unavailable("the database is closed", code="closing")
        self.stats["calls"] += 1
        self.stats["batches"] += len(joined)
        begins = list(accumulate((told.size for told in joined), initial=0))
        pairs = list(zip(joined, begins, strict=False))
        lines = ",".join(told.line % at for told, at in pairs)
        rest = [(told.shard, at, *told.parts) for told, at in pairs if told.kinds]
        kinds = reduce(or_, (told.kinds for told in joined))
        given = (
            f"{{{lines}}}", b"".join(part for told in joined for part in told.bytes),
            stored_json(msgspec.json.encode(rest)).decode(), kinds, LOCK_MS,
        )  # fmt: skip
        beside = [(told.shard, at, told.entries) for told, at in pairs if told.entries]
        name = "commit_entries" if beside else "commit"
        more = (stored_json(msgspec.json.encode(beside)).decode(),) if beside else ()
        async with database.connection(first=True) as connection:
            row = await (await connection.execute(self._statements[name], (*given, *more), binary=True)).fetchone()
        assert row is not None
        answers: Sequence[int] = row[0]
        return answers


_joined: WeakKeyDictionary[Database, Commits] = WeakKeyDictionary()


def commits_of(database: Database) -> Commits:
    """The commits of a database in this process."""
    if (found := _joined.get(database)) is None:
        found = _joined[database] = Commits(database)
    return found


def _fail(joined: Sequence[Waiting], error: AobError) -> None:
    for _, future in joined:
        if not future.done():
            future.set_exception(error.with_traceback(None))
