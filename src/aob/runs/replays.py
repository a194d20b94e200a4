"""Replay and fork: a past run again, in a shadow that touches nothing, or as a new run from one of its nodes."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.errors import CallerError, NotFound
from aob.core.event.value import canonical, decode, digest_of, digest_of_cell
from aob.core.graph.ir import IR, Node
from aob.core.policy import Caller, require
from aob.core.run import Given, Needs, Run, decide, evolve
from aob.core.run import commands as cmd
from aob.core.run import events as ev
from aob.core.run.names import input_cell
from aob.core.run.state import CANCELLED, SKIPPED
from aob.core.run.step import DeniedError, Step
from aob.journal import Stream
from aob.runs.core import Core
from aob.runs.graphs import Versions
from aob.runs.history import history

NEVER_PERFORMED: Final = frozenset({"http", "agent", "object", "emit", "notify"})
STEPS_MAX: Final = 100_000


class Recorded(msgspec.Struct):
    """What a run recorded of a visit: the hash of its node's definition, of its input, and its outcome."""

    definition: str
    input: bytes
    outcome: Any


class Replays:
    """Verbs that look back."""

    core: Core

    async def fork(self, who: Caller, run_id: str, *, from_node: str) -> dict[str, Any]:
        """A new ordinary run that copies the visits before a node as completed and acts for real from there."""
        require(who, "run")
        stream = await self.core.stream(who, run_id)
        run: Run = stream.state
        versions, version = stream.derived.graphs, len(run.graph_ops)
        ir = versions.ir(version)
        after = _after(ir, from_node)
        copied = [
            outcome if outcome is not CANCELLED else ev.NodeCompleted(node, 0, outcome.on, outcome.output, b"")
            for node, outcome in run.scopes[""].done.items()
            if node not in after and node in ir.nodes and outcome.on and outcome is not SKIPPED
        ]
        new_id = self.core.ids.next()
        command = cmd.Start(
            new_id, run.workflow, run.artifact, run.version, run.tag, run.tenant, who.name, run.inputs,
            run.inputs_digest, run.mode, run.priority, run.depth, run.labels, tuple(run.graph_ops), run_id,
            tuple(copied),
        )  # fmt: skip
        decided = await self.core.journal.ask(new_id, command, fresh=True)
        return {"run_id": new_id, "status": decided.stream.state.status, "forked_from": run_id, "from": from_node,
                "copied": sorted(item.visit for item in copied)}  # fmt: skip

    async def replay(
        self,
        who: Caller,
        run_id: str,
        *,
        from_node: str,
        mode: str = "freeze",
        patches: Any = None,
        assume: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The run again in a shadow: recorded outputs where node and input are the same, nothing performed.

        `patches` is a list of operation lists put on top (what if); `assume` gives outputs of visits that would have to
        be performed. The answer lists every visit as recorded, computed, assumed or unknown, and `calls` is always 0.
        """
        require(who, "view")
        if mode != "freeze":
            raise CallerError(f"replay mode {mode!r} is not available", code="mode_unavailable",
                              hint="use --mode freeze, or fork: aob run fork RUN --from NODE")  # fmt: skip
        stream = await self.core.stream(who, run_id)
        run: Run = stream.state
        versions: Versions = stream.derived.graphs
        _after(versions.ir(len(run.graph_ops)), from_node)
        extra: list[list[dict[str, Any]]] = list(patches or [])
        for operations in extra:
            from aob.core.graph.patch import compile_operations

            versions = versions.extended(compile_operations(versions.document(len(versions) - 1), operations))
        recorded, now = await self._recorded(stream)
        shadow = _Shadow(self.core, run, versions, len(run.graph_ops) + len(extra), recorded, assume or {}, from_node)
        return await shadow.run_through(now)

    async def _recorded(self, stream: Stream) -> tuple[dict[str, Recorded], int]:
        """Every visit with an outcome of the run, with the hashes it had when it was made."""
        run: Run = stream.state
        given: Given = stream.derived
        facts = await history(self.core, stream)
        told = Run(run.id)
        recorded: dict[str, Recorded] = {}
        for fact in facts:
            event = fact.event
            if isinstance(event, ev.NodeCompleted | ev.NodeFailed):
                step = Step(told, given, fact.at_ms)
                path, _, name = event.visit.rpartition("/")
                scope = told.scopes.get(path)
                if scope is not None and name in (ir := step.ir_of(scope)).nodes:
                    digest = await _input_digest(self.core, step, scope, ir.nodes[name])
                    recorded[event.visit] = Recorded(ir.nodes[name].hash, digest, event)
            told = evolve(told, event)
        return recorded, facts[0].at_ms if facts else 0


async def _input_digest(core: Core, step: Step, scope: Any, node: Node) -> bytes:
    while True:
        try:
            return digest_of_cell(input_cell(step, scope, node))
        except Needs as needs:
            await core.values.fetch(step.run.tenant, needs.ref.digest)
        except DeniedError:
            return b""


class _Shadow:
    """A run that exists only here: commands go through the law, results come from the record."""

    def __init__(
        self, core: Core, run: Run, versions: Versions, version: int, recorded: dict[str, Recorded],
        assume: dict[str, Any], from_node: str,
    ) -> None:  # fmt: skip
        self.core, self.source, self.recorded, self.assume = core, run, recorded, assume
        self.version, self.from_node = version, from_node
        law = core.run_law
        self.given = Given(versions, core.values.of(run.tenant), law.rules, law.effects)
        self.run = Run(run.id)
        self.visits: list[dict[str, Any]] = []
        self.unknown: list[str] = []

    async def run_through(self, now: int) -> dict[str, Any]:
        source = self.source
        overlay = tuple(Raw(canonical([])) for _ in range(self.version))
        start = cmd.Start(
            source.id, source.workflow, source.artifact, source.version, source.tag, source.tenant, source.by,
            source.inputs, source.inputs_digest, source.mode, source.priority, source.depth, source.labels, overlay,
        )  # fmt: skip
        await self._put(start, now)
        for _ in range(STEPS_MAX):
            if self.run.final or not await self._advance(now):
                break
        return self._report()

    async def _advance(self, now: int) -> bool:
        """Answers one token as it was recorded; False when nothing can go on."""
        for token in list(self.run.tokens.values()):
            if token.visit in self.unknown:
                continue
            if token.state == "ready":
                await self._perform(token.visit, token.attempt, now)
                return True
            known = self.recorded.get(token.visit)
            timer = next((t for t in self.run.timers.values() if t.visit == token.visit and t.kind == "sleep"), None)
            if timer is not None:
                self._note(token.visit, "computed")
                await self._put(cmd.Fire(timer.id), max(now, timer.due_ms))
                return True
            if known is not None and isinstance(known.outcome, ev.NodeCompleted):
                await self._answer_as_recorded(token.visit, known, now)
                return True
            if token.visit not in self.unknown and token.visit not in self.run.bodies:
                self._unknown(token.visit, "waits for a person or a message that was never there")
                return True
        return False

    async def _answer_as_recorded(self, visit: str, known: Recorded, now: int) -> None:
        """A ticket, message or join deadline: it ends here as it ended there."""
        scope = self.run.scopes[visit.rpartition("/")[0]]
        step = Step(self.run, self.given, now)
        ir = step.ir_of(scope)
        event = known.outcome
        step.drop_timers(visit)
        step.close_tickets(visit)
        from aob.core.run.inner import conclude

        again = ev.NodeCompleted(visit, event.attempt, event.on, event.output, event.digest, event.took)
        step.route(scope, ir, ir.nodes[visit.rpartition("/")[2]], again)
        conclude(step)
        for each in step.events:
            evolve(self.run, each)
        self._note(visit, "recorded", event)

    async def _perform(self, visit: str, attempt: int, now: int) -> None:
        scope = self.run.scopes[visit.rpartition("/")[0]]
        step = Step(self.run, self.given, now)
        node = step.ir_of(scope).nodes[visit.rpartition("/")[2]]
        known = self.recorded.get(visit)
        digest = await _input_digest(self.core, step, scope, node)
        if visit in self.assume:
            data = canonical(self.assume[visit])
            self._note(visit, "assumed")
            await self._put(cmd.Complete(visit, attempt, Raw(data), digest_of(data)), now)
        elif known is not None and known.definition == node.hash and known.input == digest:
            event = known.outcome
            self._note(visit, "recorded", event)
            if isinstance(event, ev.NodeCompleted):
                await self._put(cmd.Complete(visit, attempt, event.output, event.digest), now)
            else:
                await self._put(cmd.Fail(visit, attempt, event.output, False), now)
        else:
            same_node = known is not None and known.definition == node.hash
            why = "never happened" if known is None else "gets another input" if same_node else "is another node now"
            self._unknown(visit, f"{why}; a replay performs nothing: --assume {visit}=VALUE settles it")

    async def _put(self, command: Any, now: int) -> None:
        while True:
            try:
                decision = decide(self.run, command, self.given, now)
                break
            except Needs as needs:
                await self.core.values.fetch(self.source.tenant, needs.ref.digest)
        for digest, data in decision.values.items():
            self.core.values.remember(self.source.tenant, digest, data)
        for event in decision.events:
            self.run = evolve(self.run, event)
            if isinstance(event, ev.NodeCompleted) and not any(v["visit"] == event.visit for v in self.visits):
                self._note(event.visit, "computed", event)

    def _note(self, visit: str, how: str, event: Any = None) -> None:
        told: dict[str, Any] = {"visit": visit, "how": how}
        if event is not None:
            told["on"] = event.on
        self.visits.append(told)

    def _unknown(self, visit: str, why: str) -> None:
        self.unknown.append(visit)
        self.visits.append({"visit": visit, "how": "unknown", "why": why})

    def _report(self) -> dict[str, Any]:
        run, source = self.run, self.source
        same = run.final == source.final and bytes(run.output) == bytes(source.output)
        after = _after(self.given.graphs.ir(self.version), self.from_node)
        return {
            "run_id": source.id, "mode": "freeze", "shadow": True, "from": self.from_node,
            "status": run.final or ("UNKNOWN" if self.unknown else run.status),
            "same": same, "output": decode(run.output) if run.final else None,
            "visits": [{**told, "replayed": root_node(told["visit"]) in after} for told in self.visits],
            "unknown": self.unknown, "calls": 0,
            "at": datetime.fromtimestamp(source.started_ms / 1_000, UTC).isoformat(),
        }  # fmt: skip


def root_node(visit: str) -> str:
    """The node of the root scope that a visit belongs to: `each[3]/fetch` belongs to `each`."""
    return visit.partition("/")[0].partition("[")[0].partition("#")[0]


def _after(ir: IR, node_id: str) -> set[str]:
    """A node and everything that follows it. Raises NotFound when the graph has no such node."""
    node = ir.nodes.get(node_id)
    if node is None:
        raise NotFound(f"the run's graph has no node {node_id!r}", code="node_not_found",
                       hint=f"nodes: {', '.join(list(ir.nodes)[:12])}")  # fmt: skip
    found: set[str] = set()
    frontier = [node]
    while frontier:
        here = frontier.pop()
        if here.id not in found:
            found.add(here.id)
            frontier.extend(edge.target for edges in here.outs.values() for edge in edges)
    return found
