"""What the process that holds a home answers those that serve it: every verb of the table, and the keys by which they
know callers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec
from msgspec.structs import asdict

from aob.compose.network import not_owner
from aob.compose.network.remote import gone
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import CallerError
from aob.core.policy import Caller
from aob.core.verb import AnyVerb, having
from aob.core.verbs import TABLE
from aob.ports.cluster import Record
from aob.runs import StartTarget

LOOK_S: Final = 0.1  # how soon a key that is made or revoked is told
HOME_STREAMS: Final = frozenset(("keyring", "shared_settings", *(verb.name for verb in TABLE if verb.streams)))

Rows = list[tuple[str, Caller]]
Known = dict[str, StartTarget]
Resolves = Callable[[Caller, Sequence[JsonValue], Known], Awaitable[None]]
"""Adds to what is known what starts refer to, by their names."""
_encode_targets: Final = msgspec.json.Encoder().encode


class HomeRoom:
    """Performs verbs for other processes. `rooms` are those of the server of this home, `keys` the active keys, each
    with the hash of its secret, `acts` whether this process still holds it, `answers`
    whether what was begun may still be answered. `resolves` tells what starts refer to where others ask the owners of
    its shards themselves."""

    number = -1

    def __init__(
        self, rooms: Callable[[], tuple[object, ...]], keys: Callable[[], Rows], link_secrets: Sequence[bytes],
        table: Iterable[AnyVerb] = TABLE, acts: Callable[[], bool] = lambda: True,
        settings: Callable[[], Record | None] = lambda: None, resolves: Resolves | None = None,
        answers: Callable[[], bool] | None = None,
    ) -> None:  # fmt: skip
        self._rooms, self._keys, self._link_secrets, self._resolves = rooms, keys, link_secrets, resolves
        self._acts, self._settings, self._answers = acts, settings, answers or acts
        self._verbs = {verb.name: verb for verb in table}

    async def call(self, verb: str, who: Caller | None, *args: object, **named: object) -> Any:
        """Perform a verb, for a caller whom the other process has recognised."""
        self._held()
        answer = await self._perform(verb, who, args, named)
        if not self._answers():  # a process that was away says nothing of what another one holds by now
            raise gone(self.number, verb)
        return answer

    def stream(self, verb: str, who: Caller, *args: object, **named: object) -> AsyncIterator[Any]:
        """Items of a streaming verb; `keyring` gives all keys each time they change, `shared_settings` those."""
        self._held()
        if verb == "keyring":
            return self._keyring()
        if verb == "shared_settings":
            return self._shared_settings()
        room, given = self._meant(verb, who, args, named)
        return self._while_held(getattr(room, verb)(who, **given))

    async def _while_held(self, feed: AsyncGenerator[Any, None]) -> AsyncIterator[Any]:
        async with aclosing(feed):
            async for item in feed:
                self._held()
                yield item

    async def _perform(
        self, verb: str, who: Caller | None, args: tuple[object, ...], named: dict[str, object]
    ) -> Any:  # fmt: skip
        if verb == "link_secrets":
            return list(self._link_secrets)
        if verb == "home_health":
            return await self._room("health").health()
        if verb == "home_metrics_health":
            return await self._room("metrics_health").metrics_health()
        if verb == "start_targets" and self._resolves is not None:
            return await targets_of(self._resolves, *args, **named)
        room, given = self._meant(verb, who, args, named)
        return await getattr(room, verb)(who, **given)

    def _held(self) -> None:
        if not self._acts():
            raise not_owner(self.number)

    def _meant(
        self, verb: str, who: Caller | None, args: tuple[object, ...], named: dict[str, object]
    ) -> tuple[Any, dict[str, object]]:  # fmt: skip
        if verb not in self._verbs or who is None:
            raise CallerError(f"a home has no verb {verb[:64]!r} for others", code="unknown_verb")
        shape: Any = self._verbs[verb].args
        fields = (field.encode_name for field in msgspec.structs.fields(shape))
        given = msgspec.convert({**dict(zip(fields, args, strict=False)), **named}, unbounded(shape))
        return self._room(verb), asdict(given)

    def _room(self, name: str) -> Any:
        found = having((name,), *self._rooms())
        if name not in found:
            raise CallerError(f"this home has no verb {name!r}", code="unknown_verb")
        return found[name]

    async def _shared_settings(self) -> AsyncIterator[list[Record]]:
        """The record of the shared settings, if there is one, now and each time that it changes."""
        told = -1
        while True:
            self._held()
            record = self._settings()
            if told != (version := record.version if record is not None else 0):
                told = version
                yield [record] if record is not None else []
            await asyncio.sleep(LOOK_S)

    async def _keyring(self) -> AsyncIterator[Rows]:
        told: Rows | None = None
        while True:
            self._held()
            if (rows := self._keys()) != told:
                told = rows
                yield rows
            await asyncio.sleep(LOOK_S)


async def targets_of(resolves: Resolves, asked: object = ()) -> str:
    """What each of these pairs of a caller and a start refers to, null where that is nothing: JSON text, so that the
    operations of tags keep their bytes."""
    found: list[StartTarget | None] = []
    for who, item in msgspec.convert(asked, list[tuple[Caller, JsonObject]]):
        known: Known = {}
        await resolves(who, [item], known)
        found.append(next(iter(known.values()), None))
    return _encode_targets(found).decode()


@cache
def unbounded(shape: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The arguments of a verb as a process of the cluster sends them: limits are of callers, and checked where they
    come in. A page, for one, asks for an entry more than a caller may, to know whether another page follows."""
    hints, fields = get_type_hints(shape), msgspec.structs.fields(shape)
    given: Any = msgspec.field
    rows = [
        (each.name, hints[each.name], given(default=each.default, default_factory=each.default_factory))
        for each in fields
    ]
    return msgspec.defstruct(
        shape.__name__, rows, rename={each.name: each.encode_name for each in fields}, kw_only=True, frozen=True
    )
