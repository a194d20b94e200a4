"""What decided the layout of storage (decision 0001): bytes and time of an event, a row a batch against one each."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from aob.core.run.record.event import NodeCompleted
from aob.core.value import canonical, digest_of
from bench.frame import Bench, Figure, measure
from bench.workflows import INPUTS


class Packed(msgspec.Struct, array_like=True, gc=False, tag=3):
    """The same event with its output as bytes, for msgpack."""

    visit: str
    attempt: int
    on: str
    output: bytes
    digest: bytes
    took: list[str] | None = None
    ready: list[str] = []
    skipped: list[str] = []
    fed: list[str] = []
    starved: list[str] = []
    took_us: int = 0
    memo: bool = False
    copied: bool = False
    usage: dict[str, Any] | None = None


class Named(msgspec.Struct, gc=False, tag="node_completed", omit_defaults=True):
    """The same event as a JSON object with names."""

    visit: str
    attempt: int
    on: str
    output: msgspec.Raw
    digest: bytes
    ready: list[str] = []
    took_us: int = 0


def cpu_us(work: Callable[[], object], count: int) -> float:
    """CPU microseconds of one call, the best of three rounds."""
    rounds = []
    for _ in range(3):
        begun = time.process_time()
        for _ in range(count):
            work()
        rounds.append((time.process_time() - begun) / count * 1e6)
    return min(rounds)


@measure("encoding")
def encoding(bench: Bench) -> Iterator[Figure]:
    """One completed node as msgpack array, JSON array and JSON object: bytes, encode and decode."""
    data = canonical(INPUTS)
    raw, digest, count = msgspec.Raw(data), digest_of(data), bench.times(50_000)
    packed = Packed("fetch", 1, "success", data, digest, None, ["score"], took_us=120)
    array = NodeCompleted("fetch", 1, "success", raw, digest, None, ["score"], took_us=120)
    named = Named("fetch", 1, "success", raw, digest, ["score"], 120)
    shapes: list[tuple[str, Any, Any, type]] = [
        ("msgpack_array", msgspec.msgpack, packed, Packed),
        ("json_array", msgspec.json, array, NodeCompleted),
        ("json_object", msgspec.json, named, Named),
    ]
    for name, codec, event, kind in shapes:
        encode, decode = codec.Encoder().encode, codec.Decoder(list[kind]).decode  # type: ignore[valid-type]  # chosen at run time
        written = encode([event])
        yield Figure(f"encoding.{name}.bytes", len(written), "B")
        yield Figure(f"encoding.{name}.encode_us", cpu_us(partial(encode, [event]), count), "us")
        yield Figure(f"encoding.{name}.decode_us", cpu_us(partial(decode, written), count), "us")


@measure("rows")
def rows(bench: Bench) -> Iterator[Figure]:
    """1,000 events in one fsync'ed SQLite transaction: one row for the batch, or a row an event."""
    data = canonical(INPUTS)
    event = NodeCompleted("fetch", 1, "success", msgspec.Raw(data), digest_of(data), None, ["score"])
    encode = msgspec.json.Encoder().encode
    for name in ("batch", "event"):
        db = sqlite3.connect(bench.folder("rows") / "rows.db", isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = full")
        db.execute("create table t (row integer primary key, data blob)")
        count = bench.times(40)
        with bench.clock() as span:
            for at in range(count):
                db.execute("begin immediate")
                if name == "batch":
                    db.execute("insert into t values (?, ?)", (at, encode([event] * 1_000)))
                else:
                    values = [(at * 1_000 + i, encode(event)) for i in range(1_000)]
                    db.executemany("insert into t values (?, ?)", values)
                db.execute("commit")
        db.close()
        yield Figure(f"rows.{name}.event_us", span.cpu_s / count * 1e3, "us", note="CPU an event, encode included")
