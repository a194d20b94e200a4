"""The organisation of a tenant as a whole, as it is and as it was: made again of its events."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from msgspec import to_builtins

from aob.core.answers import JsonObject
from aob.core.duration import parse_duration
from aob.core.errors import CallerError, Invalid, Problem, Unavailable
from aob.core.event import WHOLE, Position
from aob.core.instant import MS_MAX, ms_of
from aob.core.organisation import answers, evolve, names, overview
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation import state as declared
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs.organisation import org_verbs as verbs
from aob.journal import Stream
from aob.organisation.agents import Types
from aob.organisation.organisations import Organisations
from aob.organisation.records import GroupedTopics

WINDOW: Final = 256  # events that are read at once for a page of the newest
SPAN_CHARS_MAX: Final = 20  # of "so long ago"; a position is longer
HIDDEN: Final = frozenset({"by", "key", "at_ms", "definition", "deployment", "topic", "agent", "namespace"})
"""Fields that an entry says elsewhere, or otherwise; a definition is shown with its agent."""


class Happened(Protocol):
    """One committed event of a stream with its place."""

    row: int
    index: int
    at_ms: int
    seq: int
    event: Any

    @property
    def position(self) -> str:
        """The token after this event."""


Reads = Callable[[Stream, int], AsyncIterator[Happened]]
"""The committed events of a stream after a sequence number."""
PlaceOf = Callable[[str], tuple[int, int]]
"""The row and index of a position of this shard. Raises CallerError or Conflict for a foreign one."""


class _Until:
    """An instant: a time in ms, or a place in the journal."""

    def __init__(self, at_ms: int = MS_MAX, place: tuple[int, int] = (WHOLE, WHOLE)) -> None:
        self.at_ms, self.place = at_ms, place

    def has(self, fact: Happened) -> bool:
        """Whether an event had happened by then."""
        return fact.at_ms <= self.at_ms and (fact.row, fact.index) <= self.place


class Whole:
    """The verbs of an organisation as a whole."""

    def __init__(
        self, tenants: Organisations, types: Types, reads: Reads, place_of: PlaceOf, topics: GroupedTopics
    ) -> None:  # fmt: skip
        self._tenants, self._types, self._reads, self._place_of = tenants, types, reads, place_of
        self._topics = topics

    @performs(verbs.SHOW)
    async def org(self, who: Caller, args: verbs.ShowOrg) -> answers.OrgView:
        """All that a tenant has declared. Raises Invalid `bad_instant`, CallerError `bad_position`."""
        state, last, count = await self._as_of(who.tenant, self._until(args.as_of, "as_of"))
        known = {*names.FEEDS, *self._types(who.tenant)}
        groups: dict[str, set[str]] = {}
        for mark in () if args.as_of else await self._topics.marks(who.tenant):
            groups.setdefault(mark.group, set()).add(mark.topic)
        return {
            "at": last.at_ms if last is not None else 0, "events": count,
            "position": last.position if last is not None else "",
            "namespaces": overview.namespace_rows(state),
            "topics": [overview.topic_row(each) for _, each in sorted(state.topics.items())],
            "agents": [overview.agent_row(each) for _, each in sorted(state.agents.items())],
            "orphans": overview.orphans(state, known, groups),
        }  # fmt: skip

    @performs(verbs.HISTORY)
    async def org_history(self, who: Caller, args: verbs.ListChanges) -> answers.OrgHistory:
        """A page of changes, newest first."""
        until = self._until(args.as_of, "as_of")
        await self._tenants.settled(who.tenant)
        stream = self._tenants.stream(who.tenant)
        end = stream.seq if stream is not None else 0
        if args.before:
            if not args.before.isascii() or not args.before.isdecimal():
                raise CallerError(f"{args.before[:40]!r} is no cursor of changes", code="bad_cursor",
                                  hint="take it from `next` of the page before")  # fmt: skip
            end = min(end, int(args.before))
        found: list[answers.OrgEntry] = []
        while stream is not None and end > 0 and len(found) < args.limit:
            begin = max(0, end - WINDOW)
            for fact in reversed(await self._between(stream, begin, end)):
                end = fact.seq
                if until.has(fact) and _is_about(fact, args.name):
                    found.append(entry_of(fact))
                if len(found) >= args.limit:
                    break
        return {"entries": found, "next": str(end) if end > 0 else None}

    async def _between(self, stream: Stream, begin: int, end: int) -> list[Happened]:
        facts: list[Happened] = []
        async for fact in self._reads(stream, begin - 1):
            if fact.seq >= end:
                break
            facts.append(fact)
        return facts

    @performs(verbs.DIFF)
    async def org_diff(self, who: Caller, args: verbs.DiffOrg) -> answers.OrgDiff:
        """What changed between two instants."""
        since, until = self._until(args.since, "from"), self._until(args.until, "to")
        before, first, _ = await self._as_of(who.tenant, since)
        after, last, _ = await self._as_of(who.tenant, until)
        return {
            "since": first.at_ms if first is not None else 0, "until": last.at_ms if last is not None else 0,
            "changes": overview.difference(before, after),
        }  # fmt: skip

    @performs(verbs.SET_NAMESPACE)
    async def set_namespace(self, who: Caller, args: verbs.SetNamespace) -> answers.NamespaceView:
        """Set quotas. Raises Invalid `bad_name`, TooLarge `quota`."""
        if not names.is_namespace(args.namespace):
            why, hint = f"{args.namespace[:80]!r} is not the name of a namespace", "default, or two parts: acme.support"
            raise Invalid(why, [Problem("/namespace", why, "bad_name", hint=hint)], code="bad_name", hint=hint)
        asked = cmd.SetNamespace(who.name, who.id, args.namespace, args.topics, args.agents, args.instances)
        rows = (await self._tenants.ask(who, asked, overview.namespace_rows)).said
        found: answers.NamespaceView = next(each for each in rows if each["namespace"] == args.namespace)
        return found

    async def _as_of(self, tenant: str, until: _Until) -> tuple[declared.Organisation, Happened | None, int]:
        """The organisation at an instant, the last event in it, and how many there are. Raises Unavailable
        `history_unreadable` for an event that this release cannot read."""
        await self._tenants.settled(tenant)
        state, last, count = declared.Organisation(), None, 0
        stream = self._tenants.stream(tenant)
        if stream is not None:
            async for fact in self._reads(stream, -1):
                if not until.has(fact):
                    break
                if not isinstance(fact.event, ev.OrganisationEvent):
                    raise Unavailable(f"event {fact.seq} of the organisation cannot be read: {fact.event}",
                                      code="history_unreadable", hint="aob doctor says what is damaged")  # fmt: skip
                evolve(state, (fact.event,))
                last, count = fact, fact.seq + 1
        return state, last, count

    def _until(self, text: str, name: str) -> _Until:
        """The instant that a text means; empty: now. Raises Invalid `bad_instant`, CallerError `bad_position`."""
        if not text:
            return _Until()
        if text.isascii() and text.isdecimal():
            return _Until(int(text))
        if text[:1].isdecimal() and text[-1:].isalpha() and len(text) <= SPAN_CHARS_MAX:
            with suppress(ValueError):  # a position may look so
                return _Until(self._tenants.now_ms - parse_duration(text))
        if "-" in text[:5] and ":" in text:
            try:
                return _Until(ms_of(text))
            except ValueError as error:
                raise Invalid(f"{name} is no instant", [Problem(f"?{name}", str(error), "bad_instant")],
                              code="bad_instant") from error  # fmt: skip
        return _Until(place=self._place_of(own_part(text)))


def own_part(position: str) -> str:
    """The part of a position that is of the home's own streams, which are in the first shard. Raises CallerError
    `bad_position`."""
    rows = Position.parse(position).rows
    return Position.split(position, len(rows))[0] if len(rows) > 1 else position


def _is_about(fact: Happened, name: str) -> bool:
    """Whether an event is about what has this name; one that cannot be read may be."""
    return not isinstance(fact.event, ev.OrganisationEvent) or name in ("", ev.subject_of(fact.event))


def entry_of(fact: Happened) -> answers.OrgEntry:
    """A change for people and tools."""
    event = fact.event
    if not isinstance(event, ev.OrganisationEvent):
        return {
            "seq": fact.seq, "position": fact.position, "at": fact.at_ms, "type": "unreadable", "by": "", "key": "",
            "name": "", "data": {"reason": str(event)},
        }  # fmt: skip
    data: JsonObject = {
        name: to_builtins(getattr(event, name)) for name in event.__struct_fields__ if name not in HIDDEN
    }  # fmt: skip
    if isinstance(event, ev.AgentDeployed):
        data |= overview.keys_of(event.deployment)
    return {
        "seq": fact.seq, "position": fact.position, "at": fact.at_ms, "type": ev.type_of(event), "by": event.by,
        "key": event.key, "name": ev.subject_of(event), "data": data,
    }  # fmt: skip
