"""The verb that follows what came of a record or a run: its records and decisions as a tree of causes. It looks through
the topics, within a bound, and says what it did not look at."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from aob.core.decision import SOURCE, answers
from aob.core.errors import NotFound
from aob.core.instant import iso
from aob.core.policy import Caller
from aob.core.value import decode
from aob.core.verb import performs
from aob.core.verbs.organisation import decision_verbs as verbs
from aob.organisation.records import GroupedTopics, Records
from aob.ports.log import Logged, Record, token_of

PAGE: Final = 500  # records that are read at once
NODES_MAX: Final = 1_000
DEAD_TYPE: Final = "agent.dead_letter"


class Tracing:
    """The verb."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._topics: GroupedTopics = records.topics

    @performs(verbs.TRACE)
    async def trace(self, who: Caller, args: verbs.Trace) -> answers.CausalTree:
        """What came of one record or run. Raises NotFound `trace_not_found`, Invalid `bad_time`."""
        told = _Told(args.id)
        await self._look(who, args, told)
        if told.other and not told.of_it:  # the record is of a correlation with another name
            again = _Told(told.other)
            again.looked_at = told.looked_at
            await self._look(who, args, again)
            told = again
        if not told.found and not args.id.startswith("run_"):
            looked = f"it is not among the {told.looked_at:,} records that were looked at"
            raise NotFound(f"nothing is known of {args.id[:80]!r}: {looked}", code="trace_not_found",
                           hint="--since looks further back; an id or correlation, or a run")  # fmt: skip
        return {"correlation": told.correlation, "nodes": _tree(told), "looked_at": told.looked_at, "cut": told.cut}

    async def _look(self, who: Caller, args: verbs.Trace, told: "_Told") -> None:
        since = self._records.instant(args.since)
        wanted = set(args.topics)
        for shape in await self._topics.topics(who.tenant):
            if wanted and shape.name not in wanted:
                continue
            begins = await self._begins(who, shape.name, shape.ends, since)
            for partition, end in shape.ends.items():
                async for logged in self._from(who.tenant, shape.name, partition, begins[partition], end):
                    told.looked_at += 1
                    told.take(shape.name, partition, logged)
                    if told.looked_at >= args.look_max or len(told.found) >= NODES_MAX:
                        most = "records that one trace looks at" if told.looked_at >= args.look_max else "nodes"
                        told.cut.append(f"it ends at {shape.name}/{partition}: that is the limit of {most}")
                        return

    async def _begins(
        self, who: Caller, topic: str, ends: Mapping[int, int], since_ms: int
    ) -> Mapping[int, int]:  # fmt: skip
        starts = (await self._topics.starts(who.tenant, [topic])).get(topic, {})
        found = await self._records.at_time(who, topic, dict(ends), since_ms)
        return {partition: max(starts.get(partition, 0), found[partition]) for partition in ends}

    async def _from(self, tenant: str, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Logged]:
        while start < end:
            rows = await self._topics.read(tenant, topic, partition, start, min(PAGE, end - start))
            if not rows:
                return
            for logged in rows:
                yield logged
            start = rows[-1].offset + 1


class _Told:
    """What was found of a correlation. `other` is that of the record whose id was asked for, where it has another."""

    def __init__(self, correlation: str) -> None:
        self.correlation, self.other, self.of_it = correlation, "", False
        self.found: dict[str, answers.TraceNode] = {}
        self.causes: dict[str, str] = {}
        self.looked_at = 0
        self.cut: list[str] = []

    def take(self, topic: str, partition: int, logged: Logged) -> None:
        """Keeps a record that belongs to it."""
        record = logged.record
        if record.correlationid == self.correlation:
            self.of_it = True
        elif record.id != self.correlation:
            return
        elif record.correlationid:
            self.other = record.correlationid
        self.found[f"{record.source}\n{record.id}"] = _node(topic, partition, logged)
        self.causes[f"{record.source}\n{record.id}"] = record.causationid


def _node(topic: str, partition: int, logged: Logged) -> answers.TraceNode:
    record = logged.record
    kind = "decision" if record.source == SOURCE else "dead letter" if record.type == DEAD_TYPE else "record"
    return {
        "kind": kind, "id": record.id, "at": iso(logged.at_ms), "topic": topic, "position": token_of(
            partition, logged.offset), "type": record.type, "subject": record.subject, "source": record.source,
        "depth": record.depth, "level": 0, "cause": record.causationid, "says": _says(kind, record),
    }  # fmt: skip


def _says(kind: str, record: Record) -> str:
    """A decision or a dead letter in a few words."""
    if kind == "record":
        return ""
    data = decode(record.data)
    if kind == "dead letter":
        return f"{data['agent']} gave up after {data['attempts']}: {data['code']}"
    chosen = ", ".join(data.get("calls", ())) or data.get("chosen", "")
    return f"{data.get('agent') or data.get('node', '')} asked {data['model']}: {chosen}"


def _tree(told: _Told) -> list[answers.TraceNode]:
    """The nodes, each below its cause, those of one cause by time. What has no known cause is at the top; a run is the
    top of what it has caused."""
    by_id: dict[str, str] = {}
    for key, node in told.found.items():
        if node["kind"] != "decision":
            by_id.setdefault(node["id"], key)
    below: dict[str, list[str]] = {}
    for key in sorted(told.found, key=lambda key: told.found[key]["at"]):
        cause = told.causes[key]
        parent = by_id.get(cause, "run" if cause.startswith(f"{told.correlation}/") else "")
        below.setdefault("" if parent == key else parent, []).append(key)
    nodes = list[answers.TraceNode]()
    if told.correlation.startswith("run_"):
        nodes.append(_run(told.correlation))
        _add(nodes, told, below, "run", 1)
    _add(nodes, told, below, "", 0)
    while below:  # what names causes in a circle
        _add(nodes, told, below, next(iter(below)), 0)
    return nodes


def _add(
    nodes: list[answers.TraceNode], told: _Told, below: dict[str, list[str]], top: str, level: int
) -> None:  # fmt: skip
    waiting = [(key, level) for key in reversed(below.pop(top, ()))]
    while waiting:
        key, level = waiting.pop()
        nodes.append({**told.found[key], "level": level})
        waiting += [(each, level + 1) for each in reversed(below.pop(key, ()))]


def _run(id: str) -> answers.TraceNode:
    return {"kind": "run", "id": id, "at": "", "topic": "", "position": "", "type": "", "subject": "", "source": "",
            "depth": 0, "level": 0, "cause": "", "says": ""}  # fmt: skip
