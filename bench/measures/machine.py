"""What the machine itself gives in this minute: the cost of a sync, and how fast one core decodes."""

import os
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from bench.frame import Bench, Figure, measure, percentile

PAGE: Final = b"x" * 4096
QUIET_DECODES_PER_CPU_S: Final = 1_700_000


@measure("fsync")
def fsync(bench: Bench) -> Iterator[Figure]:
    """A write of 4 KiB and an fdatasync, on the disk where homes are."""
    path = bench.folder("fsync") / "page"
    took_ms = []
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(bench.times(300)):
            begun = time.perf_counter()
            os.write(handle, PAGE)
            os.fdatasync(handle)
            took_ms.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(handle)
    yield Figure("fsync.p50_ms", percentile(took_ms, 0.5), "ms")
    yield Figure("fsync.p99_ms", percentile(took_ms, 0.99), "ms")


class Order(msgspec.Struct):
    """The data of a sample event."""

    order_id: str
    amount: float
    currency: str
    region: str
    channel: str
    items: int


class Event(msgspec.Struct):
    """A business event with named fields, 185 bytes as msgpack: what the calibration is defined by."""

    id: str
    source: str
    type: str
    time: float
    subject: str
    tenant: str
    data: Order


SAMPLE: Final = Event(
    "evt_7_000000000001", "web/shop", "order.created", 1_790_000_000.0, "user_123", "acme",
    Order("order_1234", 12.5, "EUR", "eu", "web", 3),
)  # fmt: skip


@measure("calibration")
def calibration(bench: Bench) -> Iterator[Figure]:
    """Decodes of a 185-byte msgpack struct in a second of CPU: 1.7 million on a quiet machine."""
    data = msgspec.msgpack.encode(SAMPLE)
    decode = msgspec.msgpack.Decoder(Event).decode
    rates = []
    for _ in range(5):
        count = bench.times(200_000)
        begun = time.process_time()
        for _ in range(count):
            decode(data)
        rates.append(count / (time.process_time() - begun))
    note = (
        f"{len(data)} bytes; {max(rates) / QUIET_DECODES_PER_CPU_S:.0%} of the machine that the targets are stated for"
    )
    yield Figure("calibration.decodes_per_cpu_s", max(rates), "/s", note=note)
