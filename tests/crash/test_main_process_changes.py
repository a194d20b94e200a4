"""What only the main process does, over a change of it: alerts, webhooks and streams tell everything once. And one that
was stopped for longer than its lease, looked at from outside through connections that were open before: it answers
nothing, sends nothing, begins nothing."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest

from aob.client import AsyncClient
from aob.compose.network import Member as Own
from aob.compose.network import Peers
from aob.compose.network.peer import Peer
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from tests.crash.cluster import KEY, Cluster, Member, cluster, comes
from tests.crash.test_coordinators import LANES, SHARDS, loaded
from tests.crash.test_coordinators import schema as schema
from tests.crash.test_kill_on_postgres import FLOW, Load
from tests.runs.home import flow, fn
from tests.servers.fixtures import Schema
from tests.servers.ports import free_port
from tests.work.peers import peer
from tests.worker.polling import pause

pytestmark = pytest.mark.timeout(240)
SHOP: Final = """
event: order.created
version: 1
owner: shop
fields:
  order_id: {type: string}
---
metric: orders
version: 1
type: count
moves: [{on: order.created}]
windows: [all]
---
alert: orders_some
metric: orders
window: all
when: value > 2.0
---
alert: orders_many
metric: orders
window: all
when: value > 5.0
"""
NAPS: Final = flow(
    "naps", {"nap": {"kind": "timer", "config": {"for": "3s"}}, "b": fn("noted", input={"n": "inputs.n"})}, "nap>b"
)
GONE: Final = frozenset(("not_owner", "shard_lost", "shard_down", "shard_unowned"))


def order(number: int) -> dict[str, Any]:
    return {"type": "order.created", "source": "shop", "id": f"o{number}", "data": {"order_id": f"o{number}"}}


@asynccontextmanager
async def hooked(folder: Path, schema: Schema, port: int) -> AsyncIterator[tuple[Cluster, AsyncClient]]:
    """Two members that may send to a port of this machine, and an api; a third may join."""
    for name in ("one", "two", "three"):
        (folder / name).mkdir()
        (folder / name / "aob.toml").write_text(f'[egress]\nprivate = ["127.0.0.1:{port}"]\n')
    async with cluster(folder, schema) as made:
        ports = free_port(), free_port()
        *_, client = await asyncio.gather(
            made.member("one", port=ports[0]), made.member("two", port=ports[1]), made.api(*ports)
        )
        await made.spread(SHARDS)
        yield made, client


async def test_alerts_webhooks_and_streams_tell_all_once_over_a_change_of_the_main_process(
    tmp_path: Path, schema: Schema
) -> None:
    """It hands over, then the next one is killed."""
    async with peer() as ops, AsyncExitStack() as stack:
        ops.answer("/hook")
        made, client = await stack.enter_async_context(hooked(tmp_path, schema, ops.port))
        await client.push(FLOW)
        await client.push_contracts({"shop.yaml": SHOP})
        hook = f"{ops.url}/hook"
        while await refused(client.create_webhook(hook, events=["order.created"], runs=["*"], alerts=["*"])) in GONE:
            await pause(0.05)  # a shard that the second member has taken is not open yet
        fanout = await stack.enter_async_context(AsyncClient(await made.fanout(*made.members), key=KEY))
        heard: list[tuple[str, str]] = []
        begun = asyncio.Event()
        reading = asyncio.create_task(listened(fanout, heard, begun))
        stack.callback(reading.cancel)
        await client.ingest([order(0)])
        await begun.wait()
        ids: list[str] = []
        for part in (1, 2, 3):
            await client.ingest([order(number) for number in range(3 * part - 2, 3 * part + 1)])
            for number in range(6 * part, 6 * part + 6):
                ids.append((await client.start("w", {"n": number}, key=f"k{number}"))["run_id"])
            if part == 1:
                await until_sent(ops, 10)
                await handed_over(made)
            if part == 2:
                await until_sent(ops, 20)
                (await made.main()).process.kill()
        for run_id in ids:
            assert (await client.wait(run_id))["status"] == "COMPLETED"
        wanted = Counter({("order.created", f"o{number}"): 1 for number in range(10)})
        wanted += Counter({("alert.changed", name): 1 for name in ("orders_some", "orders_many")})
        wanted += Counter({(f"run.{state}", run_id): 1 for run_id in ids for state in ("running", "completed")})
        await comes(lambda: sent(ops) >= wanted)
        assert sent(ops) == wanted
        orders = {("event", f"o{number}") for number in range(10)}
        await comes(lambda: orders <= set(heard) or reading.done())
        told = Counter(heard)
        assert {told[each] for each in orders} == {1}


async def handed_over(made: Cluster) -> None:
    """The main process ends in order, and another member joins."""
    ended = (await made.main()).process
    ended.terminate()
    assert await ended.wait() == 0
    await made.member("three")
    await made.spread(SHARDS)


async def listened(client: AsyncClient, heard: list[tuple[str, str]], begun: asyncio.Event) -> None:
    """Notes what a stream tells; it resumes by its position."""
    async for event in client.stream(types=["order.created"], position=""):
        heard.append((event.name, str(event.data.get("id", ""))))
        begun.set()


def sent(ops: Any) -> Counter[tuple[str, str]]:
    """What was told, each message once by its id."""
    found: Counter[tuple[str, str]] = Counter()
    for body in {asked.headers["webhook-id"]: asked.body for asked in ops.requests}.values():
        message = msgspec.json.decode(body)
        data = message["data"]
        found[message["type"], str(data.get("run_id") or data.get("alert") or data.get("id"))] += 1
    return found


async def until_sent(ops: Any, count: int) -> None:
    """So many different messages have come."""
    await comes(lambda: sent(ops).total() >= count)


# -- stopped for longer than its lease, from outside ----------------------------------------------------------------


class Http:
    """A connection that stays open, without any client's care."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, url: str) -> "Http":
        at = urlsplit(url)
        return cls(*await asyncio.open_connection(at.hostname, at.port))

    def ask(self, path: str) -> None:
        """Send a request; its answer is read by `answer`."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {KEY}\r\n\r\n".encode())

    async def answer(self) -> int:
        """The status of the next answer; 0 when the other end hung up."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await self._reader.readexactly(int(fields.get("content-length", 0)))
        return int(head.split()[1])

    async def status(self, path: str) -> int:
        self.ask(path)
        return await self.answer()

    def close(self) -> None:
        self._writer.close()


async def refused(asked: Any) -> str:
    """The code with which a request was refused; what it was answered, where it was."""
    try:
        return f"answered: {await asked}"
    except Unavailable as error:
        return error.code


async def items(peer: Peer, verb: str, shard: int, into: list[Any], **named: Any) -> str:
    """Notes what a stream gives until it ends; why it does."""
    try:
        async for item in peer.stream(shard, verb, LOCAL, **named):
            into.append(item)
    except Unavailable as error:
        return error.code
    return ""


async def test_one_that_sleeps_past_its_lease_says_and_begins_nothing_through_connections_of_before(
    tmp_path: Path, schema: Schema
) -> None:
    async with cluster(tmp_path, schema) as made, Peers(Own(("api",))) as peers:
        (member, client), (_, other) = await asyncio.gather(
            made.several("one", "api,coordinator"), made.several("two", "control-plane", grpc=(port := free_port()))
        )
        held = await made.spread(SHARDS)
        assert (await other.health())["workers"] == f"127.0.0.1:{port}", "they come to the api of the process"
        stopped, load = await made.main(), Load()
        live, its = (other, client) if stopped is member else (client, other)
        url = made.urls_of[stopped.name]
        await live.push(NAPS)
        await live.push(FLOW)
        ids = [(await live.start("naps", {"n": number}, key=f"k{number}"))["run_id"] for number in range(12)]
        raw, http = peers.of(stopped.peers), await Http.open(url)
        await raw.ready()
        assert (await raw.call(0, "health", None))["status"] == "ok"
        assert await http.status("/v1/workflows") == 200
        frames: list[Any] = []
        reading = [
            asyncio.create_task(items(raw, "follow", -1, frames, place=True)),
            *(asyncio.create_task(items(raw, "follow", shard, frames)) for shard in held[stopped.name]),
        ]
        await comes(lambda: bool(frames))
        async with loaded(live, load):
            await load.until(20)
            os.kill(stopped.pid, signal.SIGSTOP)
            stopped_ms = time.time_ns() // 1_000_000
            asked = [
                asyncio.create_task(refused(raw.call(shard, verb, LOCAL, **named)))
                for shard, verb, named in whatever(held[stopped.name], ids)
            ]
            http.ask(f"/v1/runs/{ids[0]}")
            await made.spread(SHARDS, without=stopped)
            await load.until(20)
        for run_id in ids:
            assert (await live.wait(run_id))["status"] == "COMPLETED"
        await load.ended_well(live, done := list(load.answered.values()))
        begun = own_lines(made, stopped)
        os.kill(stopped.pid, signal.SIGCONT)
        codes = set(await asyncio.gather(*asked))
        assert codes <= GONE, codes
        assert set(await asyncio.gather(*reading)) <= GONE
        late = [frame for frame in frames if frame[1] and frame[2]["at"] > stopped_ms]  # others were on their way
        assert not late, "it sent a frame"
        assert await http.answer() in (0, 200, 503), "its api asks the members of now"
        assert len(await made.spread(SHARDS)) == 2, "it is a member again"
        late_runs = Counter(line.split()[1] for line in own_lines(made, stopped)[len(begun) :])
        assert not late_runs.keys() & set(ids), "it began what others had done"
        assert sum(late_runs[run_id] for run_id in done) <= LANES, "it began more than what it had in hand"
        http.close()
        await stands_in(made, stopped, load, its, live)


async def stands_in(made: Cluster, ended: Member, load: Load, its: AsyncClient, other: AsyncClient) -> None:
    """The other process of several roles goes on alone when one ends in order under load."""
    async with loaded(its, load), loaded(other, load):
        await load.until(20)
        ended.process.terminate()
        assert await ended.process.wait() == 0
        await load.until(10)
    await load.settled(other, made.ledger)


def whatever(shards: list[int], ids: list[str]) -> list[tuple[int, str, dict[str, Any]]]:
    """Reads and commands to the home and to each of these shards."""
    asked: list[tuple[int, str, dict[str, Any]]] = [
        (-1, "runs", {}), (-1, "workflows", {}), (-1, "metrics", {}), (-1, "home_health", {}),
    ]  # fmt: skip
    for shard in shards:
        asked += [(shard, "health", {}), (shard, "position", {}), (shard, "tickets", {})]
        asked += [(shard, "run", {"run_id": run_id}) for run_id in ids]
        asked += [(shard, "cancel", {"run_id": ids[0]})]
    return asked


def own_lines(made: Cluster, member: Member) -> list[str]:
    """What the handlers of a member did."""
    lines = made.ledger.read_text().splitlines() if made.ledger.exists() else []
    return [line for line in lines if line.startswith(f"{member.pid} ")]
