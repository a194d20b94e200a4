"""Lists of runs: a page of heads, read from the store or, where the settings name one, from its replica; then it says
how far that has come. A replica that cannot be read is told, and the store is read."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from aob.core.answers import JsonObject, ReadFrom
from aob.core.errors import CallerError, Unavailable
from aob.core.policy import Caller
from aob.core.verbs import run_verbs as verbs
from aob.ports.store import Head, HeadQuery, ListedFrom
from aob.runs import Core

LIST_MAX: Final = 500
_CURSOR: Final = re.compile(r"(\d{1,16})\.(run_[A-Za-z0-9]{1,60})")
Place = tuple[int, str]


class Heads(Protocol):
    """What lists are read from."""

    async def heads(self, query: HeadQuery) -> list[Head]:
        """Heads, newest first."""


async def listed(core: Core, who: Caller, args: verbs.ListRuns, position: Callable[[], str]) -> JsonObject:
    """A page of runs, newest first. `position` is that up to which the store has everything."""
    before = _place(args.cursor) if args.cursor is not None else None
    if core.lists is None:
        return _page(await _found(core.store, who, args, before), args.limit, position(), None)
    source = await core.lists.lists()
    if source.store is not None:
        try:
            found = await _found(source.store, who, args, before)
        except Unavailable as error:
            source = ListedFrom(None, 0, None, core.lists.failed(error))
        else:
            at = core.feed.positions.token(min(source.row, core.journal.durable_row))
            return _page(found, args.limit, at, {"source": "replica", "replayed_at": source.replayed_ms})
    found = await _found(core.store, who, args, before)
    return _page(found, args.limit, position(), {"source": "store", "why": source.why})


async def _found(store: Heads, who: Caller, args: verbs.ListRuns, before: Place | None) -> list[Head]:
    """One head more than a page has, if there are so many."""
    found: list[Head] = []
    last, size = False, LIST_MAX if args.labels else args.limit + 1
    while len(found) <= args.limit and not last:
        query = HeadQuery("run", who.tenant, (args.status or "").upper(), args.workflow or "", before, size)
        page = await store.heads(query)
        last = len(page) < size
        before = (page[-1].started_ms, page[-1].stream) if page else before
        found.extend(head for head in page if _has(head, args.labels))
    return found


def _page(found: Sequence[Head], limit: int, as_of: str, read: ReadFrom | None) -> JsonObject:
    rows = [_row(head) for head in found[:limit]]
    told: JsonObject = {"runs": rows, "next": next_page(rows) if len(found) > limit else None, "as_of": as_of}
    return told if read is None else {**told, "read": read}


def read_from(pages: Sequence[JsonObject]) -> JsonObject:
    """Where the pages of several shards were read together: from replicas if all were, and the one furthest behind."""
    told: list[ReadFrom] = [page["read"] for page in pages if "read" in page]
    if not told:
        return {}
    if any(each["source"] == "store" for each in told) or len(told) < len(pages):
        return {"read": {"source": "store", "why": next((each["why"] for each in told if "why" in each), "")}}
    times = [each.get("replayed_at") for each in told]
    at = None if None in times else min(time for time in times if time is not None)
    return {"read": {"source": "replica", "replayed_at": at}}


def next_page(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The cursor of the next page of a list of runs."""
    return f"{rows[-1]['started_at']}.{rows[-1]['run_id']}" if rows else None


def _place(cursor: str) -> tuple[int, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise CallerError(f"{cursor[:40]!r} is no cursor", code="bad_cursor", hint="pass `next` of the page before")
    return int(found[1]), found[2]


def _has(head: Head, labels: Mapping[str, str] | None) -> bool:
    if not labels:
        return True
    mine = msgspec.json.decode(head.info).get("labels", {}) if head.info else {}
    return all(mine.get(name) == value for name, value in labels.items())


def _row(head: Head) -> JsonObject:
    info = msgspec.json.decode(head.info) if head.info else {}
    return {
        "run_id": head.stream, "workflow": head.name, "status": head.status, "reason": head.reason,
        "started_at": head.started_ms, "ended_at": head.ended_ms or None, **info,
    }  # fmt: skip
