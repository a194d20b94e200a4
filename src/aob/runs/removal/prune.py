"""The verb `prune`: removes runs that ended before an instant, in steps, with one record per step."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from aob.core.answers import Pruned
from aob.core.errors import CallerError, Invalid, Problem, Unavailable
from aob.core.event import derived_id
from aob.core.instant import iso
from aob.core.policy import Caller
from aob.core.run.state import TERMINAL
from aob.core.verb import performs
from aob.core.verbs import run_verbs as verbs
from aob.journal.removal import PREFIX, Removals, Remove, StreamsRemoved
from aob.ports.store import EndedQuery, Leftover
from aob.runs.core import Core
from aob.runs.incoming import text_of
from aob.runs.removal.elsewhere import Part, found_here, parts_of
from aob.runs.removal.judge import LOG, UNREADABLE, UNSETTLED, VALUE, Going, Looked, looked

STEP_RUNS: Final = 256  # ended runs scanned by one step
_CURSOR: Final = re.compile(r"(\d{1,16})\.(run_[A-Za-z0-9]{1,60})")


class Prunes:
    """Verbs that remove runs."""

    core: Core

    @performs(verbs.PRUNE)
    async def prune(self, who: Caller, args: verbs.PruneRuns) -> Pruned:
        """Remove runs of the tenant that ended before an instant: one step, one commit with its record. `next` is the
        cursor of the next step. `dry_run` only reports what would be removed. Live runs and runs that are still needed
        stay: `kept` counts them by reason."""
        return await self.pruned(who, args, None)

    async def pruned(self, who: Caller, args: verbs.PruneRuns, erased: Mapping[str, str] | None) -> Pruned:
        """One step. In a home whose partitions have moved, `erased` says of each run of `parts` why it could not be
        erased in other shards (empty: it was); a run that is not in it stays for now."""
        before_ms, dry_run = args.before_ms, args.dry_run
        query, reason = self._query(who, args), text_of(args.reason, "/reason", 10_000)
        async with self.core.removing:
            heads = await self.core.store.ended(query)
            found = await looked(self.core, who.tenant, heads)
            if erased is not None:
                found.keep(lambda each: erased.get(each.head.stream, UNSETTLED))
            record = ""
            if found.going and not dry_run:
                record = await self._remove(who, query, reason, found)
        more = bool(heads) and (len(heads) == query.limit or found.last is not heads[-1])
        told = _told(found, before_ms, dry_run=dry_run)
        told["record"] = record or None
        told["next"] = f"{found.last.started_ms}.{found.last.stream}" if more and found.last else None
        return told

    async def parts(self, who: Caller, args: verbs.PruneRuns) -> dict[str, Part]:
        """What other shards may hold of the runs that a step would remove."""
        async with self.core.removing:
            heads = await self.core.store.ended(self._query(who, args))
            return parts_of(await looked(self.core, who.tenant, heads))

    async def erase(self, who: Caller, args: verbs.PruneRuns, parts: dict[str, Part]) -> dict[str, str]:
        """Removes what moved runs left in this shard, with a record. Returns for each run why it could not (empty: it
        is gone). Idempotent."""
        async with self.core.removing:
            found, told = await found_here(self.core, who.tenant, parts)
            wanted = {each.head.stream for each in found.going}
            if wanted:
                query = _query(who, args.before_ms, args.before_ms, args.workflow, args.status, None)
                await self._remove(who, query, text_of(args.reason, "/reason", 10_000), found)
            left = wanted - {each.head.stream for each in found.going}
            return {**told, **dict.fromkeys(wanted, ""), **dict.fromkeys(left, UNREADABLE)}

    def _query(self, who: Caller, args: verbs.PruneRuns) -> EndedQuery:
        return _query(who, args.before_ms, self.core.time_ms(), args.workflow, args.status, args.cursor)

    async def _remove(self, who: Caller, query: EndedQuery, reason: str, found: Looked) -> str:
        """Writes the record and removes. Returns its id, empty if nothing can be removed after all."""
        core, now_ms = self.core, self.core.ambient.now_ms()
        rewritten = await self._rewritten(found)
        going = found.going
        if not going:
            return ""
        names = [each.head.stream for each in going]
        logged = await core.logs.having(names)
        leftovers = [Leftover(LOG, who.tenant, name.encode(), now_ms) for name in logged]
        values = {digest for each in going for digest in each.values}
        leftovers += [Leftover(VALUE, who.tenant, digest, now_ms) for digest in sorted(values)]
        ended = [each.head.ended_ms for each in going]
        record = StreamsRemoved(
            who.tenant, who.name, who.id, 0, query.before_ms, reason, query.name, query.status, names,
            sum(each.events for each in going), sum(each.size for each in going), min(ended), max(ended),
        )  # fmt: skip
        name = PREFIX + derived_id("removal", core.ids.next())
        await core.journal.ask(name, Remove(record, Removals(rewritten, leftovers)), fresh=True)
        core.feed.forget(set(names))
        await self._unlogged(logged)
        return name.removeprefix(PREFIX)

    async def _unlogged(self, names: list[str]) -> None:
        for name in names:
            if name not in self.core.journal.streams:  # else it has begun again already
                await self.core.logs.remove(name)

    async def _rewritten(self, found: Looked) -> list[tuple[int, bytes]]:
        """The journal rows without the removed runs. A row that cannot be read keeps its runs."""
        while True:
            rows = sorted({row for each in found.going for row in each.rows})
            gone = {each.head.stream for each in found.going}
            try:
                return await self.core.journal.rows_without(rows, gone)
            except Unavailable as error:
                bad = error.fields.get("row")
                if bad is None:
                    raise
                found.keep(lambda each: UNREADABLE if bad in each.rows else "")  # noqa: B023 it is called at once


def _query(
    who: Caller, before_ms: int, now_ms: int, workflow: str | None, status: str | None, cursor: str | None
) -> EndedQuery:
    if before_ms > now_ms:
        why = f"{iso(before_ms)} has not come yet"
        raise Invalid(why, [Problem("/before", "must lie in the past: what ended before it is removed", "bad_value")])
    if status is not None and status.upper() not in TERMINAL:
        why = f"{status!r:.40} is no state in which a run has ended"
        raise Invalid(why, [Problem("/status", f"one of {', '.join(sorted(TERMINAL))}", "unknown_value")])
    after = None
    if cursor is not None:
        place = _CURSOR.fullmatch(cursor)
        if place is None:
            raise CallerError(f"{cursor[:40]!r} is no cursor", code="bad_cursor", hint="pass `next` of the step before")
        after = (int(place[1]), place[2])
    return EndedQuery("run", who.tenant, before_ms, (status or "").upper(), workflow or "", after, STEP_RUNS)


def _told(found: Looked, before_ms: int, *, dry_run: bool) -> Pruned:
    """The answer. Values that other runs use too stay, so their sizes are an upper bound."""
    going: list[Going] = found.going
    ended = [each.head.ended_ms for each in going]
    values = {digest: size for each in going for digest, size in each.values.items()}
    return {
        "before": before_ms, "dry_run": dry_run, "record": None, "next": None,
        "runs": len(going), "events": sum(each.events for each in going), "bytes": sum(each.size for each in going),
        "values": len(values), "values_bytes": sum(values.values()),
        "oldest": min(ended, default=None), "newest": max(ended, default=None),
        "workflows": dict(Counter(each.head.name for each in going)), "kept": dict(found.kept),
    }  # fmt: skip
