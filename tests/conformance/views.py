"""The views that SQL reads in the file of a shard or in a schema, and what they must show, from a store in memory."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from aob.backends.memory.store import MemoryStore
from aob.backends.postgres.store import PostgresStore
from aob.backends.sqlite.store import SqliteStore
from aob.core.value import canonical, decode
from aob.ports.store import Removal, Store
from aob.testing.conformance.store import RUN, batch, head, whole


class Part(msgspec.Struct, array_like=True):
    stream: str
    first: int
    events: list[msgspec.Raw]


_parts = msgspec.json.Decoder(list[Part])


async def rows(store: Store, view: str) -> list[dict[str, Any]]:
    """The rows of a view: as SQL reads them in a file, or as they must be."""
    if isinstance(store, MemoryStore):
        return list(REFERENCE[view](store))
    if isinstance(store, PostgresStore):
        return await _in_schema(store, view)
    assert isinstance(store, SqliteStore)

    def read(reader: Any) -> list[dict[str, Any]]:
        cursor = reader.execute(f"select * from {view}")  # a test's own
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return await store._read(read)


async def _in_schema(store: PostgresStore, view: str) -> list[dict[str, Any]]:
    """The rows of one shard without its number, JSON as its text."""
    async with store._database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        cursor.adapters.register_loader("json", TextLoader)
        name = f'"{store._database.schema}".{view}'
        await cursor.execute(f"select * from {name} where shard = %s".encode(), (store.shard,))
        found = sorted(await cursor.fetchall(), key=lambda row: int(row.get("row", 0)))  # a view has no order
        return [{key: value for key, value in row.items() if key != "shard"} for row in found]


def event_log(store: MemoryStore) -> Iterator[dict[str, Any]]:
    """Every event, oldest first."""
    for row in store.durable(0):
        for part in _parts.decode(row.data):
            for index, event in enumerate(part.events):
                text, tag = bytes(event).decode(), decode(event)[0]
                if part.stream == "keyring/all" and tag == 1:
                    text = text.replace(f'"{decode(event)[5]}"', '"***"')
                yield {"row": row.row, "at_ms": row.at_ms, "stream": part.stream, "seq": part.first + index,
                       "tag": tag, "event": text}  # fmt: skip


def runs(store: MemoryStore) -> Iterator[dict[str, Any]]:
    """The head of every run."""
    for found in store._heads.values():
        if found.kind == "run":
            yield {"run": found.stream, "tenant": found.tenant, "workflow": found.name, "status": found.status,
                   "reason": found.reason, "started_ms": found.started_ms, "ended_ms": found.ended_ms or None,
                   "seq": found.seq}  # fmt: skip


def patches(store: MemoryStore) -> Iterator[dict[str, Any]]:
    """Every patch as proposed."""
    for at, (_, patch, author, kind, reason, _, operations, state, *_) in _events(store, "run_", 12):
        yield {"run": at["stream"], "patch": patch, "author": author, "kind": kind, "reason": reason,
               "state": state, "operations": canonical(operations).decode(), "at_ms": at["at_ms"]}  # fmt: skip


def artifacts(store: MemoryStore) -> Iterator[dict[str, Any]]:
    """Every version of a workflow as pushed."""
    for at, (_, artifact, version, by, *_) in _events(store, "workflow/", 1):
        yield {"workflow": at["stream"], "artifact": artifact, "version": version, "by": by, "at_ms": at["at_ms"]}


def _events(store: MemoryStore, prefix: str, tag: int) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    for at in event_log(store):
        if at["tag"] == tag and at["stream"].startswith(prefix):
            yield at, decode(at["event"].encode())


REFERENCE: dict[str, Callable[[MemoryStore], Iterator[dict[str, Any]]]] = {
    "runs": runs, "patches": patches, "artifacts": artifacts, "event_log": event_log,
}  # fmt: skip


class ViewsSuite:
    """The fixture `store` is that of `StoreSuite`."""

    async def test_the_log_can_be_read_an_event_a_row(self, store: Store, epoch: int) -> None:
        data = b'[["run_1",0,[[1,"run_1"],[3,"fetch",{"a":[1]}]]],["run_2",4,[[26,"COMPLETED"]]]]'
        await store.commit(batch(epoch, 1, count=3, data=data, at_ms=50))
        assert await rows(store, "event_log") == [
            {"row": 1, "at_ms": 50, "stream": "run_1", "seq": 0, "tag": 1, "event": '[1,"run_1"]'},
            {"row": 1, "at_ms": 50, "stream": "run_1", "seq": 1, "tag": 3, "event": '[3,"fetch",{"a":[1]}]'},
            {"row": 1, "at_ms": 50, "stream": "run_2", "seq": 4, "tag": 26, "event": '[26,"COMPLETED"]'},
        ]

    async def test_a_key_is_shown_without_its_hash(self, store: Store, epoch: int) -> None:
        made = b'[1,"key_1","a,b: [\\"c\\"]","acme",["run","read"],"5e88489f","ann",7,1]'
        data = b'[["keyring/all",0,[%b,[2,"key_1","ann",8]]],["run_1",0,[%b]]]' % (made, made)
        await store.commit(batch(epoch, 1, count=3, data=data, at_ms=50))
        told = [row["event"] for row in await rows(store, "event_log")]
        assert told == [made.decode().replace("5e88489f", "***"), '[2,"key_1","ann",8]', made.decode()]

    async def test_the_runs_can_be_read(self, store: Store, epoch: int) -> None:
        heads = [head("run_b"), head("run_c", "FAILED", ended_ms=9, reason="no"), head("w", kind="workflow")]
        await store.commit(batch(epoch, 1, heads=heads))
        told = {"tenant": "acme", "workflow": "order", "started_ms": 5, "seq": 1}
        assert sorted(await rows(store, "runs"), key=lambda row: str(row["run"])) == [
            {**told, "run": "run_b", "status": "RUNNING", "reason": "", "ended_ms": None},
            {**told, "run": "run_c", "status": "FAILED", "reason": "no", "ended_ms": 9},
        ]

    async def test_patches_and_artifacts_can_be_read(self, store: Store, epoch: int) -> None:
        patch = b'[12,"patch_1","ann","person","why","base",[{"op":"remove","path":"/nodes/x"}],"proposed",7]'
        pushed = b'[1,"sha256:ab","1.0","ann",6,"{}"]'
        data = b'[["run_1",3,[%b,[14,"patch_1"]]],["workflow/acme/order",0,[%b,[2,"main"]]]]' % (patch, pushed)
        await store.commit(batch(epoch, 1, count=4, data=data, at_ms=50))
        assert await rows(store, "patches") == [
            {"run": "run_1", "patch": "patch_1", "author": "ann", "kind": "person", "reason": "why",
             "state": "proposed", "operations": '[{"op":"remove","path":"/nodes/x"}]', "at_ms": 50}
        ]  # fmt: skip
        assert await rows(store, "artifacts") == [
            {"workflow": "workflow/acme/order", "artifact": "sha256:ab", "version": "1.0", "by": "ann", "at_ms": 50}
        ]

    async def test_what_is_removed_is_in_no_view(self, store: Store, epoch: int) -> None:
        await store.commit(whole(epoch, 1))
        await store.commit(batch(epoch, 2, heads=[head("run_2")]))
        removal = Removal(RUN, "removal/1", "acme", "ann", 9, 8)
        await store.commit(batch(epoch, 3, data=b"[]", removals=[removal], rewritten=[(1, b'[["",1,[],7]]')]))
        assert [row["row"] for row in await rows(store, "event_log")] == [2]
        assert [row["run"] for row in await rows(store, "runs")] == ["run_2"]
