"""What starts refer to, asked where the workflows are. What is asked while one request is under way goes with the next:
each start gets its tag as it stands after the start came, and any number of starts cost one request at a time."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError
from aob.core.policy import Caller
from aob.runs import StartTarget, names_of

BATCH_MAX: Final = 1_000  # names in one request

Asks = Callable[[list[tuple[Caller, JsonObject]]], Awaitable[str]]
"""Asks the home for the targets of starts, as the verb `start_targets` tells them."""
_targets: Final = msgspec.json.Decoder(list[StartTarget | None]).decode


class Wanted:
    """A name and tag of a tenant, and who waits for what it refers to."""

    def __init__(self, who: Caller, item: JsonObject) -> None:
        self.who, self.item = who, item
        self.target: asyncio.Future[StartTarget | None] = asyncio.get_running_loop().create_future()


class Targets:
    """Resolves the starts of a process."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._wanted: dict[tuple[str, str], Wanted] = {}
        self._asking: asyncio.Task[None] | None = None

    async def resolved(
        self, who: Caller, items: Sequence[JsonValue], known: MutableMapping[str, StartTarget]
    ) -> None:  # fmt: skip
        """Add what these starts refer to, by `names_of`; leave out what refers to nothing. Raises the error of a home
        that cannot be asked."""
        waits: dict[str, Wanted] = {}
        for item in items:
            with suppress(AobError):
                names = names_of(item)
                if names not in known and names not in waits and isinstance(item, dict):
                    waits[names] = self._want(who, names, item)
        for names, wanted in waits.items():
            found = await asyncio.shield(wanted.target)  # others may wait for it too
            if found is not None:
                known[names] = found

    def _want(self, who: Caller, names: str, item: JsonObject) -> Wanted:
        key = (who.tenant, names)
        wanted = self._wanted.get(key)
        if wanted is None:
            named: JsonObject = {name: item[name] for name in ("workflow", "tag") if item.get(name) is not None}
            wanted = self._wanted[key] = Wanted(who, named)
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(), name="aob-targets")
        return wanted

    async def _ask(self) -> None:
        while self._wanted:
            batch = {key: self._wanted[key] for key in islice(self._wanted, BATCH_MAX)}
            for key in batch:
                del self._wanted[key]
            asked = list(batch.values())
            try:
                found = _targets(await self._asks([(each.who, each.item) for each in asked]))
            except BaseException as error:
                for each in asked:
                    each.target.set_exception(error)
                    each.target.exception()  # whoever waited may have gone
                if not isinstance(error, Exception):
                    raise
            else:
                for each, target in zip(asked, found, strict=True):
                    each.target.set_result(target)
