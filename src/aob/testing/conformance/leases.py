"""Tests for every `Leases`: one owner at a time, by the clock of the store."""

import asyncio

import pytest

from aob.core.cluster import Lease, Member, Standing
from aob.core.errors import Conflict, NotFound
from aob.core.rules import RULES
from aob.ports.cluster import FORGOTTEN, Leases

SHARDS = 4
LEASE_MS = 600
ONE, TWO, THREE = (Member(name, f"{name}:1", "1.2", RULES) for name in ("one", "two", "three"))


class LeasesSuite:
    """The contract of `aob.ports.cluster.Leases`, of `SHARDS` shards with a lease of `LEASE_MS`."""

    lease_ms = LEASE_MS

    async def make(self) -> Leases:
        """New leases of nobody."""
        raise NotImplementedError

    async def another(self, leases: Leases) -> Leases:
        """The same, as another process reaches them."""
        return leases

    async def advance(self, ms: int) -> None:
        """Advance the clock of the store, or wait that long."""
        raise NotImplementedError

    @pytest.fixture
    async def leases(self) -> Leases:
        made = await self.make()
        for member in (ONE, TWO):
            await made.join(member)
        return made

    async def lease(self, leases: Leases, shard: int) -> Lease:
        return (await leases.standing()).leases[shard]

    async def over(self) -> None:
        """All leases that were not renewed are over."""
        await self.advance(self.lease_ms + 1)

    async def test_at_first_nobody_owns_anything(self) -> None:
        standing: Standing = await (await self.make()).standing()
        assert list(standing.members) == []
        assert [lease.shard for lease in standing.leases] == list(range(SHARDS))
        assert not any(lease.counts or lease.left_ms or lease.term for lease in standing.leases)

    async def test_a_member_is_listed_as_it_said_until_its_time_is_over(self, leases: Leases) -> None:
        assert list((await leases.standing()).members) == [ONE, TWO]
        leaving = Member(ONE.id, "elsewhere:2", "1.3", RULES, True, ("coordinator", "metrics"), "elsewhere:3")
        await leases.join(leaving)
        assert list((await leases.standing()).members) == [leaving, TWO]
        await self.over()
        assert list((await leases.standing()).members) == []

    async def test_what_is_taken_belongs_to_one(self, leases: Leases) -> None:
        other = await self.another(leases)
        taken = await leases.take(1, "one")
        assert (taken.owner, taken.address, taken.term) == ("one", ONE.address, 1)
        assert taken.counts
        refused = await other.take(1, "two")
        assert (refused.owner, refused.term) == ("one", 1)
        seen = await self.lease(other, 1)
        assert (seen.owner, seen.term, seen.counts) == ("one", 1, True)
        assert 0 < seen.left_ms <= self.lease_ms

    async def test_of_many_that_try_one_gets_it(self, leases: Leases) -> None:
        await leases.join(THREE)
        ways = [leases, await self.another(leases), await self.another(leases)]
        for shard in range(SHARDS):
            tries = (way.take(shard, name) for way, name in zip(ways, ("one", "two", "three"), strict=True))
            found = await asyncio.gather(*tries)
            assert len({(lease.owner, lease.term) for lease in found}) == 1
            assert found[0].term == 1

    async def test_its_own_may_be_taken_again_and_the_term_grows(self, leases: Leases) -> None:
        assert (await leases.take(0, "one")).term == 1
        assert (await leases.take(0, "one")).term == 2

    async def test_another_takes_it_when_the_whole_lease_is_over_and_not_before(self, leases: Leases) -> None:
        await leases.take(2, "one")
        await self.advance(self.lease_ms // 2)
        await leases.renew("two")
        assert (await leases.take(2, "two")).owner == "one"
        await self.advance(self.lease_ms // 2 + 1)
        taken = await leases.take(2, "two")
        assert (taken.owner, taken.address, taken.term) == ("two", TWO.address, 2)
        assert (await leases.renew("one")).terms == {}

    async def test_a_renewal_prolongs_all_of_a_member_and_nothing_else(self, leases: Leases) -> None:
        for shard, member in ((0, "one"), (1, "one"), (2, "two")):
            await leases.take(shard, member)
        await self.advance(self.lease_ms * 2 // 3)
        renewed = await leases.renew("one")
        assert renewed.terms == {0: 1, 1: 1}
        await self.advance(self.lease_ms // 2)
        standing = await leases.standing()
        assert [lease.counts for lease in standing.leases] == [True, True, False, False]
        assert [member.id for member in standing.members] == ["one"]
        assert renewed.now_ms <= standing.now_ms

    async def test_one_whose_time_is_over_and_whose_shards_nobody_took_goes_on(self, leases: Leases) -> None:
        await leases.take(3, "one")
        await self.over()
        assert not (await self.lease(leases, 3)).counts
        assert (await leases.renew("one")).terms == {3: 1}
        assert (await self.lease(leases, 3)).counts

    async def test_what_is_released_to_an_heir_is_its_at_once_and_nobody_elses(self, leases: Leases) -> None:
        await leases.join(THREE)
        await leases.take(1, "one")
        assert await leases.release(1, "one", "two")
        assert not await leases.release(1, "one", "three"), "it is not its own any more"
        assert (await leases.renew("one")).terms == {}
        assert (await leases.take(1, "three")).owner == ""
        taken = await leases.take(1, "two")
        assert (taken.owner, taken.term, taken.heir) == ("two", 2, "")

    async def test_an_heir_that_does_not_come_is_awaited_for_a_lease(self, leases: Leases) -> None:
        await leases.take(1, "one")
        await leases.release(1, "one", "two")
        await self.advance(self.lease_ms // 2)
        await leases.renew("one")
        assert (await leases.take(1, "one")).owner == ""
        await self.advance(self.lease_ms // 2 + 1)
        assert (await leases.take(1, "one")).owner == "one"

    async def test_what_is_released_to_nobody_is_anybodys(self, leases: Leases) -> None:
        await leases.take(1, "one")
        assert await leases.release(1, "one")
        assert (await leases.take(1, "two")).owner == "two"

    async def test_nobody_releases_what_is_anothers(self, leases: Leases) -> None:
        await leases.take(1, "one")
        assert not await leases.release(1, "two")
        assert (await self.lease(leases, 1)).owner == "one"

    async def test_one_that_leaves_is_gone_with_its_leases(self, leases: Leases) -> None:
        await leases.take(1, "one")
        await leases.leave("one")
        await leases.leave("one")
        assert [member.id for member in (await leases.standing()).members] == ["two"]
        assert (await leases.renew("one")).terms == {}
        assert (await leases.take(1, "two")).owner == "two"

    async def test_only_a_member_takes_and_only_what_there_is(self, leases: Leases) -> None:
        with pytest.raises(Conflict) as refused:
            await leases.take(0, "nobody")
        assert refused.value.code == "no_member"
        with pytest.raises(NotFound) as missing:
            await leases.take(SHARDS, "one")
        assert missing.value.code == "no_shard"
        await self.over()
        with pytest.raises(Conflict):
            await leases.take(0, "one")

    async def test_one_that_was_away_for_many_leases_is_forgotten(self, leases: Leases) -> None:
        await leases.take(0, "one")
        await self.advance((FORGOTTEN + 1) * self.lease_ms)
        await leases.join(THREE)
        assert (await leases.renew("one")).terms == {}
        assert [member.id for member in (await leases.standing()).members] == ["three"]
