"""Paused handlers: a record of each tenant says which, by whom and why, and its past versions who changed it. Every
process of the home follows it, so a pause holds on all shards and after a restart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, NotFound
from aob.core.hint import nearest
from aob.core.policy import Caller
from aob.core.rules import check_followed
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs as verbs
from aob.ports.cluster import Records
from aob.ports.logger import Logger
from aob.runs import Core
from aob.work import Facts

PREFIX: Final = "paused/"
TRIES: Final = 8
CHANGES_SHOWN: Final = 20
log: Final = Logger("aob.work")


class Pause(msgspec.Struct, frozen=True):
    """Who paused a handler, when, and why."""

    by: str
    at_ms: int
    reason: str = ""


class Change(msgspec.Struct, frozen=True):
    """A change of what is paused."""

    handler: str
    paused: bool
    by: str
    reason: str = ""


class PausedOf(msgspec.Struct, frozen=True):
    """The paused handlers of a tenant, and the change that led to them."""

    paused: dict[str, Pause] = {}
    change: Change | None = None


_decode: Final = msgspec.json.Decoder(PausedOf).decode


class PausedHandlers:
    """What is paused, as this process has read it last. `cores` are its running shards."""

    def __init__(self, records: Records, cores: Sequence[Core]) -> None:
        self._records, self._cores = records, cores
        self.of: dict[str, PausedOf] = {}
        """By tenant."""

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """Every paused handler, by tenant and name."""
        return frozenset((tenant, name) for tenant, told in self.of.items() for name in told.paused)

    async def refresh(self) -> None:
        """Read the records again, and tell the shards."""
        found = await self._records.every(PREFIX)
        self.of = {each.name.removeprefix(PREFIX): _decode(each.data) for each in found}
        names = self.names
        for core in self._cores:
            core.dispatch.pause(names)

    async def change(self, who: Caller, change: Change, now_ms: int) -> bool:
        """Pause or resume a handler of the caller's tenant. Returns False when it is so already."""
        name = PREFIX + who.tenant
        for tried in range(TRIES):
            record = await self._records.read(name)
            told = _decode(record.data) if record is not None and record.data else PausedOf()
            if (change.handler in told.paused) == change.paused:
                return False
            paused = {each: pause for each, pause in told.paused.items() if each != change.handler}
            if change.paused:
                paused[change.handler] = Pause(change.by, now_ms, change.reason)
            data = msgspec.json.encode(PausedOf(paused, change))
            try:
                await self._records.write(name, data, record.version if record is not None else 0, change.by)
            except Conflict:
                if tried == TRIES - 1:
                    raise
                continue
            break
        what = "handler_paused" if change.paused else "handler_resumed"
        log.info(what, handler=change.handler, tenant=who.tenant, by=change.by, reason=change.reason)
        await self.refresh()
        return True

    async def changes(self, tenant: str) -> list[JsonObject]:
        """The last changes for a tenant, newest first."""
        past = await self._records.past(PREFIX + tenant)
        found: list[JsonObject] = []
        for record in past[:CHANGES_SHOWN]:
            change = _decode(record.data).change if record.data else None
            if change is not None:
                found.append({"handler": change.handler, "paused": change.paused, "by": change.by,
                              "at": record.at_ms, "reason": change.reason})  # fmt: skip
        return found


class HandlerVerbs:
    """Verbs of handlers. `facts` are those that the home knows, `rules` the newest that all of its processes do."""

    def __init__(
        self, paused: PausedHandlers, facts: Facts, own: Mapping[str, Any],
        workers: Callable[[str], list[JsonObject]], now_ms: Callable[[], int], rules: Callable[[], int],
    ) -> None:  # fmt: skip
        self._rules = rules
        self._paused, self._facts, self._own, self._workers, self._now_ms = paused, facts, own, workers, now_ms

    @performs(verbs.HANDLERS)
    async def handlers(self, who: Caller, args: NoArgs) -> JsonObject:
        """The handlers of the home by name, and the last changes of what is paused."""
        paused = self._paused.of.get(who.tenant, PausedOf()).paused
        workers = [name for worker in self._workers(who.tenant) for name in worker["handlers"]]
        rows: list[JsonObject] = []
        known = self._facts.of(who.tenant)
        for name in sorted(known.keys() | paused.keys()):
            facts, pause = known.get(name), paused.get(name)
            rows.append({
                "handler": name, "effect": facts.effect if facts is not None else "",
                "version": facts.version if facts is not None else "", "here": name in self._own,
                "workers": workers.count(name), "paused": pause is not None,
                **({"by": pause.by, "since": pause.at_ms, "reason": pause.reason} if pause is not None else {}),
            })  # fmt: skip
        return {"handlers": rows, "changes": await self._paused.changes(who.tenant)}

    @performs(verbs.PAUSE)
    async def pause_handler(self, who: Caller, args: verbs.PauseHandler) -> JsonObject:
        """Give out no jobs of a handler until it is resumed. Raises NotFound for a handler that the home does not
        know, and Conflict `members_differ` while a process of an older release would still give them out."""
        check_followed(self._rules(), "what is paused")
        return await self._change(who, Change(args.handler, True, who.name, args.reason))

    @performs(verbs.RESUME)
    async def resume_handler(self, who: Caller, args: verbs.PauseHandler) -> JsonObject:
        """Give out the jobs of a handler again."""
        return await self._change(who, Change(args.handler, False, who.name, args.reason))

    async def _change(self, who: Caller, change: Change) -> JsonObject:
        known = self._facts.of(who.tenant).keys() | self._paused.of.get(who.tenant, PausedOf()).paused.keys()
        if change.handler not in known:
            near = nearest(change.handler, known)
            hint = f"did you mean {near}?" if near else "handlers here: aob handler list"
            raise NotFound(f"there is no handler {change.handler[:80]!r}", code="handler_not_found", hint=hint)
        changed = await self._paused.change(who, change, self._now_ms())
        return {"handler": change.handler, "paused": change.paused, "changed": changed}
