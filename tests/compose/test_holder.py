"""How a member keeps its leases while answers of the store are on their way: a renewal that was asked before a shard
was given up, taken or lost, and whose answer comes after that."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aob.backends.memory.leases import MemoryLeases
from aob.compose.cluster import Held, Holder, StoreClock
from aob.core.cluster import Lease, Member
from aob.core.errors import Unavailable
from aob.ports.cluster import Renewed
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.compose.virtual_time import passes

LEASE_S = 9.0
SHARDS = 2


def now_s() -> float:
    return asyncio.get_running_loop().time()


def virtual(work: Coroutine[Any, Any, None]) -> None:
    run_virtual(VirtualLoop(), work)


class Line(MemoryLeases):
    """Leases whose answers a test holds back, by verb; it counts what was asked."""

    def __init__(self) -> None:
        super().__init__(SHARDS, round(LEASE_S * 1_000), lambda: round(now_s() * 1_000))
        self.held_back = dict[str, asyncio.Event]()
        self.answers_lost = set[str]()
        self.asked = dict[str, int]()
        self.released = list[tuple[int, str]]()

    async def answered(self, verb: str, told: Any) -> Any:
        """What the store has done and said, once it is let through."""
        self.asked[verb] = self.asked.get(verb, 0) + 1
        if (held := self.held_back.get(verb)) is not None:
            await held.wait()
        if verb in self.answers_lost:
            self.answers_lost.discard(verb)
            raise Unavailable("the answer was lost", code="store_away")
        return told

    async def renew(self, member: str) -> Renewed:
        if (late := self.held_back.get(f"ask {member}")) is not None:  # the question itself is on its way
            self.asked[f"ask {member}"] = 1
            await late.wait()
        found: Renewed = await self.answered(f"renew {member}", await super().renew(member))
        return found

    async def take(self, shard: int, member: str) -> Lease:
        found: Lease = await self.answered(f"take {shard} {member}", await super().take(shard, member))
        return found

    async def release(self, shard: int, member: str, heir: str = "") -> bool:
        if await super().release(shard, member, heir):
            self.released.append((shard, heir))
            return True
        return False

    def owners(self) -> list[str]:
        """Who owns each shard."""
        return [lease.owner for lease in self._leases.values()]


class Part:
    """An open shard."""

    fenced = False


class Process:
    """A member, and what its shards went through. Closing one takes `closing_s`."""

    def __init__(self, line: Line, name: str) -> None:
        self.name, self.line, self.closing_s = name, line, 0.0
        self.opened, self.closed = list[int](), list[tuple[int, bool]]()
        self.breaks = set[int]()
        clock = StoreClock(now_s, lambda: round(now_s() * 1_000))
        self.holder: Holder[Part] = Holder(line, Member(name, f"{name}:1"), LEASE_S, self.opens, now_s, clock)

    @asynccontextmanager
    async def opens(self, held: Held[Part]) -> AsyncIterator[Part]:
        self.opened.append(held.lease.shard)
        if held.lease.shard in self.breaks:
            raise Unavailable("it cannot be opened", code="store_away")
        try:
            yield Part()
        finally:
            await passes(self.closing_s)
            self.closed.append((held.lease.shard, held.lost))

    def acts(self) -> list[bool]:
        """Whether it may act for each shard that it has."""
        return [held.tenure.acts for held in self.holder.held.values()]

    async def has(self, *shards: int) -> None:
        """Until it has these shards open."""
        while sorted(shard for shard, held in self.holder.held.items() if held.part is not None) != [*shards]:
            await passes(0.01)


@asynccontextmanager
async def member(line: Line, name: str = "one") -> AsyncIterator[Process]:
    """A process that has all shards."""
    process = Process(line, name)
    async with process.holder:
        await process.has(*range(SHARDS))
        yield process
        line.held_back.clear()


async def asked(line: Line, verb: str) -> None:
    """Until this is asked once more, and its answer is on its way."""
    before = line.asked.get(verb, 0)
    while line.asked.get(verb, 0) == before:
        await passes(0.01)


def test_a_renewal_whose_answer_comes_after_a_shard_was_handed_over_neither_takes_nor_frees_it() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            line.held_back["renew one"] = go_on = asyncio.Event()
            await asked(line, "renew one")
            held = one.holder.held[1]
            held.end("heir")
            while 1 in one.holder.held:
                await passes(0.01)
            assert (line.released, held.tenure.acts) == ([(1, "heir")], False)
            go_on.set()
            await passes(0.01)
            assert not held.tenure.acts, "what is given up stays so"
            assert (await line.standing()).leases[1].heir == "heir", "for a lease nobody else takes it"
            assert (line.released, line.owners(), one.closed) == ([(1, "heir")], ["one", ""], [(1, False)])

    virtual(life())


def test_a_renewal_that_comes_after_a_shard_was_released_in_order_does_not_tell_it_as_lost() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            line.held_back["ask one"] = go_on = asyncio.Event()
            await asked(line, "ask one")
            given = one.holder.held[1]
            given.end("heir")
            while not line.released:
                await passes(0.01)
            go_on.set()
            await asked(line, "renew one")
            await passes(0.01)
            assert (given.lost, one.acts()) == (False, [True])

    virtual(life())


def test_a_renewal_that_tells_of_a_shard_that_is_just_being_taken_does_not_give_it_back() -> None:
    async def life() -> None:
        line = Line()
        one = Process(line, "one")
        line.held_back["take 1 one"] = taken = asyncio.Event()
        async with one.holder:
            await asked(line, "take 1 one")
            await asked(line, "renew one")
            await passes(0.01)
            assert (line.owners(), line.released) == (["one", "one"], [])
            taken.set()
            await one.has(0, 1)
            assert (line.released, one.opened) == ([], [0, 1])

    virtual(life())


def test_a_shard_that_the_store_gave_without_an_answer_is_given_back_at_the_next_renewal() -> None:
    async def life() -> None:
        line = Line()
        line.answers_lost.add("take 1 one")
        one = Process(line, "one")
        async with one.holder:
            await asked(line, "take 1 one")
            await asked(line, "renew one")
            await passes(0.01)
            assert (line.owners(), line.released, one.opened) == (["one", ""], [(1, "")], [0])
            await one.has(0, 1)
            assert one.acts() == [True, True]

    virtual(life())


def test_a_shard_that_another_had_in_between_is_lost_though_its_owner_is_this_member_again() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            held = one.holder.held[1]
            line._leases[1] = Lease(1, "one", "one:1", held.lease.term + 2)
            await asked(line, "renew one")
            await passes(0.01)
            assert (held.lost, held.tenure.acts, one.closed) == (True, False, [(1, True)])

    virtual(life())


@pytest.mark.parametrize("verb", ["renew one", "take 1 one"])
def test_a_lease_counts_from_before_it_was_asked_for_however_late_the_answer(verb: str) -> None:
    async def life() -> None:
        line, late_s = Line(), LEASE_S / 2
        one = Process(line, "one")
        if verb.startswith("take"):
            line.held_back[verb] = go_on = asyncio.Event()
        async with one.holder:
            if verb.startswith("renew"):
                await one.has(0, 1)
                line.held_back[verb] = go_on = asyncio.Event()
            await asked(line, verb)
            asked_s = now_s()
            line.held_back["renew one"] = last = asyncio.Event()
            await passes(late_s)
            go_on.set()
            await passes(0.01)
            assert one.acts() == [True, True]
            await passes(LEASE_S * 2 / 3 - (now_s() - asked_s) + 0.01)
            assert not one.acts()[1]
            last.set()

    virtual(life())


def test_nothing_acts_for_a_shard_from_its_closing_on_and_it_is_released_after_that() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            held = one.holder.held[1]
            one.closing_s = LEASE_S / 10
            held.end("heir")
            await passes(one.closing_s / 2)
            assert line.released == [], "it is being closed"
            await passes(one.closing_s)
            assert (line.released, held.tenure.acts, one.closed) == ([(1, "heir")], False, [(1, False)])

    virtual(life())


def test_one_that_leaves_keeps_its_leases_until_its_shards_are_closed() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            one.closing_s = 3 * LEASE_S
            leaving = asyncio.create_task(one.holder.__aexit__())
            await passes(2 * LEASE_S)
            assert all(lease.counts for lease in (await line.standing()).leases), "nobody may take what still writes"
            await leaving
            assert line.owners() == ["", ""]

    virtual(life())


def test_one_that_leaves_names_who_gets_each_of_its_shards() -> None:
    async def life() -> None:
        line = Line()
        async with member(line):
            await line.join(Member("two", "two:1"))
        assert sorted(line.released) == [(0, "two"), (1, "two")]
        assert [lease.heir for lease in (await line.standing()).leases] == ["two", "two"]

    virtual(life())


def test_what_cannot_be_opened_is_tried_again_after_a_while_and_a_renewal_that_fails_soon() -> None:
    async def life() -> None:
        line = Line()
        one = Process(line, "one")
        one.breaks.add(1)
        async with one.holder:
            await one.has(0)
            while not one.opened.count(1):
                await passes(0.01)
            await passes(LEASE_S)
            assert 3 <= one.opened.count(1) <= 6, "each fifth of a lease, and not at each look"
            one.breaks.clear()
            await one.has(0, 1)
            await asked(line, "renew one")
            line.answers_lost.add("renew one")
            await asked(line, "renew one")
            failed_s = now_s()
            await asked(line, "renew one")
            assert now_s() - failed_s < LEASE_S / 10

    virtual(life())


def test_a_shard_whose_owner_did_not_give_it_up_is_known_to_be_cut_off() -> None:
    async def life() -> None:
        line = Line()
        async with member(line) as one:
            assert not any(held.cut_off for held in one.holder.held.values()), "nobody had them"
        async with member(line, "two") as two:
            assert not any(held.cut_off for held in two.holder.held.values()), "they were handed over"
        await line.join(Member("dies", "dies:1"))
        for shard in range(SHARDS):
            await line.take(shard, "dies")
        async with member(line, "three") as three:
            assert all(held.cut_off for held in three.holder.held.values())

    virtual(life())
