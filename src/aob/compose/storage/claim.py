"""The shards of a database for one process: all of them, by leases that it renews until it ends. Whoever comes second
is told who has them; whoever finds that another has taken them ends. Whoever does not renew in time answers nothing and
begins nothing, for another may have them."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aob.compose.cluster import StoreClock, steady_s, unowned
from aob.core.cluster import Lease, Member, Tenure
from aob.core.errors import AobError, Conflict
from aob.core.rules import RULES
from aob.ports.cluster import Leases
from aob.ports.logger import Logger

LEASE_MS: Final = 10_000
RENEWS: Final = 1 / 3  # the part of a lease after which it is renewed
AGAIN: Final = 1 / 30  # and that after which one that failed is tried again
LOOK_S: Final = 0.1  # how often a lease that may run out is looked at
GONE_S: Final = 60.0  # how long one waits for leases at most, however they change hands

log: Final = Logger("aob.compose")


class Claim:
    """All shards of a cluster. `lost` is called once, with the error of ending, when another process has one. `where`
    is the database, for people."""

    def __init__(
        self, leases: Leases, member: Member, where: str, lease_ms: int = LEASE_MS,
        steady: Callable[[], float] = steady_s,
    ) -> None:  # fmt: skip
        self._leases, self._member, self._where, self._lease_ms = leases, member, where, lease_ms
        self._terms: dict[int, int] = {}
        self._renewing: asyncio.Task[None] | None = None
        self.over: Conflict | None = None
        self._rules = 0
        self.tenure = Tenure(lease_ms / 1_000, steady)
        self.clock = StoreClock(steady, lambda: time.time_ns() // 1_000_000)
        self._steady_s = steady
        self.lost: Callable[[], None] = lambda: None

    async def take(self) -> None:
        """Own every shard. Waits for leases that run out; raises Conflict `home_in_use` where one is renewed: its owner
        lives."""
        now_ms = await self._leases.join(self._member)
        self.clock.told(now_ms, self._steady_s())
        until_s, left = time.monotonic() + GONE_S, dict[int, int]()
        asked_s = self._steady_s()
        while (held := await self._held()) is not None:
            if held.left_ms > left.get(held.shard, held.left_ms) or time.monotonic() > until_s:
                raise self._taken(held)
            left[held.shard] = held.left_ms
            await asyncio.sleep(LOOK_S)
            asked_s = self._steady_s()
            await self._leases.renew(self._member.id)  # neither its membership nor what it has is to run out meanwhile
        self.tenure.renewed(asked_s)
        self._renewing = asyncio.create_task(self._renew(), name="aob-claim")

    async def _held(self) -> Lease | None:
        """A lease of another, or none once all are ours."""
        standing = await self._leases.standing()
        self._rules = standing.rules
        for lease in standing.leases:
            if lease.shard not in self._terms and lease.free_for(self._member.id):
                lease = await self._leases.take(lease.shard, self._member.id)
            if lease.owner != self._member.id:
                return lease
            self._terms[lease.shard] = lease.term
        return None

    def newest_rules(self) -> int:
        """The newest rules number that documents may use, by the last upgrade that was finished."""
        return min(self._rules or RULES, RULES)

    @property
    def acts(self) -> bool:
        """Whether this process may answer and begin something now."""
        return self.tenure.acts

    async def may_act(self) -> bool:
        """The same, as soon as the leases are renewed; False once another has a shard, or in vain for a lease."""
        until_s = self._steady_s() + self._lease_ms / 1_000
        while not self.tenure.acts:
            if self.over is not None or self._steady_s() > until_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def permit(self) -> None:
        """Returns once this process may act. Raises Unavailable `shard_unowned` when it may no more."""
        if not await self.may_act():
            self.check()

    def check(self) -> None:
        """Raises Unavailable `shard_unowned` when this process may not act now."""
        if not self.tenure.acts:
            raise unowned()

    async def _renew(self) -> None:
        pause = RENEWS
        while self.over is None:
            await asyncio.sleep(self._lease_ms * pause / 1_000)
            asked_s, pause = self._steady_s(), AGAIN
            try:
                told = await self._leases.renew(self._member.id)
                self.clock.told(told.now_ms, self._steady_s())
                terms = told.terms
                gone = next((shard for shard, term in self._terms.items() if terms.get(shard) != term), None)
                if gone is not None:
                    leases = {lease.shard: lease for lease in (await self._leases.standing()).leases}
                    self.tenure.lost()
                    self.over = self._taken(leases[gone])
                else:
                    self.tenure.renewed(asked_s)
                    pause = RENEWS
                    if 0 < self._rules < RULES:  # until the upgrade is finished
                        self._rules = (await self._leases.standing()).rules
            except AobError as error:  # the epoch fences whatever another does meanwhile
                log.warning("leases_wait", code=error.code, detail=error.detail)
        log.error("home_taken", detail=self.over.detail)
        self.lost()

    def _taken(self, lease: Lease) -> Conflict:
        by = f"the process at {lease.address}" if lease.address else "another process"
        why = f"{self._where} is in use by {by}, member {lease.owner or lease.heir or 'that has left'}"
        return Conflict(why, code="home_in_use", url=lease.address,
                        hint="talk to it over HTTP, end it, or name another database or schema")  # fmt: skip

    async def close(self) -> None:
        """Give all back. Idempotent."""
        if self._renewing is not None:
            self._renewing.cancel()
        self.tenure.lost()
        try:
            await self._leases.leave(self._member.id)
        except AobError as error:  # they run out by themselves
            log.warning("leases_kept", code=error.code, detail=error.detail)


async def unclaimed(leases: Leases, where: str) -> None:
    """Raises Conflict `home_in_use` while a process has shards of a cluster."""
    held = next((lease for lease in (await leases.standing()).leases if lease.counts), None)
    if held is not None:
        raise Conflict(f"{where} is in use by the process at {held.address}", code="home_in_use", url=held.address,
                       hint="end it first")  # fmt: skip
