"""Verbs that read: a run, lists of runs, timelines, reasons, feeds, blobs, health."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, StoredBlob
from aob.core.errors import CallerError, Quarantined, Unavailable
from aob.core.event import WHOLE
from aob.core.graph.compiled import IR, Node
from aob.core.policy import Caller
from aob.core.rights import mine
from aob.core.run import Run
from aob.core.run.record import events as ev
from aob.core.run.state import EXHAUSTED, READY, Token, state_of
from aob.core.value import decode, digest_of, digest_of_cell
from aob.core.verb import performs
from aob.core.verbs import run_verbs as verbs
from aob.core.verbs import value_verbs
from aob.journal import CommittedClock, Stream
from aob.journal.partition import PartitionMoved
from aob.runs import Core, Engine, Fact, history
from aob.runs import told as facts_of
from aob.views.lists import LIST_MAX, listed
from aob.views.timeline import entry, name_of, shown
from aob.views.why import why

_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
NODES_SHOWN: Final = 2_000
TIMERS_SHOWN: Final = 100


class Views(Engine):
    """The engine with its readers."""

    core: Core

    @performs(verbs.SHOW)
    async def run(self, who: Caller, args: verbs.ShowRun) -> JsonObject:
        """A whole run: status, inputs, output, nodes by visit, tickets, timers, patches, graph, cost.

        With `min_position` it is at least that fresh, or raises Unavailable `not_yet`."""
        least = args.min_position
        if least is not None and self.core.feed.place(least)[0] > self.core.journal.durable_row:
            raise Unavailable("this position is not written yet", code="not_yet", hint="ask again in a moment")
        stream = await self.core.stream(who, args.run_id)
        told, run = self._told(stream), stream.state
        inputs, output, error = run.inputs, run.output, run.error
        await self.core.journal.settled(stream)
        told["inputs"] = await self.core.value(run.tenant, inputs)
        told["output"] = await self.core.value(run.tenant, output) if told["ended_at"] else None
        told["error"] = await self.core.value(run.tenant, error) if error is not None else None
        return told

    @performs(verbs.WAIT)
    async def wait(self, who: Caller, args: verbs.WaitForRun) -> JsonObject:
        """The whole run as soon as it has ended, or its state after `within_ms`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(args.within_ms / 1_000):
                await self.core.ended(who, args.run_id)
        return await self.run(who, args.run_id)

    @performs(verbs.GRAPH)
    async def graph(self, who: Caller, args: verbs.ShowRun) -> JsonObject:
        """The current graph of a run, with the state of each visit."""
        return run_graph(await self.run(who, args.run_id, args.min_position))

    def _told(self, stream: Stream) -> JsonObject:
        """A consistent snapshot of the run: no await here, because the run continues."""
        run: Run = stream.state
        versions = stream.derived.graphs
        version = len(run.graph_ops)
        readable = version < len(versions)  # a run whose graph this release cannot read is shown without it
        told: JsonObject = {
            "run_id": run.id, "workflow": run.workflow, "artifact": run.artifact, "tag": run.tag,
            "version": f"{run.version.partition('.')[0]}.{version}", "status": run.status, "mode": run.mode,
            "reason": run.cancelling or run.quarantined, "tenant": run.tenant, "by": run.by, "labels": run.labels,
            "started_at": run.started_ms, "ended_at": run.ended_ms or None,
            "inputs": None, "output": None, "error": None,
            "nodes": self._nodes(stream, versions.ir(version) if readable else None),
            "timers": [{"visit": t.visit, "kind": t.kind, "due": t.due_ms} for t in run.timers.values()][:TIMERS_SHOWN],
            "tickets": [t.id for t in run.tickets.values() if not t.answer],
            "patches": [self._patch_told(stream, patch) for patch in run.patches.values()],
            "graph": versions.document(version) if readable else {},
            "graph_hash": versions.ir(version).hash if readable else "",
            "cost": dict(run.usage), "position": self.position(),
        }  # fmt: skip
        if run.build:
            told["build"] = run.build
        if run.fork:
            told["forked_from"] = run.fork
        return told

    def position(self) -> str:
        """The position up to which everything is durable."""
        return self.core.feed.positions.token(self.core.journal.durable_row)

    def _nodes(self, stream: Stream, ir: IR | None) -> JsonObject:
        run: Run = stream.state
        held = self.core.dispatch.running(run)  # from memory: no record says which worker runs what
        nodes: JsonObject = {}
        for scope in run.scopes.values():
            for name, outcome in scope.done.items():
                if len(nodes) >= NODES_SHOWN:
                    return nodes
                nodes[scope.prefix + name] = _outcome(outcome)
        for token in run.tokens.values():
            if len(nodes) >= NODES_SHOWN:
                return nodes
            state = "running" if token.state == READY and token.visit in held else token.state
            shown = nodes[token.visit] = {"state": state, "attempt": token.attempt}
            if state == READY and ir is not None and (waits := self._waits(stream, token)):
                shown["waits"] = waits
        for name, node in ir.nodes.items() if ir is not None else ():
            if name in nodes:
                nodes[name]["kind"] = node.kind
                if node.spec.labels:
                    nodes[name]["labels"] = node.spec.labels
        return nodes

    def _waits(self, stream: Stream, token: Token) -> str:
        """Why no worker takes a ready token now."""
        node = _node_of(stream, token)
        return self.core.dispatch.queue.reason(stream, node) if node is not None else ""

    @performs(verbs.LIST)
    async def runs(self, who: Caller, args: verbs.ListRuns) -> JsonObject:
        """A page of runs, newest first; `next` is the cursor of the page after it."""
        if not 1 <= args.limit <= LIST_MAX:
            raise CallerError(f"limit is between 1 and {LIST_MAX}", code="bad_limit")
        return await listed(self.core, who, args, self.position)

    @performs(verbs.TIMELINE)
    async def timeline(self, who: Caller, args: verbs.ShowTimeline) -> list[JsonObject]:
        """Events of a run with a greater `seq` than `after`, oldest first, at most `limit`."""
        stream = await self.core.stream(who, args.run_id)
        after, limit = max(-1, min(args.after, WHOLE)), max(0, min(args.limit, WHOLE))
        return [entry(fact) for fact in await history(self.core, stream, after, limit)]

    @performs(verbs.WHY)
    async def why(self, who: Caller, args: verbs.NamedRun) -> JsonObject:
        """One sentence: what the run waits for, or how it ended."""
        run_id = args.run_id
        try:
            stream = await self.core.stream(who, run_id)
        except (Quarantined, Unavailable) as away:
            head = await self.core.store.head(run_id) if self.core.journal.broken is None else None
            if head is None or not mine(who, head):
                raise
            sentence = f"quarantined because its history cannot be read: {away}"
            return {"run_id": run_id, "status": "WAITING", "sentence": sentence, "details": []}
        run: Run = stream.state
        error = await self.core.value(run.tenant, run.error) if run.error is not None else None
        dispatch, now_ms = self.core.dispatch, self.core.journal.clock.now()
        running, stuck = dispatch.running(run), dispatch.stuck(run_id)
        done = _done_in_the_world(stream) if run.final == "CANCELLED" else ()
        told = why(
            run, now_ms, running, partial(_node_of, stream), dispatch.lacks, partial(dispatch.queue.reason, stream),
            error, stuck, done,
        )  # fmt: skip
        await self.core.journal.settled(stream)
        return told

    @performs(verbs.FOLLOW)
    async def follow(self, who: Caller, args: verbs.FollowRuns) -> AsyncIterator[tuple[str, str, JsonObject]]:
        """Events as they are committed: (position, name, entry). Without a position, a run is read from its start, and
        the feed of all runs from now on; with `place` an item without a name gives the position from which on
        events are told as they come, as do items where a partition left."""
        run_id, position, types = args.run_id, args.position, args.types
        if run_id is not None:
            stream = await self.core.stream(who, run_id)
            at = (0, WHOLE) if position is None else self.core.feed.place(position)
            async for fact in self._of_run(stream, at):
                if types is None or name_of(fact.event) in types:
                    yield fact.position, name_of(fact.event), entry(fact)
            return
        if args.place and position is None:
            position = self.position()
            yield position, "", {}
        row, index = self.core.feed.place(position)
        if args.place and args.position is not None:
            end = self.core.journal.durable_row
            while row < end:
                facts, row, index = await self.core.feed.read(row, index)
                for item in _of_all(who, facts, types, place=True):
                    yield item
            yield self.core.feed.positions.token(row, index), "", {}
        async for facts in self.core.feed.follow(row, index):
            for item in _of_all(who, facts, types, place=args.place):
                yield item

    async def _of_run(self, stream: Stream, at: tuple[int, int]) -> AsyncIterator[Fact]:
        """Facts of a run after a place until it has ended: first from its history, then as they are committed."""
        seq = -1
        with self.core.feed.news(stream.name) as news:
            while True:
                news.missed = False
                self.core.journal.stays(stream)
                async for fact in facts_of(self.core, stream, seq):
                    seq = fact.seq
                    if (fact.row, fact.index) > at:
                        yield fact
                    if isinstance(fact.event, ev.RunFinished):
                        return
                while not news.missed:
                    for fact in await news.taken():
                        if fact.seq > seq:
                            seq = fact.seq
                            if (fact.row, fact.index) > at:
                                yield fact
                            if isinstance(fact.event, ev.RunFinished):
                                return

    @performs(value_verbs.LOGS)
    async def logs(self, who: Caller, args: value_verbs.ReadLogs) -> AsyncIterator[str]:
        """Lines logged by handlers of the run, each one JSON object; with `follow` until the run has ended."""
        stream = await self.core.stream(who, args.run_id)
        run: Run = stream.state

        journal = self.core.journal

        def lives() -> bool:
            return not run.final and not journal.elsewhere(stream)

        async for line in self.core.logs.read(args.run_id, node=args.node or "", follow=lives if args.follow else None):
            yield msgspec.json.encode(line).decode()
        if args.follow:
            journal.stays(stream)

    @performs(value_verbs.BLOB)
    async def blob(self, who: Caller, args: value_verbs.NamedBlob) -> bytes:
        """The bytes of a blob of the tenant, verified."""
        return await self._blob(who, args.hash)

    @performs(value_verbs.JOB_BLOB)
    async def job_blob(self, who: Caller, args: value_verbs.NamedBlob) -> bytes:
        """The bytes of a value of a job, verified: who knows the hash has been given the job."""
        return await self._blob(who, args.hash)

    async def _blob(self, who: Caller, hash: str) -> bytes:
        digest = _HASH.fullmatch(hash)
        if digest is None:
            raise CallerError(f"{hash[:80]!r} is not a hash", code="bad_hash", hint="64 hexadecimal characters")
        return await self.core.values.fetch(who.tenant, bytes.fromhex(digest[1]))

    @performs(value_verbs.PUT_JOB_BLOB)
    async def put_job_blob(self, who: Caller, args: value_verbs.PutBlob) -> StoredBlob:
        """Store a large value of a job's result. Raises CallerError `bad_hash` unless its hash is the given one."""
        data, digest = args.data, digest_of(args.data)
        if args.hash.removeprefix("sha256:") != digest.hex():
            raise CallerError("the hash is not that of the bytes", code="bad_hash", hint="the sha256, in hexadecimal")
        await self.core.values.put(who.tenant, data)
        return {"hash": digest.hex(), "size": len(data)}

    @performs(value_verbs.ITEMS)
    async def items(self, who: Caller, args: value_verbs.PageOfItems) -> JsonObject:
        """A page of a map's items, by the cursor `next` of the previous page."""
        return await self.core.items(who.tenant, args.cursor)

    async def health(self) -> JsonObject:
        """The health of this process."""
        journal = self.core.journal
        broken = journal.broken or journal.failing or journal.refusing
        pool = self.core.pool.health()
        store: JsonObject = {"status": "ok"} if self.core.storage is None else await self.core.storage()
        if broken is not None:
            store |= {"status": broken.code, "detail": broken.detail}
        return {
            "status": "ok" if store["status"] == "ok" else "degraded", "store": store,
            "shard": journal.shard, "epoch": journal.epochs.now, "position": self.position(),
            "streams": len(journal.streams), "away": len(journal.away),
            "unreadable": len(journal.unreadable), "timers": len(journal.timers),
            "journal": dict(journal.stats), "messages": journal.messages(),
            "state_pages": dict(journal.pages.stats) if journal.pages is not None else {},
            "pool": msgspec.to_builtins(pool),
            "memory": self.core.vitals(), **self.core.beside(),
            "egress": {"replaced": self.core.replaced()}, "clock": _clock(journal.clock),
        }  # fmt: skip


def _of_all(
    who: Caller, facts: list[Fact], types: frozenset[str] | None, *, place: bool
) -> Iterator[tuple[str, str, JsonObject]]:  # fmt: skip
    """What a reader of all runs is told of some facts."""
    for fact in facts:
        if place and isinstance(fact.event, PartitionMoved):
            yield fact.position, "", {}
        if mine(who, fact) and fact.stream.startswith("run_") and (types is None or name_of(fact.event) in types):
            yield shown(fact)


def run_graph(run: JsonObject) -> JsonObject:
    """The graph part of a whole run."""
    return {name: run.get(name) for name in ("run_id", "status", "version", "graph", "nodes")}


def _done_in_the_world(stream: Stream) -> list[JsonObject]:
    """Completed visits with an effect other than `none`, which may have acted outside."""
    run: Run = stream.state
    found: list[JsonObject] = []
    for scope in run.scopes.values():
        for name, outcome in scope.done.items():
            node = _node_of(stream, Token(scope.prefix + name, scope.path, name, 1, ""))
            if node is None or node.spec.effect == "none" or not isinstance(outcome, ev.NodeCompleted):
                continue
            if not outcome.copied and not outcome.memo:
                found.append({"visit": scope.prefix + name, "attempt": outcome.attempt, "kind": node.kind,
                              "effect": node.spec.effect})  # fmt: skip
    return found


def _clock(clock: CommittedClock) -> JsonObject:
    """How far the machine's clock lags committed time, and its last step."""
    behind_ms = clock.behind_ms
    told: JsonObject = {"behind_ms": behind_ms}
    if clock.step is not None:
        told["step"] = {"by_ms": clock.step.by_ms, "at": clock.step.at_ms}
    return told


def _outcome(outcome: Any) -> JsonObject:
    """How a visit ended. Small values inline, large ones as references."""
    if isinstance(outcome, ev.NodeFailed):
        return {"state": "failed", "attempt": outcome.attempt, "error": decode(outcome.output)}
    if not isinstance(outcome, ev.NodeCompleted):
        return {"state": outcome.on}
    told: JsonObject = {
        "state": state_of(outcome), "attempt": outcome.attempt,
        "output": decode(outcome.output), "hash": digest_of_cell(outcome.output).hex(),
    }  # fmt: skip
    if outcome.on == EXHAUSTED:
        told[EXHAUSTED] = True
    for flag in ("memo", "copied", "usage", "took_us"):
        if getattr(outcome, flag):
            told[flag] = getattr(outcome, flag)
    return told


def _node_of(stream: Stream, token: Token) -> Node | None:
    run: Run = stream.state
    versions = stream.derived.graphs
    scope = run.scopes[token.scope]
    if scope.version >= len(versions):
        return None
    ir = versions.body(scope.version, scope.body) if scope.body else versions.ir(scope.version)
    node: Node | None = ir.nodes.get(token.node)
    return node
