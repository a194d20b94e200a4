"""Requests between two processes of a cluster over TCP: CPU of both ends, here in one process."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

from bench.frame import Bench, Figure, measure
from bench.measures.runs import run

WIDTHS = (1, 64)


class Desk:
    """A shard that gives back what it is asked for."""

    number = 0

    async def call(self, verb: str, who: Any, *args: Any, **named: Any) -> Any:
        """The answer of every verb."""
        return {"run_id": args[0], "status": "COMPLETED", "workflow": "chain", "seq": 17}

    async def stream(self, verb: str, who: Any, *args: Any, **named: Any) -> Any:
        """Nothing streams."""
        yield


async def pairs(bench: Bench, secure: bool) -> list[float]:
    """CPU seconds of a request and its answer by how many are under way at a time."""
    from datetime import UTC, datetime

    from aob.compose.network import Certificates, Member, Peers, PeerServer, init
    from aob.core.policy import LOCAL

    found, count = [], bench.times(20_000)
    async with AsyncExitStack() as stack:
        shown: list[Any] = [None, None]
        if secure:
            folder = bench.folder("certs") / "certs"
            init(folder, [("coordinator",), ("api",)], (), datetime.now(UTC))
            shown = [Certificates(folder, [role]) for role in ("coordinator", "api")]
        server = PeerServer(Member(("coordinator",)), lambda _: Desk(), frozenset(), shown[0])
        await (await stack.enter_async_context(server)).open("127.0.0.1", 0)
        peers = await stack.enter_async_context(Peers(Member(("api",)), shown[1]))
        peer = peers.of(server.address)
        await peer.ready()

        async def ask(times: int) -> None:
            for _ in range(times):
                await peer.call(0, "run", LOCAL, "run_0123456789abcdef")

        for width in WIDTHS:
            each = max(1, count // width)
            await asyncio.gather(*[ask(each // 10 + 1) for _ in range(width)])
            with bench.clock() as span:
                await asyncio.gather(*[ask(each) for _ in range(width)])
            found.append(span.cpu_s / (each * width))
    return found


@measure("cluster_wire")
def wire(bench: Bench) -> Iterator[Figure]:
    """A request between processes and its answer: alone, and 64 at a time; plain and over mTLS."""
    for name, secure in (("plain", False), ("tls", True)):
        rounds = [run(pairs(bench, secure)) for _ in range(bench.rounds(3))]
        for at, width in enumerate(WIDTHS):
            best = min(each[at] for each in rounds)
            yield Figure(f"cluster_wire.{name}.{width}.cpu_us", best * 1e6, "us", note="both ends")
