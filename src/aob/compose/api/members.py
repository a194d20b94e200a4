"""Where the shards of a cluster are, as its members tell: read now and then and when an owner was not found, corrected
by what those that were asked in vain say."""

import asyncio
from collections.abc import Callable
from typing import Final, Self

import msgspec

from aob.compose.api.remote import HOME, Holders
from aob.compose.layout import Layout
from aob.compose.loop import end_tasks
from aob.compose.network import Peers, Route
from aob.compose.network.routes import Routes
from aob.core.errors import AobError, CallerError

READ_S: Final = 1.0
"""How often the members are asked for."""
ALONE_S: Final = 10.0  # the same where one process has the whole home
ANSWER_S: Final = 1.0  # how long the members may take to answer


class MemberTold(msgspec.Struct):
    """A member as another one tells: the shards that it has, and the terms of its leases, in the same order."""

    address: str
    shards: list[int] = []
    terms: list[int] = []
    id: str = ""


class Members(Routes):
    """A `Directory` of all shards while it is entered. `holders` are processes of the home, and learn of new ones;
    `laid` is called with the layout of the shards, and with None where one process has the whole home."""

    def __init__(self, holders: Holders, peers: Peers, laid: Callable[[Layout | None], None]) -> None:
        super().__init__()
        self._holders, self._peers, self._laid = holders, peers, laid
        self._layout: Layout | None = None
        self._alone = False
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.look(HOME)
        self._following = asyncio.create_task(self._follow(), name="aob-members")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._following, self._reading)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(ALONE_S if self._alone else READ_S)
            await self.look(HOME)

    async def _read(self) -> None:
        """Ask all, and believe the first that answers."""
        asked = [asyncio.create_task(self._told_by(each), name="aob-member") for each in self._holders.addresses]
        try:
            async with asyncio.timeout(ANSWER_S):
                for answer in asyncio.as_completed(asked):
                    if await self._taken(answer):
                        break
        except TimeoutError:
            pass  # what is known still counts
        finally:
            self._noted()
            await end_tasks(*asked)

    async def _taken(self, answer: "asyncio.Future[tuple[list[MemberTold], Layout | None]]") -> bool:
        """Whether a process has answered."""
        try:
            members, layout = await answer
        except (CallerError, msgspec.ValidationError):  # one process has the whole home, or its release is old
            self._alone = True
            if self._layout is not None:
                self._layout = None
                self._laid(None)
            return True
        except AobError:
            return False
        self._alone = False
        self._routed(members)
        if layout is None:  # of an earlier release: another member may know it
            return False
        self._holders.knows({each.address: each.id for each in members})
        if layout != self._layout:
            self._layout = layout
            self._laid(layout)
        return True

    def _routed(self, members: list[MemberTold]) -> None:
        """Without a term a word counts only where the owner that was known is no member any more."""
        present = {each.address for each in members}
        for each in members:
            for place, shard in enumerate(each.shards):
                known = self._routes.get(shard)
                if each.terms and (known is None or known.epoch <= each.terms[place]):
                    self._routes[shard] = Route(each.address, each.terms[place])
                elif not each.terms and (known is None or known.address not in present):
                    self._routes[shard] = Route(each.address, 0 if known is None else known.epoch)

    async def _told_by(self, address: str) -> tuple[list[MemberTold], Layout | None]:
        peer = self._peers.of(address)
        if not peer.up:
            await peer.tried()
        told = await peer.call(HOME, "members", None)
        try:
            layout: Layout | None = msgspec.convert(await peer.call(HOME, "layout", None), Layout)
        except CallerError:
            layout = None
        return msgspec.convert(told, list[MemberTold]), layout
