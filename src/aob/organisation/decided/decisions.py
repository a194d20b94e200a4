"""The verbs of decisions: the records of model calls are read back from their topic, the newest first."""

import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from aob.core.answers import JsonObject, JsonValue
from aob.core.decision import SOURCE, TOPIC, answers, partition_in
from aob.core.errors import NotFound
from aob.core.event import partition_of
from aob.core.instant import iso
from aob.core.policy import Caller
from aob.core.value import decode, ref_in
from aob.core.verb import performs
from aob.core.verbs.organisation import decision_verbs as verbs
from aob.organisation.records import GroupedTopics, Records
from aob.ports.log import Logged, token_of

WINDOW: Final = 64  # decisions of a partition that are read at once
LOOK_MAX: Final = 10_000  # decisions that one page looks at

Fetch = Callable[[str, bytes], Awaitable[bytes]]
"""A value of a tenant by its hash. Raises NotFound."""


class Decisions:
    """The verbs of decisions. `fetch` gives values that this process can reach by itself."""

    def __init__(self, records: Records, fetch: Fetch) -> None:
        self._records, self._fetch = records, fetch
        self._topics: GroupedTopics = records.topics

    @performs(verbs.LIST)
    async def decisions(self, who: Caller, args: verbs.ListDecisions) -> answers.DecisionPage:
        """A page of decisions, newest first. Raises Invalid `bad_time`, CallerError `bad_position`."""
        begins, ends = await self._between(who, args)
        fits, found, looked = _filter(args), list[answers.DecisionRow](), 0
        waiting = list[tuple[int, int, Logged, AsyncIterator[Logged]]]()
        for partition, end in ends.items():
            await _push(waiting, partition, self._backwards(who.tenant, partition, begins.get(partition, 0), end))
        while waiting and len(found) < args.limit and looked < LOOK_MAX:
            _, partition, logged, rest = heapq.heappop(waiting)
            looked, ends[partition] = looked + 1, logged.offset
            data = decode(logged.record.data)
            if fits(logged, data):
                found.append(_row(partition, logged, data))
            await _push(waiting, partition, rest)
        places = [ends.get(partition, 0) for partition in range(self._records.partitions)]
        return {"decisions": found, "next": self._records.token(places) if waiting else None, "looked_at": looked}

    async def _between(self, who: Caller, args: verbs.ListDecisions) -> tuple[Mapping[int, int], dict[int, int]]:
        """Where the partitions begin and end that may have such decisions."""
        ends = dict[int, int]()
        for shape in await self._topics.topics(who.tenant, TOPIC):
            ends = dict(shape.ends)
        if args.key or args.run:
            one = partition_of(args.key or args.run, self._records.partitions)
            ends = {one: ends[one]} if one in ends else {}
        begins = (await self._topics.starts(who.tenant, [TOPIC])).get(TOPIC, {})
        if args.since:
            found = await self._records.at_time(who, TOPIC, ends, self._records.instant(args.since))
            begins = {partition: max(begins.get(partition, 0), found[partition]) for partition in ends}
        if args.until:
            found = await self._records.at_time(who, TOPIC, ends, self._records.instant(args.until))
            ends = {partition: found[partition] for partition in ends}
        if args.before:
            places = self._records.places(args.before)
            ends = {partition: min(end, places[partition]) for partition, end in ends.items()}
        return begins, ends

    async def _backwards(self, tenant: str, partition: int, begin: int, end: int) -> AsyncIterator[Logged]:
        while end > begin:
            start = max(begin, end - WINDOW)
            rows = await self._topics.read(tenant, TOPIC, partition, start, end - start)
            while rows and rows[-1].offset + 1 < end:  # a read may end before what was asked for
                more = await self._topics.read(
                    tenant, TOPIC, partition, rows[-1].offset + 1, end - rows[-1].offset - 1
                )  # fmt: skip
                if not more:
                    break
                rows += more
            for logged in reversed(rows):
                yield logged
            end = start

    @performs(verbs.SHOW)
    async def decision(self, who: Caller, args: verbs.NamedDecision) -> answers.DecisionView:
        """One decision. Raises NotFound `decision_not_found`."""
        partition = partition_in(args.decision)
        offset = None
        if partition is not None and partition < self._records.partitions:
            offset = await self._topics.placed(who.tenant, TOPIC, partition, SOURCE, args.decision)
        found = await self._topics.read(who.tenant, TOPIC, partition or 0, offset, 1) if offset is not None else []
        if partition is None or not found:
            raise NotFound(f"there is no decision {args.decision[:64]!r}", code="decision_not_found",
                           hint="aob decision list shows the newest")  # fmt: skip
        data = decode(found[0].record.data)
        body, hash, gone = await self._body(who.tenant, partition, data.get("body"))
        told = body if isinstance(body, dict) else {}
        failed = bool(data["failed"])
        return {
            **_row(partition, found[0], data), "request": data["request"], "prompt": data.get("prompt", ""),
            "tools": data.get("tools", {}), "output": data.get("output", ""), "temperature": data.get("temperature"),
            "tokens_max": data.get("tokens_max", 0), "body": hash, "gone": gone,
            "asked": None if failed else told.get("asked") or None, "answer": None if failed else told.get("answer"),
            "error": body if failed else None,
        }  # fmt: skip

    async def _body(self, tenant: str, partition: int, cell: JsonValue) -> tuple[JsonValue, str, bool]:
        """What was asked and answered, the hash it lies under, and whether it is gone."""
        ref = ref_in(cell)
        if ref is None:
            return cell, "", False
        data = await self._topics.value(tenant, partition, ref.digest)
        if data is None:
            try:
                data = await self._fetch(tenant, ref.digest)
            except NotFound:
                return None, ref.hex, True
        return decode(data), ref.hex, False


async def _push(
    waiting: list[tuple[int, int, Logged, AsyncIterator[Logged]]], partition: int, rest: AsyncIterator[Logged]
) -> None:  # fmt: skip
    """Takes the next of a partition."""
    logged = await anext(rest, None)
    if logged is not None:
        heapq.heappush(waiting, (-logged.at_ms, partition, logged, rest))


def _filter(args: verbs.ListDecisions) -> Callable[[Logged, JsonObject], bool]:
    def fits(logged: Logged, data: JsonObject) -> bool:
        return (
            args.agent in ("", data.get("agent"))
            and args.key in ("", data.get("key"))
            and args.run in ("", data.get("run"))
            and args.correlation in ("", logged.record.correlationid)
        )

    return fits


def _row(partition: int, logged: Logged, data: Any) -> answers.DecisionRow:
    record = logged.record
    return {
        "id": record.id, "at": iso(logged.at_ms), "position": token_of(partition, logged.offset),
        "run": data.get("run", ""), "workflow": data.get("workflow", ""), "node": data.get("node", ""),
        "agent": data.get("agent", ""), "key": data.get("key", ""), "version": data.get("version", 0),
        "visit": data["visit"], "attempt": data["attempt"], "number": data["number"],
        "conversation": data.get("conversation", ""), "call": data["call"],
        "model": data["model"], "chosen": data.get("chosen", ""), "calls": data.get("calls", []),
        "says": data.get("says", ""), "brain": data["brain"], "cached": data["cached"], "failed": data["failed"],
        "tokens_in": data["tokens_in"], "tokens_out": data["tokens_out"], "cost_usd": data["cost_usd"],
        "took_ms": data.get("took_ms", 0.0), "correlationid": record.correlationid, "causationid": record.causationid,
    }  # fmt: skip
