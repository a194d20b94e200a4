"""A home whose shards several processes own: what is asked of one run goes straight to its owner, and so do starts once
their names are resolved. Verbs of the home go to its main process, and so does everything where one process has the
whole home. What finds no owner waits for the next one, as long as its caller does."""

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any, Final, Self

import msgspec

from aob.compose.api.members import Members
from aob.compose.api.remote import HOME, Holders, RemoteHome
from aob.compose.api.targets import Targets
from aob.compose.layout import Layout
from aob.compose.network import Peers, RemoteShard
from aob.compose.shards import ShardedViews
from aob.compose.wire import Waiting, encode
from aob.compose.wire.waiting import UNOWNED_S, finds_owner, until
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import CallerError, Refused, Unavailable
from aob.core.policy import Caller
from aob.core.rights import KEPT_BY_ID
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE, ticket_verbs
from aob.core.verbs import run_verbs as verbs
from aob.ports.cluster import Record
from aob.runs import StartTarget

OF_SOME_RUN: Final = (verbs.FOLLOW, ticket_verbs.LIST)
"""Verbs over all runs that may name one: then its owner answers."""
STARTS: Final = (verbs.START, verbs.START_MANY)
UNKNOWN: Final = frozenset(("role_refused", "unknown_verb"))


class EarlierReleaseError(Exception):
    """The main process is of a release that resolves no names for others: it starts runs itself."""


def of_owners(verb: AnyVerb) -> bool:
    """Whether the owners of runs are asked for a verb, always or where it names a run."""
    by_id = verb.answered_by == "holder" and verb.resource in KEPT_BY_ID
    return by_id or verb.answered_by == "run" or verb in (*STARTS, *OF_SOME_RUN)


class DirectHome(RemoteHome):
    """All verbs of the home while it is entered."""

    def __init__(
        self, holders: Holders, peers: Peers, settings: Callable[[Record | None], None] = lambda record: None,
        table: Iterable[AnyVerb] = TABLE,
    ) -> None:  # fmt: skip
        super().__init__(holders, peers, settings, table)
        self._peers = peers
        self._members = Members(holders, peers, self._laid)
        self._views: ShardedViews | None = None
        self._clustered = False
        self._waiting = Waiting()
        self._targets = Targets(self._targets_of)
        own: Any = self
        for verb in table:
            if of_owners(verb):
                setattr(self, verb.name, self._either(verb, getattr(own, verb.name)))

    async def __aenter__(self) -> Self:
        await self._members.__aenter__()
        try:
            await super().__aenter__()
            await self._members.look(HOME)  # from now on somebody answers
            return self
        except BaseException:
            await self._members.__aexit__()
            raise

    async def __aexit__(self, *exc: object) -> None:
        await self._members.__aexit__()
        await super().__aexit__(*exc)

    @property
    def direct(self) -> bool:
        """Whether owners are asked for what is theirs."""
        return self._views is not None

    async def health(self) -> JsonObject:
        """The health of the home. While nobody is its main process this one still serves what other owners have."""
        try:
            return await super().health()
        except Unavailable as error:
            if self._views is None or not finds_owner(error) or not await self._views.answering():
                raise
            return {"status": "ok", "main": error.code, **self.gateway_told()}

    async def resolved(
        self, who: Caller, items: Sequence[JsonValue], known: MutableMapping[str, StartTarget]
    ) -> None:  # fmt: skip
        """Add to `known` what starts refer to."""
        await self._targets.resolved(who, items, known)

    def _laid(self, layout: Layout | None) -> None:
        """The shards are laid out so from now on."""
        self._clustered = layout is not None
        if layout is None or layout.files == 1:
            self._views = None
            return
        shards = [RemoteShard(shard, self._members, self._peers) for shard in range(layout.files)]
        self._views = ShardedViews(self, shards, layout)

    def _either(self, verb: AnyVerb, at_home: Callable[..., Any]) -> Callable[..., Any]:
        """A verb, asked of the owner of its run where that is known."""

        def perform(who: Caller, /, *given: object, **named: object) -> Any:
            views = self._views
            if views is None or (verb in OF_SOME_RUN and verb.args(*given, **named).run_id is None):
                return at_home(who, *given, **named)
            return getattr(views, verb.name)(who, *given, **named)

        async def start(who: Caller, /, *given: object, **named: object) -> Any:
            try:
                return await perform(who, *given, **named)
            except EarlierReleaseError:
                return await at_home(who, *given, **named)

        return start if verb in STARTS else perform

    async def _at_home(self, verb: str, who: Caller | None, args: dict[str, object]) -> Any:
        """The answer of the main process, as soon as there is one."""
        until_s, size = 0.0, 0
        while True:
            try:
                return await super()._at_home(verb, who, args)
            except Unavailable as error:
                if not self._clustered or not finds_owner(error):
                    raise
                until_s, size = until_s or until(UNOWNED_S), size or len(encode(args))
                if not await self._waiting.turn(until_s, size):
                    raise

    async def _targets_of(self, asked: list[tuple[Caller, JsonObject]]) -> str:
        try:
            told: str = await self._at_home("start_targets", None, {"asked": msgspec.to_builtins(asked)})
        except (CallerError, Refused) as error:
            if error.code not in UNKNOWN:
                raise
            raise EarlierReleaseError from error
        return told
