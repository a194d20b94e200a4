"""One member of a cluster: joins, takes its share of the shards, renews its leases, hands shards over one at a time for
balance and all of them when it leaves. It decides by pure rules over what the leases say; `opens` opens a shard."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from aob.compose.cluster.clock import StoreClock
from aob.compose.loop import end_tasks
from aob.core.cluster import Lease, Member, Standing, Tenure, handed_over, next_move, to_take
from aob.core.errors import AobError
from aob.ports.cluster import Leases
from aob.ports.logger import Logger

RENEWS: Final = 1 / 3  # the part of a lease after which it is renewed
AGAIN: Final = 1 / 30  # the part of a lease after which a renewal that failed is tried again
LOOKS: Final = 1 / 20  # the part of a lease after which the standing is read again
OPENS_AGAIN: Final = 1 / 5  # the part of a lease after which a shard that could not be opened is tried again

log: Final = Logger("aob.cluster")


class Part(Protocol):
    """An open shard."""

    @property
    def fenced(self) -> bool:
        """Whether it has ended by itself: another process took it, or its journal stopped."""


P = TypeVar("P", bound=Part)


class Held(Generic[P]):
    """A shard that this member has a lease of. `part` is there once it is open. It is given up once `over` is set: to
    the `heir`, or, if it is `lost`, without a word: another may own it already. `cut_off`: the owner before
    did not give it up."""

    def __init__(self, lease: Lease, tenure: Tenure, cut_off: bool = False) -> None:
        self.lease, self.tenure, self.cut_off = lease, tenure, cut_off
        self.part: P | None = None
        self.over = asyncio.Event()
        self.lost, self.heir = False, ""
        self.task: asyncio.Task[None] | None = None

    def end(self, heir: str = "") -> None:
        """Give it up, in order."""
        if not self.over.is_set():
            self.heir = heir
            self.over.set()

    def lose(self) -> None:
        """It is not ours any more."""
        self.tenure.lost()
        self.lost = True
        self.over.set()


Opens = Callable[[Held[P]], AbstractAsyncContextManager[P]]
"""Opens a shard until it is left; leaves it fast when it is lost."""


class Holder(Generic[P]):
    """Enter it to be a member, leave it to hand all over. `told` is called with each new standing."""

    def __init__(
        self, leases: Leases, member: Member, lease_s: float, opens: Opens[P], steady_s: Callable[[], float],
        clock: StoreClock, told: Callable[[Standing], None] = lambda standing: None,
    ) -> None:  # fmt: skip
        self.member, self.held = member, dict[int, Held[P]]()
        self.clock = clock
        self._leases, self._lease_s, self._opens, self._steady_s, self._told = leases, lease_s, opens, steady_s, told
        self.standing_s = 0.0
        """When the standing was last read; 0 before the first time."""
        self._taking: set[int] = set()
        self._after: dict[int, float] = {}  # when a shard that could not be opened is tried again
        self._tasks: list[asyncio.Task[None]] = []
        self._works: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Holder[P]":
        await self._join()
        self._tasks = [
            asyncio.create_task(self._for_ever(self._renewed, RENEWS), name="aob-lease-renews"),
            asyncio.create_task(self._for_ever(self._looked, LOOKS), name="aob-lease-looks"),
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        renewing, looking = self._tasks
        await end_tasks(looking, *self._works)
        self.member = msgspec.structs.replace(self.member, leaving=True)
        heirs: dict[int, str] = {}
        with suppress(AobError):
            await self._join()
            heirs = dict(handed_over(await self._leases.standing(), self.member.id))
        ending = [held.task for held in self.held.values() if held.task is not None]
        for shard, held in self.held.items():
            held.end(heirs.get(shard, ""))
        await asyncio.gather(*ending, return_exceptions=True)
        with suppress(AobError):
            await self._leases.leave(self.member.id)
        await end_tasks(renewing)

    async def says(self, member: Member) -> None:
        """Tell the others something new of this member."""
        self.member = member
        await self._join()

    async def _join(self) -> None:
        now_ms = await self._leases.join(self.member)
        self.clock.told(now_ms, self._steady_s())

    async def _for_ever(self, turn: Callable[[], Awaitable[None]], part: float) -> None:
        while True:
            pause = part
            try:
                await turn()
            except AobError as error:
                log.warning("leases_wait", code=error.code, detail=error.detail)
                pause = min(part, AGAIN)
            except Exception as error:  # a bug: without renewals every shard would be lost
                log.error("leases_broke", exc_info=error)
            await asyncio.sleep(self._lease_s * pause)

    # -- renewing ---------------------------------------------------------------------------------------------------

    async def _renewed(self) -> None:
        asked_s, before = self._steady_s(), list(self.held.items())
        told = await self._leases.renew(self.member.id)
        self.clock.told(told.now_ms, self._steady_s())
        for shard, held in before:
            if told.terms.get(shard) == held.lease.term:
                held.tenure.renewed(asked_s)
            elif not held.lost and self.held.get(shard) is held:  # else it was given up since
                log.error("lease_lost", shard=shard, term=held.lease.term)
                held.lose()
        for shard in told.terms.keys() - self.held.keys() - self._taking:
            await self._leases.release(shard, self.member.id)  # what took it, or gave it up, did not hear of it

    # -- taking and moving ------------------------------------------------------------------------------------------

    async def _looked(self) -> None:
        standing = await self._leases.standing()
        if all(member.id != self.member.id for member in standing.members):
            await self._join()
            return
        self._told(standing)
        self.standing_s = now_s = self._steady_s()
        for held in self.held.values():
            if held.part is not None and held.part.fenced and not held.over.is_set():
                log.error("shard_fenced", shard=held.lease.shard, term=held.lease.term)
                held.tenure.lost()
                held.lost = True
                held.over.set()
        owners = {lease.shard: lease.owner for lease in standing.leases}
        for shard in to_take(standing, self.member.id):
            if shard not in self.held and shard not in self._taking and self._after.get(shard, 0.0) <= now_s:
                self._taking.add(shard)
                task = asyncio.create_task(self._take(shard, owners[shard]), name=f"aob-lease-take-{shard}")
                self._works.add(task)
                task.add_done_callback(self._works.discard)
        move = next_move(standing)
        if move is not None and move[1] == self.member.id and move[0] in self.held:
            self.held[move[0]].end(move[2])

    async def _take(self, shard: int, before: str) -> None:
        try:
            asked_s = self._steady_s()
            lease = await self._leases.take(shard, self.member.id)
            if lease.owner != self.member.id:
                return
            tenure = Tenure(self._lease_s, self._steady_s)
            held = Held[P](lease, tenure, cut_off=before not in ("", self.member.id))
            held.tenure.renewed(asked_s)
            self.held[shard] = held
            held.task = asyncio.create_task(self._own(held), name=f"aob-shard-{shard}")
        except AobError as error:
            log.warning("lease_not_taken", shard=shard, code=error.code, detail=error.detail)
        finally:
            self._taking.discard(shard)

    async def _own(self, held: Held[P]) -> None:
        """The life of a shard here, from its opening until another may take it."""
        shard = held.lease.shard
        log.info("shard_taken", shard=shard, term=held.lease.term)
        try:
            async with self._opens(held) as held.part:
                await held.over.wait()
        except Exception as error:
            known = error if isinstance(error, AobError) else None
            log.error("shard_broke", shard=shard, code=known.code if known else "", exc_info=None if known else error,
                      detail=known.detail if known else str(error))  # fmt: skip
            self._after[shard] = self._steady_s() + OPENS_AGAIN * self._lease_s
        finally:
            held.tenure.lost()
            self.held.pop(shard, None)
        log.info("shard_given_up", shard=shard, lost=held.lost, heir=held.heir)
        with suppress(AobError):  # else the next renewal gives it back
            await self._leases.release(shard, self.member.id, held.heir)
