"""All shards of a database for one process, by leases: one that did not renew in time answers and begins nothing."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aob.backends.memory.leases import MemoryLeases
from aob.compose.cluster import Door
from aob.compose.storage import Claim
from aob.core.cluster import Member
from aob.core.errors import Unavailable
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.compose.virtual_time import passes

SHARDS = 3
LEASE_S = 6.0


def now_s() -> float:
    return asyncio.get_running_loop().time()


class Line(MemoryLeases):
    """Leases that the first process may not reach."""

    away = False

    async def renew(self, member: str) -> Any:
        if self.away and member == "one":
            raise Unavailable("away", code="store_away")
        return await super().renew(member)


def leases() -> Line:
    return Line(SHARDS, round(LEASE_S * 1_000), lambda: round(now_s() * 1_000))


@asynccontextmanager
async def held(shared: MemoryLeases, name: str) -> AsyncIterator[Claim]:
    """All shards, as a process of this name has them."""
    claim = Claim(shared, Member(name, f"{name}:1"), "the database", round(LEASE_S * 1_000), now_s)
    await claim.take()
    try:
        yield claim
    finally:
        await claim.close()


def virtual(work: Coroutine[Any, Any, None]) -> None:
    run_virtual(VirtualLoop(), work)


def test_it_acts_as_long_as_it_renews_and_gives_all_back() -> None:
    async def life() -> None:
        shared = leases()
        async with held(shared, "one") as claim:
            for _ in range(40):
                await passes(LEASE_S / 7)
                assert claim.acts
                assert [each.owner for each in (await shared.standing()).leases] == ["one"] * SHARDS
        assert not claim.acts
        assert not any(each.counts for each in (await shared.standing()).leases)

    virtual(life())


def test_another_waits_for_the_whole_lease_of_one_that_died() -> None:
    async def life() -> None:
        shared = leases()
        await shared.join(Member("one", "one:1"))
        for shard in range(SHARDS):
            await shared.take(shard, "one")
        died_s = now_s()
        async with held(shared, "two") as claim:
            assert LEASE_S <= now_s() - died_s < 1.2 * LEASE_S
            assert claim.acts

    virtual(life())


def test_of_several_that_come_one_gets_all_and_the_others_are_told() -> None:
    async def life() -> None:
        shared, holding = leases(), list[str]()

        async def tries(name: str) -> None:
            async with held(shared, name) as claim:
                holding.append(name)
                await passes(3 * LEASE_S)
                assert claim.acts

        done = await asyncio.gather(*(tries(name) for name in ("one", "two", "three")), return_exceptions=True)
        assert len(holding) == 1
        assert sorted(type(each).__name__ for each in done) == ["Conflict", "Conflict", "NoneType"]

    virtual(life())


def test_without_renewals_it_acts_for_two_thirds_and_goes_on_when_nobody_took_it() -> None:
    async def life() -> None:
        shared = leases()
        async with held(shared, "one") as claim:
            await passes(LEASE_S)
            shared.away, away_s = True, now_s()
            for _ in range(10_000):
                if not claim.acts:
                    break
                await passes(0.01)
            assert now_s() - away_s < LEASE_S * 2 / 3
            with pytest.raises(Unavailable):
                claim.check()
            await passes(5 * LEASE_S)
            shared.away = False
            assert await claim.may_act()
            assert claim.over is None

    virtual(life())


def test_it_acts_from_before_it_asked_however_late_the_answer_to_its_first_question_is() -> None:
    class Slow(Line):
        async def standing(self) -> Any:
            found = await super().standing()
            await passes(LEASE_S / 2)
            return found

    async def life() -> None:
        shared = Slow(SHARDS, round(LEASE_S * 1_000), lambda: round(now_s() * 1_000))
        shared.away, asked_s = True, now_s()
        async with held(shared, "one") as claim:
            assert claim.acts
            await passes(asked_s + LEASE_S * 2 / 3 + 0.01 - now_s())
            assert not claim.acts

    virtual(life())


def test_one_that_was_away_for_too_long_learns_that_it_is_lost() -> None:
    async def life() -> None:
        shared = leases()
        async with held(shared, "one") as claim:
            shared.away = True
            async with held(shared, "two") as other:
                shared.away = False
                await passes(LEASE_S)
                assert claim.over is not None
                assert not await claim.may_act()
                assert other.acts

    virtual(life())


class Served:
    """An application that answers in two messages, and what came of it."""

    def __init__(self) -> None:
        self.sent = list[Any]()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.go_on.wait()
        await send({"type": "http.response.body", "body": b"here"})

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def statuses(self) -> list[int]:
        return [message["status"] for message in self.sent if "status" in message]


async def nothing() -> None:
    """No request has a body."""


def test_nothing_leaves_the_door_while_another_may_own_the_home() -> None:
    async def life() -> None:
        shared, scope = leases(), {"type": "http", "path": "/v1/runs"}
        async with held(shared, "one") as claim:
            served = Served()
            served.go_on.set()
            await Door(served, claim)(scope, nothing, served.send)
            assert (served.statuses(), len(served.sent)) == ([200], 2)

            shared.away = True
            await passes(LEASE_S)
            waiting, begun = Served(), now_s()
            waiting.go_on.set()
            asked = asyncio.create_task(Door(waiting, claim)(scope, nothing, waiting.send))
            await passes(LEASE_S / 3)
            assert waiting.sent == []
            shared.away = False
            await asked
            assert (waiting.statuses(), now_s() > begun) == ([200], True)

            stream = Served()
            streaming = asyncio.create_task(Door(stream, claim)(scope, nothing, stream.send))
            await passes(0.01)
            shared.away = True
            async with held(shared, "two"):
                shared.away = False
                stream.go_on.set()
                with pytest.raises(ConnectionAbortedError):
                    await streaming
                assert len(stream.sent) == 1, "what had begun is cut off"
                late, live = Served(), Served()
                late.go_on.set()
                live.go_on.set()
                await Door(late, claim)(scope, nothing, late.send)
                assert late.statuses() == [503]
                await Door(live, claim)({"type": "http", "path": "/health/live"}, nothing, live.send)
                assert live.statuses() == [200]

    virtual(life())
