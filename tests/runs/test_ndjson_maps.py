"""A map over a blob of NDJSON reads it in ranges: what is in memory of it is bounded, whatever its size."""

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

import aob
from aob.backends.folder_blobs import FolderBlobs
from aob.core import items
from aob.core.items import CHUNK_BYTES
from aob.core.run import bodies, decide, pending
from aob.core.run.record import commands as cmd
from aob.core.run.stepping import Needs
from aob.core.value import Ref, decode, digest_of
from aob.ports.blobs import Blobs
from aob.ports.store import Store
from aob.runs import values as values_room
from aob.runs.values import Values
from tests.core import run_desk
from tests.core.run_desk import Desk, each
from tests.runs.home import Deed, crashed, finished, flow, fn, until

LINE = 24 * 1024
LINES = 400
CACHE = 16 * LINE
"""Everything is 32 times smaller than 300 MB, chunks and the cache as well."""


class Generated:
    """A blob that is nowhere: line k is `{"n":k,"pad":"xxx…"}`. How much of it was read."""

    def __init__(self) -> None:
        self.read, self.largest = 0, 0

    async def get_range(self, tenant: str, digest: bytes, start: int, length: int) -> bytes:
        found = b"".join(line(k) for k in range(start // LINE, min(LINES, (start + length) // LINE + 1)))
        data = found[start % LINE :][:length]
        self.read, self.largest = self.read + len(data), max(self.largest, len(data))
        return data

    async def get(self, tenant: str, digest: bytes) -> bytes:
        raise AssertionError("it is read as a whole")


class Empty:
    """A store without values."""

    async def value(self, tenant: str, digest: bytes) -> None:
        return None


def line(k: int) -> bytes:
    return (b'{"n":%d,"pad":"' % k).ljust(LINE - 3, b"x") + b'"}\n'


def reference() -> Ref:
    hashed = items.sha256()
    for k in range(LINES):
        hashed.update(line(k))
    return Ref(hashed.digest(), LINE * LINES)


async def test_of_a_large_blob_only_chunks_are_in_memory_also_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values_room, "CACHE_BYTES", CACHE)
    for room in (items, bodies):
        monkeypatch.setattr(room, "CHUNK_BYTES", CHUNK_BYTES // 32)
    monkeypatch.setattr(bodies, "OPENED_MAX", bodies.OPENED_MAX // 32)
    blobs, ref = Generated(), reference()
    body = {"in": run_desk.function(input={"n": "item.n"}, disabled=True)}
    desk = Desk(run_desk.flow({"m": each("inputs.blob", body, window=50)}), {"blob": decode(ref.cell())}, begin=False)

    def opened() -> Values:
        values = Values(cast(Store, Empty()), cast(Blobs, blobs))
        desk.given = msgspec.structs.replace(desk.given, values=values.of("default"), lists={})
        return values

    async def decided(values: Values, command: Any) -> None:
        while True:
            try:
                made = decide(desk.run, command, desk.given, desk.now)
            except Needs as needs:
                await values.fetch("default", needs.ref.digest)
                assert sum(map(len, values.of("default").values())) <= CACHE
                continue
            assert sum(map(len, made.values.values())) <= bodies.OPENED_MAX + LINE, "a commit takes so many items"
            desk.record(made.events)
            return

    values = opened()
    await decided(values, cmd.Start(**start_of(desk)))
    assert desk.run.bodies["m"].count == LINES
    while pending(desk.run).goes_on and desk.run.bodies["m"].next < LINES // 2:
        await decided(values, cmd.Continue())
    values = opened()
    while pending(desk.run).goes_on:
        await decided(values, cmd.Continue())
    assert desk.run.status == "COMPLETED"
    assert decode(desk.run.output)["count"] == LINES
    assert blobs.largest <= 2 * LINE, "a chunk grows to hold a line"
    assert blobs.read <= 10 * ref.size, "counted twice and read once, with the growing of chunks"


def start_of(desk: Desk) -> dict[str, Any]:
    began: list[Any] = []
    desk.do = began.append  # type: ignore[method-assign, assignment]
    desk.begin()
    return {field: getattr(began[0], field) for field in began[0].__struct_fields__}


@pytest.fixture
def ranges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs over a row are read in ranges, or not at all."""
    monkeypatch.setattr(items, "CHUNK_BYTES", 4_096)
    read = FolderBlobs._read

    def part(self: FolderBlobs, tenant: str, digest: bytes, start: int = 0, length: int = -1) -> bytes:
        assert 0 <= length <= CHUNK_BYTES, "a blob is read as a whole"
        return read(self, tenant, digest, start, length)

    monkeypatch.setattr(FolderBlobs, "_read", part)


def mapped(window: int = 50) -> dict[str, Any]:
    body = {"nodes": {"in": fn("double", input={"n": "item.n"})}}
    return flow("mapped", {"m": {"kind": "map", "config": {"items": "inputs.blob", "window": window}, "body": body}})


def written(count: int) -> bytes:
    return b"\r\n".join(b'{"n":%d,"pad":"%b"}' % (n, b"\xc3\xa9" * 200) for n in range(count))


async def test_a_home_goes_on_with_it_after_its_process_was_killed(tmp_path: Path, ranges_only: None) -> None:
    data, deed, count = written(600), Deed(), 600
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        ref = Ref(await app.views.core.values.put(app.who.tenant, data), len(data))
        app.views.core.values.forget(app.who.tenant, ref.digest)
        await app.push(mapped())
        run = await app.start("mapped", {"blob": decode(ref.cell())})
        await until(app, run.id, "scope_closed", index=150)
        left = crashed(app, tmp_path / "left")
    async with aob.open(left, app=deed.handlers()) as app:
        told = await finished(app, run.id)
    assert (told["status"], told["error"]) == ("COMPLETED", None)
    assert told["output"]["items"] == [2 * n for n in range(count)]


@pytest.mark.parametrize("how", ["cut short", "another byte"])
async def test_a_damaged_blob_sets_the_run_aside_and_says_which(tmp_path: Path, how: str) -> None:
    data = written(600)
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        digest = await app.views.core.values.put(app.who.tenant, data)
        app.views.core.values.forget(app.who.tenant, digest)
        path = FolderBlobs(tmp_path / "home" / "blobs").path(app.who.tenant, digest)
        path.write_bytes(data[:-7] if how == "cut short" else data[:9] + b"7" + data[10:])
        document = mapped()
        document["nodes"]["before"] = fn()
        document["edges"]["before-m"] = {"from": "before", "to": "m"}
        await app.push(document)
        run = await app.start("mapped", {"blob": decode(Ref(digest, len(data)).cell())})
        await until(app, run.id, "run_quarantined")
        told = await app.run(run.id)
        assert digest.hex() in told["reason"]
        assert digest_of(path.read_bytes()) != digest
        path.write_bytes(data)
        await app.views.release(app.who, run.id)
        assert (await finished(app, run.id))["output"]["count"] == 600
