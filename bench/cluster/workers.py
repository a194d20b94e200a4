"""Chains of five whose handlers are performed by a worker over gRPC, the home on Postgres; hops on an idle system."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from bench.frame import ROOT, Bench, Figure, measure, percentile
from bench.measures.runs import finish, run
from bench.processes import Taken, event, on_postgres, variables
from bench.workflows import INPUTS, chain

WIDTHS = (4, 20, 500)
"""How many runs are under way at a time."""


class Round(NamedTuple):
    """Wall seconds and CPU of some chains, and how many items a message to the worker had."""

    wall_s: float
    cpu: Taken
    items: float


async def taken(bench: Bench, count: int) -> tuple[list[Round], list[float]]:
    """A round of so many chains by each width; seconds of each of some hops."""
    import aob

    stamps = bench.folder("stamps") / "at"
    with on_postgres(bench, 1) as (at, url), patch.dict(os.environ, variables(url)):
        at.own = "home"
        async with aob.open(bench.folder("home"), grpc_port=0) as app:
            address, key = _way_in(app), (await app.views.create_key(app.who, "worker", ("work",)))["secret"]
            worker = at.aob(
                "worker", "worker", str(ROOT / "handlers.py"), "--url", f"grpc://{address}", "--json", "--slots=1000",
                env={"AOB_API_KEY": str(key), "BENCH_STAMPS": str(stamps), "PYTHONPATH": str(ROOT.parent)},
            )  # fmt: skip
            await event(worker, "connected")
            for document in (chain("chain", 5), chain("hops", 6, "noted")):
                await app.push(document)
            await finish(app, "chain", count // 10 + 1, "full")
            rounds = []
            for width in WIDTHS:
                many = max(width, count) if width == max(WIDTHS) else max(width, count // 5)
                if bench.small:
                    many = width = min(width, 4)
                with counting() as sent:
                    at.begin()
                    begun = time.perf_counter()
                    await side_by_side(app, many, width)
                    rounds.append(Round((time.perf_counter() - begun) / many, at.taken().each(many), sent.share))
            for _ in range(bench.times(60)):  # one after the other
                await (await app.start("hops", INPUTS)).done()
    return rounds, hops_of(stamps.read_text())


def _way_in(app: Any) -> str:
    return str(app.shared.gateway.address)


async def side_by_side(app: Any, count: int, width: int) -> None:
    """So many chains, `width` of them at a time: each that ends is followed by another."""
    left = count

    async def one() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await (await app.start("chain", INPUTS)).done()

    await asyncio.gather(*[one() for _ in range(width)])


class Sent:
    """Messages and items that this process has sent to workers."""

    frames = items = 0

    @property
    def share(self) -> float:
        """Items of a message."""
        return self.items / max(1, self.frames)


@contextmanager
def counting() -> Iterator[Sent]:
    """Counts what goes to workers."""
    from aob.rpc import Outbox

    sent, framed = Sent(), vars(Outbox)["_frame"]

    def counted(outbox: Any) -> bytes:
        before = len(outbox)
        frame: bytes = framed(outbox)
        sent.frames, sent.items = sent.frames + 1, sent.items + before - len(outbox)
        return frame

    with patch.object(Outbox, "_frame", counted):
        yield sent


def hops_of(stamps: str) -> list[float]:
    """How long each hop of runs of six nodes took, by what the worker has noted."""
    at = [float(line) for line in stamps.split()]
    return [at[i + 1] - at[i] for i in range(len(at) - 1) if (i + 1) % 6]


@measure("cluster_workers")
def chains_by_workers(bench: Bench) -> Iterator[Figure]:
    """Chains of five by a gRPC worker in a process of its own, 4, 20 and 500 at a time; its hops on an idle system."""
    found = [run(taken(bench, bench.times(5_000))) for _ in range(bench.rounds(3))]
    for at, width in enumerate(WIDTHS):
        one: Round = min((rounds[at] for rounds, _ in found), key=lambda each: each.cpu.whole)
        yield from one.cpu.figures(f"cluster_workers.{width}", 1, "ms", 0.8 if one.items >= 4 else None)
        yield Figure(f"cluster_workers.{width}.per_s", 1 / one.wall_s, "/s")
        yield Figure(f"cluster_workers.{width}.items", one.items, "items", note="a message to the worker")
    hop = min(percentile(hops, 0.5) for _, hops in found)
    yield Figure("cluster_workers.hop.p50_ms", hop * 1e3, "ms", note="held against fsync.p50_ms + 2")
