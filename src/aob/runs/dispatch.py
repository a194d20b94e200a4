"""Turns committed effects into jobs and results into commands. The only place where runs and work meet."""

import asyncio
from collections.abc import Callable, Collection, Container, Coroutine, Iterable, Set
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.agent_name import AGENT
from aob.core.errors import AobError, TooLarge, Unavailable
from aob.core.graph.compiled import Node
from aob.core.items import items_in
from aob.core.node import KINDS
from aob.core.problem import outward
from aob.core.run import Effects, Run, pending
from aob.core.run.record import commands as cmd
from aob.core.run.state import READY, Token
from aob.core.run.stepping import DeniedError, Needs, Step, input_value
from aob.core.value import ITEMS, canonical, decode
from aob.journal import Committed, Recovered, SetAside, Stream
from aob.ports.blobs import GONE
from aob.ports.logger import Logger
from aob.ports.workers import AWAY, Job, Workers
from aob.runs.context import RunContext
from aob.runs.queue import LeftBehind, Queue, late
from aob.runs.reports import Reports, acting
from aob.runs.values import Values
from aob.work.pool import Running, mark

log = Logger("aob.runs")
STORING_S: Final = 5.0  # how long a stop waits for outputs being stored
AGAIN_S: Final = 1.0


class Dispatcher(Reports):
    """Submits ready jobs, stops ended ones and sends workers' reports to the journal. A visit whose handler is not
    loaded stays ready until a process has the handler."""

    def __init__(
        self, values: Values, open_log: Callable[[str, str, str], Callable[..., None]], handlers: Container[str]
    ) -> None:
        super().__init__(values)
        self._open_log, self.loaded = open_log, handlers
        self.queue = Queue(
            handlers, lambda run: self.journal.streams.get(run),
            lambda stream, token: self._submit(stream, stream.state, token),
            lambda run, command: self.journal.tell(run, command),
        )  # fmt: skip
        self.left_behind = LeftBehind(self.queue, _node)
        self._begun = False
        self.pure: Container[str] = frozenset()  # handlers whose calls have no visible effect
        self._ahead: dict[tuple[str, str], Job] = {}  # jobs that began before the commit that made them ready

    def recovered(self, found: Recovered) -> None:
        """After a recovery: every ready token becomes a job again; one cut off during an effect is uncertain. If only
        the store was unavailable, workers keep their jobs, and their reports are known."""
        if not self._begun:
            return  # gate and metrics are not there yet: `begin` does this
        counts = self.journal.epochs.counts
        for job in self._ahead.values():
            if not counts(job.epoch, job.row):
                self.pool.cancel(job.run, job.visit, job.attempt)
        self._ahead.clear()
        known = {
            (run, command.visit, command.attempt)
            for run, command in found.again
            if isinstance(command, cmd.Complete | cmd.Fail | cmd.Lost)
        }
        known.update((job.run, job.visit, job.attempt) for job in self._storing.values() if counts(job.epoch, job.row))
        known.update((*job, attempt) for job, attempt in self.pool.held().items())
        wanted: set[tuple[str, str]] = set()
        for stream in found.streams.values():
            if stream.law.kind != "run" or stream.ended or stream.name in found.aside:
                continue
            wanted.update((stream.name, visit) for visit in self._take_up(stream, known))
        for held in self.pool.held().keys() - wanted:
            if not held[0].startswith(AGENT):
                self.pool.cancel(*held)  # it ended in a commit whose reply was lost
        for parked in self.queue.visits() - wanted:
            self.queue.gone(*parked)

    async def begin(self, running: Running | None) -> None:
        """Starts dispatching. Jobs that the previous process was running are lost; all others continue. No job is
        dispatched before its commit."""
        await self._all_durable()
        self._begun = True  # no await from here on, so that each ready job is submitted once
        if running is not None:
            running.anew()
        before, why = (running.before, "crash" if running.crashed else "stop") if running is not None else ((), "crash")
        for stream in list(self.journal.streams.values()):
            if stream.law.kind != "run" or stream.ended:
                continue
            self._take_up(stream, frozenset(), before, why)
        self.left_behind.go_on()

    def _take_up(
        self, stream: Stream, known: Set[tuple[str, str, int]], lost: Collection[bytes] = (), why: str = "crash"
    ) -> Iterable[str]:
        """Continues what is pending of a run, except known jobs; reports jobs that were cut off or are in `lost` to its
        law. Returns all visits that have a job."""
        stands, run_id = pending(stream.state), stream.name
        if stands.goes_on:
            self.journal.behind(run_id, cmd.Continue())
        for visit, attempt in stands.jobs.items():
            token = stream.state.tokens[visit]
            if (run_id, visit, attempt) in known:
                continue
            if (lost and mark(stream.state.key(visit), attempt) in lost) or (
                acting(token) and not self._may_come_back(stream, token)
            ):
                self.journal.tell(run_id, cmd.Lost(visit, attempt, why))
            elif not self.left_behind.takes(stream, token):
                self._submit(stream, stream.state, token)
        return stands.jobs

    def _may_come_back(self, stream: Stream, token: Token) -> bool:
        """Whether a worker of another process may still have the attempt of a token."""
        elsewhere, node = self.queue.elsewhere, _node(stream, token)
        if elsewhere is None or not (
            self._goes_away(stream, token, node) or (node.kind in AWAY and elsewhere.gathers)
        ):  # fmt: skip
            return False
        return elsewhere.awaits(stream.name, token.visit, token.attempt, stream.state.key(token.visit))

    def arrived(self, streams: Iterable[Stream]) -> None:
        """Continues what is pending of runs that came with their partition: none of their jobs is known here."""
        for stream in streams if self._begun else ():
            if stream.law.kind == "run":
                self._take_up(stream, frozenset())

    async def _all_durable(self) -> None:
        """Waits until every stream is durable: timers and alerts may have decided something in the meantime."""
        while True:
            durable = self.journal.durable_row
            late = (each for each in self.journal.streams.values() if each.chunks and each.chunks[-1].row > durable)
            stream = next(late, None)
            if stream is None:
                return
            try:
                await self.journal.settled(stream)
            except Unavailable:
                if not await self.journal.mended():
                    return

    async def end(self, running: Running | None) -> None:
        """After the pool has stopped: waits for outputs being stored and lists what was cut off."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=STORING_S)
        if running is not None:
            cut_off = [(job.key, job.attempt) for job in (*self.pool.cut_off, *self.cut_off)]
            stored = [(job.key, job.attempt) for job in self._storing.values()]
            running.stop([*cut_off, *stored])

    def committed(self, commit: Committed) -> None:
        """Applies the effects of a commit."""
        for told in commit.told:
            effects, stream = told.changes.effects, told.stream
            if effects is None or stream.law.kind != "run":
                continue
            run = stream.state
            if effects.jobs and self._begun:
                tokens = run.tokens
                for visit, attempt in effects.jobs:
                    ahead = self._ahead.get((stream.name, visit)) if self._ahead else None
                    if ahead is not None and ahead.attempt == attempt:
                        del self._ahead[stream.name, visit]
                        continue
                    token = tokens.get(visit)
                    if token is not None and token.attempt == attempt and token.state == READY:
                        self._submit(stream, run, token)
            if effects.gone:
                self._stop(stream, effects)
            if effects.goes_on and self._begun:
                self.journal.behind(stream.name, cmd.Continue())

    def begins(self, stream: Stream, effects: Effects, row: int, most: int) -> int:
        """Begins those jobs of a decision that need not wait for its commit, because their calls have no visible effect
        (SEMANTICS 6.1). Returns their number; the others are submitted when it is durable."""
        run, begun = stream.state, 0
        for visit, attempt in effects.jobs[:most] if self._begun else ():
            token = run.tokens.get(visit)
            if token is None or token.attempt != attempt or token.state != READY or token.intents or token.resume:
                continue
            node = _node(stream, token)
            spec = node.spec
            if node.kind == "function" and spec.effect == "none" and not (spec.timeout.deadline_ms or spec.worker):
                begun += node.config.handler in self.pure and self._submit(stream, run, token, row, node)
        return begun

    def _stop(self, stream: Stream, effects: Effects) -> None:
        run_id = stream.name
        for visit in effects.gone:
            ahead = self._ahead.get((run_id, visit))
            token = stream.state.tokens.get(visit) if ahead is not None else None
            if ahead is not None and token is not None and token.attempt == ahead.attempt and token.state == READY:
                continue  # it was made ready again in the meantime
            self.pool.cancel(run_id, visit)
            if self.left_behind and ((token := stream.state.tokens.get(visit)) is None or token.state != READY):
                self.left_behind.over(run_id, visit)
            if self.queue:
                self.queue.gone(run_id, visit)
            if self._held:
                self._held.pop((run_id, visit), None)

    def _submit(self, stream: Stream, run: Run, token: Token, ahead_of: int = 0, known: Node | None = None) -> bool:
        """Submits the job of a ready token. `ahead_of` is the row of a decision not yet durable: the job is then
        submitted only if all it needs is in memory. Returns whether it was."""
        scope = run.scopes[token.scope]
        node = known or _node(stream, token)
        if (
            node.kind != "function" or node.config.handler not in self.loaded or node.spec.worker or self.queue.paused
        ) and self._waits(stream, token, node):
            return False
        resume = step = None
        try:
            if node.input is None and len(node.ins) == 1 and token.resume is None:
                # The one in-edge of a ready node is taken: the output of its source is the input.
                value = decode(scope.done[node.ins[0].source.id].output)
                if type(value) is dict and ("$ref" in value or ITEMS in value):
                    step = Step(run, stream.derived, self.journal.now_ms)
                    value = input_value(step, scope, node)
            else:
                step = Step(run, stream.derived, self.journal.now_ms)
                value = input_value(step, scope, node)
                resume = step.load(token.resume) if token.resume is not None else None
        except (Needs, DeniedError) as stopped:
            if not ahead_of:
                self._not_at_hand(stream, token, stopped)
            return False
        run_id, visit = stream.name, token.visit
        if step is not None:
            self._values.made((run_id, visit))
        key = run.key(visit) if run.again else f"{run_id}/{visit}"  # most jobs: without a call
        job = Job(
            run_id, visit, token.attempt, node.task, value, node.input is not None, key, run.tenant,
            run.mode, node.spec.priority or run.priority, run.depth, resume, True, self.journal.epochs.now,
            ahead_of or self.journal.durable_row,
        )  # fmt: skip
        if run.trace:
            job.trace = run.trace
        if token.crashes:
            job.crashes = token.crashes
        if self.queue.coming:
            job.queued_ms = self.queue.came((run_id, visit))
        if run.graph_ops and node.kind == "http":
            job.pushed = stream.derived.graphs.as_pushed(scope.body, node)
        if step is not None and step.items and (sequences := items_in(value)):
            if ahead_of:
                return False
            hold = partial(self._values.hold, stream.tenant, sequences)
            self.journal.aside(self._first(stream, token, hold, lambda run: self.pool.submit(job)))
            return True
        if ahead_of:
            self._ahead[run_id, visit] = job
        self.pool.submit(job)
        return True

    def _not_at_hand(self, stream: Stream, token: Token, stopped: Needs | AobError) -> None:
        """The input of a job cannot be made: fetches the missing value first, or fails the node with its expression
        error."""
        if isinstance(stopped, Needs):
            digest = stopped.ref.digest
            try:
                self._values.asks((stream.name, token.visit), stream.tenant, digest)
            except TooLarge as refused:
                stopped = refused
            else:
                fetch = partial(self._values.fetch, stream.tenant, digest)
                self.journal.aside(self._first(stream, token, fetch, lambda run: self._submit(stream, run, token)))
                return
        error = canonical({"code": stopped.code, "message": stopped.detail})
        self.journal.tell(stream.name, cmd.Fail(token.visit, token.attempt, Raw(error), False))

    def _goes_away(self, stream: Stream, token: Token, node: Node) -> bool:
        """Whether a node is for a worker of another process."""
        if node.kind == "function":
            return bool(node.spec.worker) or node.config.handler not in self.loaded
        run, visit = stream.state, token.visit
        return self.queue.away(node.task, stream.name, visit, token.attempt, run.key(visit), run.tenant)

    def rethink(self, here: Workers) -> None:
        """Workers of built-in kinds came: what waits to be performed in this process goes to them."""
        self._take_back(here, self._goes_away)

    def _take_back(self, workers: Workers, which: Callable[[Stream, Token, Node], bool]) -> None:
        """Submits anew which of the jobs have not begun."""
        for run, visit in workers.held():
            stream = None if run.startswith(AGENT) else self.journal.streams.get(run)
            token = stream.state.tokens.get(visit) if stream is not None else None
            if stream is None or token is None or token.state != READY:
                continue
            if which(stream, token, _node(stream, token)) and workers.withdraw(run, visit) is not None:
                self._submit(stream, stream.state, token)

    def lacks(self, node: Node) -> str:
        """The first handler of a node that no worker has; empty if all are there."""
        elsewhere = self.queue.elsewhere if node.kind == "function" or node.kind in AWAY else None
        for _, name in KINDS[node.kind].handlers(node.config):
            if name not in self.loaded and not (elsewhere is not None and elsewhere.offers(name)):
                return name
        return ""

    def _waits(self, stream: Stream, token: Token, node: Node) -> bool:
        """Whether a token waits for a worker before its job can be made."""
        anywhere = self.queue.elsewhere is not None
        if (anywhere or self.queue.paused) and (node.kind == "function" or self._goes_away(stream, token, node)):
            kept = self.queue.keeps(stream, token, node)
            if kept or anywhere:
                return kept
        lacks, queue_ms = self.lacks(node), node.spec.timeout.queue_ms
        if node.spec.worker:
            lacks = node.config.handler  # what asks for labels is never performed here
        if lacks and queue_ms:
            command = late(token.visit, token.attempt, f"no worker has the handler {lacks!r}", queue_ms)
            asyncio.get_running_loop().call_later(queue_ms / 1_000, self.journal.tell, stream.name, command)
        return bool(lacks)

    async def _first(
        self, stream: Stream, token: Token, work: Callable[[], Coroutine[Any, Any, bytes]], go: Callable[[Run], object]
    ) -> None:
        """Continues with a token once everything its job needs is in memory: workers never wait for a store."""
        attempt = token.attempt
        try:
            await self._patiently(stream.name, token.visit, work)
        except AobError as error:
            if error.code in GONE:  # our fault, not the node's
                self.journal.tell(stream.name, SetAside(error.detail))
                return
            told = Raw(canonical({"code": error.code, "message": outward(error).detail}))
            self.journal.tell(stream.name, cmd.Fail(token.visit, attempt, told, not isinstance(error, TooLarge)))
            return
        run: Run = stream.state
        if run.tokens.get(token.visit) is token and token.state == READY and token.attempt == attempt:
            go(run)

    def _again_later(self, job: Job) -> None:
        asyncio.get_running_loop().call_later(AGAIN_S, self._again, job)

    def _again(self, job: Job) -> None:
        """Repeats an attempt that was cut off by the end of another process, if this process stays up."""
        self.cut_off = [each for each in self.cut_off if each is not job]
        stream = self.journal.streams.get(job.run)
        token = self._token(job)
        if stream is None or token is None or token.attempt != job.attempt or token.state != READY:
            return
        if not self.journal.epochs.counts(job.epoch, job.row):
            return
        if acting(token):
            self.journal.tell(job.run, cmd.Lost(job.visit, job.attempt, "stop"))
        else:
            self._submit(stream, stream.state, token)

    def context(self, job: Job) -> RunContext:
        """The context of a job, made on demand."""
        stream = self.journal.streams.get(job.run)
        context = RunContext(self.journal, stream, job, self._values, self._open_log)
        self._held[(job.run, job.visit)] = context
        return context

    def pause(self, names: frozenset[tuple[str, str]]) -> None:
        """No jobs of these handlers (by tenant and name) begin from now on; those that wait already are taken back."""
        if names == self.queue.paused:
            return
        self.queue.pause(names)

        def mine(stream: Stream, token: Token, node: Node) -> bool:
            return node.kind == "function" and (stream.tenant, node.config.handler) in names

        if names:
            self._take_back(self.pool, mine)
        self.queue.look()

    def left(self, run: str) -> None:
        """A run left with its partition."""
        for key in [key for key in self.queue.visits() if key[0] == run]:
            self.queue.gone(*key)

    def verify(self, job: Job) -> list[Any] | None:
        """Intents that were never settled, if a handler should verify whether they happened; else None."""
        token = self._token(job)
        if token is None or not token.verify:
            return None
        return [
            {"kind": intent.kind, "what": msgspec.json.decode(intent.what)}
            for intent in (token.intents.open if token.intents else ())
        ]

    def running(self, run: Run) -> frozenset[str]:
        """Visits of a run that a worker has begun."""
        return frozenset(visit for visit in run.tokens if self.pool.runs(run.id, visit))


def _node(stream: Stream, token: Token) -> Node:
    """The node of a token, in the graph version of its scope."""
    graphs, scope = stream.derived.graphs, stream.state.scopes[token.scope]
    ir = graphs.body(scope.version, scope.body) if scope.body else graphs.ir(scope.version)
    node: Node = ir.nodes[token.node]
    return node
