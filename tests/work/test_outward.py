"""What goes out over the network: a place before a worker, a share for each tenant, and a pool that never dies."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpcore
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import aob
from aob.cli.commands.home.doctor import _egress
from aob.ports.workers import Job
from aob.work.egress import CheckedClient, EgressRules
from aob.work.job import WorkError
from aob.work.pool import Pool, PriorityQueue
from aob.work.pool.attempt import Attempt
from aob.work.pool.network_places import OUTWARD_TENANT_MAX, NetworkPlaces
from tests.work.jobs import Told, job_of, node_of
from tests.work.peers import Peer, peer
from tests.work.test_pool import Gate, Noted

CALL = node_of("http", {"url": "https://a.example"})


def call(visit: str, tenant: str = "many") -> Job:
    return job_of(CALL, visit=visit, tenant=tenant)


async def test_110_slow_calls_of_one_tenant_leave_room_for_another_at_once() -> None:
    gate, told = Gate(), Told()
    async with Pool(64, gate.perform, told, log=Noted()) as pool:
        for n in range(110):
            pool.submit(call(f"slow{n}"))
        await gate.until(lambda: len(gate.began) == OUTWARD_TENANT_MAX)
        assert pool.health().running == OUTWARD_TENANT_MAX
        pool.submit(call("mine", "few"))
        pool.submit(job_of(node_of("function", {"handler": "f"}), visit="plain", tenant="many"))
        await gate.until(lambda: {"mine", "plain"} <= set(gate.began))
        assert len(gate.began) == OUTWARD_TENANT_MAX + 2
        gate.open()
        await gate.until(lambda: len(gate.ended) == 112)


async def test_a_notice_of_a_node_takes_a_place_as_a_call_does() -> None:
    gate, told = Gate(), Told()
    tells = node_of("notify", {"to": "https://a.example/x", "text": "hello"})
    async with Pool(64, gate.perform, told, log=Noted()) as pool:
        for n in range(OUTWARD_TENANT_MAX + 1):
            pool.submit(job_of(tells, visit=f"v{n}", tenant="many"))
        pool.submit(call("mine", "few"))
        await gate.until(lambda: "mine" in gate.began and len(gate.began) > OUTWARD_TENANT_MAX)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (len(gate.began), pool.waiting) == (OUTWARD_TENANT_MAX + 1, 1)
        gate.open()


async def test_a_cancelled_call_gives_its_place_to_the_next() -> None:
    gate, told = Gate(), Told()
    async with Pool(64, gate.perform, told, log=Noted()) as pool:
        for n in range(OUTWARD_TENANT_MAX + 3):
            pool.submit(call(f"v{n}"))
        await gate.until(lambda: len(gate.began) == OUTWARD_TENANT_MAX)
        assert pool.cancel("run_1", f"v{OUTWARD_TENANT_MAX}")  # it waited and is not begun
        assert pool.cancel("run_1", "v0")
        await gate.until(lambda: f"v{OUTWARD_TENANT_MAX + 1}" in gate.began)
        assert f"v{OUTWARD_TENANT_MAX}" not in gate.began
        gate.open()


Move = st.tuples(st.sampled_from(["take", "take", "leave", "drop"]), st.integers(0, 3))


@example([("take", 0), ("take", 1), ("take", 1), ("take", 0), ("take", 0), ("drop", 1), ("leave", 1)], 2, 1)
@example([("take", 0), ("take", 0), ("take", 1), ("take", 1), ("take", 1), ("drop", 1), ("leave", 1)], 2, 1)
@given(st.lists(Move, max_size=120), st.integers(1, 6), st.integers(1, 6))
def test_no_place_is_lost_no_share_is_passed_and_nobody_waits_beside_a_free_place(
    moves: list[tuple[str, int]], limit: int, share: int
) -> None:
    outward = NetworkPlaces(limit, share)
    out: list[Attempt] = []
    waiting: list[Attempt] = []
    for n, (move, tenant) in enumerate(moves):
        if move == "take":
            attempt = Attempt(call(f"v{n}", f"t{tenant}"), ("run_1", f"v{n}"))
            (out if outward.take(attempt) else waiting).append(attempt)
        elif move == "leave" and out:
            left = out.pop(tenant % len(out))
            granted = outward.leave(left)
            out += granted
            waiting = [each for each in waiting if each not in granted]
        elif move == "drop" and waiting:
            gone = waiting.pop(tenant % len(waiting))
            gone.state = "gone"
            assert outward.leave(gone) == []
        held = Counter(each.job.tenant for each in out)
        assert len(out) <= limit
        assert max(held.values(), default=0) <= share
        if len(out) < limit:
            assert all(held[each.job.tenant] >= share for each in waiting)


@given(st.integers(1, 200), st.integers(1, 200))
def test_tenants_with_work_take_turns(many: int, few: int) -> None:
    lanes: PriorityQueue[str] = PriorityQueue()
    for _ in range(many):
        lanes.push("many", "medium", "many")
    for _ in range(few):
        lanes.push("few", "medium", "few")
    picked = [lanes.pop() for _ in range(many + few)]
    both = picked[: 2 * min(many, few)]
    assert abs(both.count("many") - both.count("few")) <= 1


def test_more_tenants_than_are_kept_change_neither_the_order_nor_the_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.work.pool.priority_queue.TENANTS_KEPT", 2)
    lanes: PriorityQueue[str] = PriorityQueue()
    for item in ("a1", "b1", "c1", "a2", "d1", "a3"):
        lanes.push(item, "medium", item[0])
    assert [lanes.pop() for _ in range(6)] == ["a1", "b1", "c1", "d1", "a2", "a3"]
    assert lanes.pop() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["high", "medium", "low"])), max_size=60))
def test_all_that_is_pushed_comes_out_once_in_the_order_of_its_tenant(pushed: list[tuple[str, str]]) -> None:
    lanes: PriorityQueue[tuple[str, str, int]] = PriorityQueue()
    for n, (tenant, priority) in enumerate(pushed):
        lanes.push((tenant, priority, n), priority, tenant)
    assert len(lanes) == len(pushed)
    out = [item for _ in pushed if (item := lanes.pop())]
    assert not lanes
    assert sorted(n for _, _, n in out) == list(range(len(pushed)))
    for key in {(tenant, priority) for tenant, priority in pushed}:
        mine = [n for tenant, priority, n in out if (tenant, priority) == key]
        assert mine == sorted(mine)


# -- the client


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        yield it


class Hung:
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.begun = self.ended = 0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        self.begun += 1
        await self.free.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.ended += 1

    async def over(self) -> None:
        self.free.set()
        async with asyncio.timeout(20):
            while self.ended < self.begun:  # noqa: ASYNC110  # within a few turns
                await asyncio.sleep(0)


@pytest.fixture
async def hung(shop: Peer) -> AsyncIterator[Hung]:
    it = Hung()
    shop.answers["/slow"] = it
    yield it
    await it.over()


@pytest.mark.usefixtures("hung")
async def test_a_burst_of_300_slow_requests_leaves_the_pool_alive(shop: Peer) -> None:
    shop.answer("/fast", b"here")
    async with CheckedClient(EgressRules(("127.0.0.1",))) as client:
        asked = [asyncio.create_task(client.request("GET", shop.url + "/slow", timeout_s=0.2)) for _ in range(300)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, WorkError) and each.fault.code == "http_timeout" for each in done)
        assert (await client.request("GET", shop.url + "/fast", timeout_s=20)).body == b"here"


@pytest.mark.usefixtures("hung")
async def test_requests_that_are_cancelled_at_any_moment_leave_the_pool_alive(shop: Peer) -> None:
    shop.answer("/fast", b"here")
    async with CheckedClient(EgressRules(("127.0.0.1",)), connections=4) as client:
        await client.request("GET", shop.url + "/fast")
        for turns in range(40):
            asked = [asyncio.create_task(client.request("GET", shop.url + "/slow", timeout_s=20)) for _ in range(8)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        assert (await client.request("GET", shop.url + "/fast", timeout_s=20)).body == b"here"


async def test_a_stuck_pool_is_replaced(shop: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.answer("/fast", b"here")
    async with CheckedClient(EgressRules(("127.0.0.1",)), connections=2) as client:
        opened = await client._client()
        transport = opened._transport
        pool = transport._pool  # type: ignore[attr-defined]  # ours
        dead = [httpcore.AsyncHTTPConnection(httpcore.Origin(b"http", b"127.0.0.1", 1)) for _ in range(2)]
        pool.connections._connections[:] = dead  # as a burst that was cancelled left them
        assert pool.stuck()
        assert (await client.request("GET", shop.url + "/fast", timeout_s=20)).body == b"here"
        assert client.replaced == 1


async def test_what_was_replaced_stands_in_health_and_doctor(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        health = await app.views.health()
        assert health["egress"] == {"replaced": {"nodes": 0, "notices": 0, "webhooks": 0}}
        assert _egress(health) is None
        app.views.core.egress["nodes"].replaced += 2
        health = await app.views.health()
    for told in (health, {"shards": [health, health | {"egress": {"replaced": {"nodes": 0}}}, {"status": "slow"}]}):
        finding = _egress(told)
        assert finding is not None
        assert finding.seen == "stuck connections were replaced: 2 of nodes"
