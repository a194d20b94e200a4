"""The feed `org`: the changes of a tenant's organisation, those that were after a position and those to come."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from aob.core.answers import JsonObject
from aob.core.event import Positions
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs.organisation import org_verbs as verbs
from aob.organisation.law import PREFIX
from aob.organisation.organisations import Organisations
from aob.organisation.whole import Happened, Reads, entry_of, own_part

CHANGE = "change"  # the name of each item
Item = tuple[str, str, JsonObject]
"""The position after it, its name, its data."""


class News(Protocol):
    """Commits of one stream for one reader. `missed`: there were too many; the reader reads the stream's history."""

    missed: bool

    async def taken(self) -> Sequence[Happened]:
        """What is new since the last call; waits for it."""


class Feed(Protocol):
    """The commits of this shard."""

    positions: Positions

    def place(self, token: str | None) -> tuple[int, int]:
        """The row and index of a position; None: now. Raises CallerError or Conflict for a foreign one."""

    def news(self, stream: str) -> AbstractContextManager[News]:
        """Commits of one stream from now on."""


class Following:
    """The verb that follows an organisation."""

    def __init__(self, tenants: Organisations, reads: Reads, feed: Feed) -> None:
        self._tenants, self._reads, self._feed = tenants, reads, feed

    @performs(verbs.FOLLOW)
    async def follow_org(self, who: Caller, args: verbs.FollowOrg) -> AsyncIterator[Item]:
        """Changes after a position, or from now on; endless. Without a position the first item has no name and says
        where the feed begins."""
        feed, seq = self._feed, -1
        at = feed.place(own_part(args.position) if args.position else None)
        with feed.news(PREFIX + who.tenant) as news:
            if not args.position:
                yield feed.positions.token(*at), "", {}
            while True:
                news.missed = False
                stream = self._tenants.stream(who.tenant)
                if stream is not None:
                    async for fact in self._reads(stream, seq):
                        seq = fact.seq
                        if (fact.row, fact.index) > at:
                            yield fact.position, CHANGE, dict(entry_of(fact))
                while not news.missed:
                    for fact in await news.taken():
                        if fact.seq > seq:
                            seq = fact.seq
                            if (fact.row, fact.index) > at:
                                yield fact.position, CHANGE, dict(entry_of(fact))
