"""Replay and fork: repeats a past run as a shadow without effects, or as a new run from one of its nodes."""

import asyncio
from collections.abc import Mapping, Set
from typing import Any

from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Problem, Refused
from aob.core.graph.compiled import IR
from aob.core.graph.patch import compile_operations, read_operations
from aob.core.policy import Caller, review_patch
from aob.core.rights import needed_roles, require_decider
from aob.core.run import Run, evolve
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state import OPENING
from aob.core.run.stepping import Given, Step
from aob.core.value import NULL, canonical, inline
from aob.core.verb import performs
from aob.core.verbs import run_verbs as verbs
from aob.journal import Stream
from aob.runs import Core
from aob.runs.graphs import Versions
from aob.runs.incoming import json_of, object_of, text_of
from aob.runs.recorded import history
from aob.runs.replay.shadow import BREATH, Recorded, Shadow, input_digest, root_node


def _authors(run: Run) -> list[str]:
    """Names and keys of the authors of a run's patches."""
    return [name for patch in run.patches.values() if patch.number for name in (patch.author, patch.key) if name]


class Replays:
    """Verbs that repeat past runs."""

    core: Core

    @performs(verbs.FORK)
    async def fork(self, who: Caller, args: verbs.ForkRun) -> JsonObject:
        """A new run that copies the visits before a node as they ended and executes from there.

        `patches` is a list of operation lists to apply, `assume` replaces outputs of copied visits. Visits that depend
        on such a change are not copied: they run again, and approvals are requested again. Raises Refused
        `approval_needed` when an effect or an approval depends on it and the caller has a key: a person has to review
        it."""
        run_id, from_node = args.run_id, args.from_node
        stream = await self.core.stream(who, run_id)
        run: Run = stream.state
        versions, first = _graph(stream), len(run.graph_ops)
        after = _after(versions.ir(first), text_of(from_node, "/from"))
        overlay = list(run.graph_ops)
        for operations in _patches(args.patches):
            data = canonical(compile_operations(versions.document(len(overlay)), operations))
            versions = versions.extended(read_operations(data, size=len(data)))
            overlay.append(Raw(data))
        ir = versions.ir(len(overlay))
        assumed = _given(_assumed(args.assume, ir), run)
        if assumed or len(overlay) > first:
            after = after | await asyncio.to_thread(self._changed, who, run, versions, set(assumed))
        copied = _copied(run, ir, after - assumed.keys(), assumed)
        await self.core.journal.settled(stream)
        begins = self.core.heir or self.core
        new_id = begins.ids.next()
        command = cmd.Start(
            new_id, run.workflow, run.artifact, run.version, run.tag, run.tenant, who.name, run.inputs,
            run.inputs_digest, run.mode, run.priority, run.depth, run.labels, tuple(overlay), run_id,
            tuple(copied), rules=run.rules, by_key=who.id,
            authors=(*run.authors, *_authors(run), *((who.name, who.id) if len(overlay) > first else ())),
        )  # fmt: skip
        decided = await begins.journal.ask(new_id, command, fresh=True, reads=lambda now: now.stream.state.status)
        return {"run_id": new_id, "status": decided.said, "forked_from": run_id, "from": from_node,
                "copied": sorted(item.visit for item in copied)}  # fmt: skip

    def _changed(self, who: Caller, run: Run, versions: Versions, given: set[str]) -> frozenset[str]:
        """Root nodes that depend on a fork's changes. Raises Invalid, or Refused if a person has to review it."""
        before, after = versions.document(len(run.graph_ops)), versions.document(len(versions) - 1)
        law = self.core.run_law
        verdict = review_patch(before, after, caller_kind="person", rules=law.rules, agents_used=run.agents,
                               handler_effects=law.effects_of(run.tenant), given=given)  # fmt: skip
        if verdict.problems:
            raise Invalid("the fork cannot be patched like this", verdict.problems)
        asks = [node for node in given if before["nodes"].get(node, {}).get("kind") == "approval"]
        if asks:
            raise Refused(f"an approval is asked and never assumed: {', '.join(asks)}", code="approval_needed",
                          hint="fork from a node before it, and it is asked again")  # fmt: skip
        if verdict.needs_person:
            if who.id:
                why = f"a person has to see this change: {'; '.join(verdict.reasons)}"
                hint = "fork without the change and propose it as a patch of the fork, where it waits for a person"
                raise Refused(why, code="approval_needed", hint=hint)
            require_decider(who, f"the fork of {run.id}", needed_roles("patch", "approve", verdict.roles), {})
        return verdict.reached

    @performs(verbs.REPLAY)
    async def replay(self, who: Caller, args: verbs.ReplayRun) -> JsonObject:
        """The run again as a shadow: recorded outputs where node and input are equal; calls only handlers declared
        deterministic and without effect (and only for callers who may start runs).

        `patches` is a list of operation lists to apply (what if); `assume` gives outputs of visits that would have to
        be performed. The answer lists every visit as recorded, computed, assumed or unknown; `calls` is always 0."""
        from_node, mode = args.from_node, str(args.mode)
        if mode != "freeze":
            raise CallerError(f"replay mode {mode!r:.40} is not available", code="mode_unavailable",
                              hint="use --mode freeze, or fork: aob run fork RUN --from NODE")  # fmt: skip
        stream = await self.core.stream(who, args.run_id)
        run: Run = stream.state
        versions = _graph(stream)
        after = _after(versions.ir(len(run.graph_ops)), text_of(from_node, "/from"))
        version = len(run.graph_ops)
        for operations in _patches(args.patches):
            versions = versions.extended(compile_operations(versions.document(version), operations))
            version += 1
        assumed = _assumed(args.assume, versions.ir(version))
        await self.core.journal.settled(stream)
        recorded, start_ms = await self._recorded(stream)
        law = self.core.run_law
        given = Given(versions, self.core.values.of(run.tenant), law.rules, law.effects_of(run.tenant), judges=False)
        compute = self.core.compute if who.roles & {"run", "admin"} else None  # it is the tenant's code that runs
        shadow = Shadow(self.core.values, run, given, version, recorded, assumed, compute)
        report = await shadow.run_through(start_ms)
        visits = [{**told, "replayed": root_node(told["visit"]) in after} for told in report["visits"]]
        return {**report, "from": from_node, "visits": visits}

    async def _recorded(self, stream: Stream) -> tuple[dict[str, Recorded], int]:
        """Every visit of the run with an outcome, with its hashes at that time."""
        run: Run = stream.state
        given: Given = stream.derived
        facts = await history(self.core, stream)
        told = Run(run.id)
        recorded: dict[str, Recorded] = {}
        dues: dict[str, int] = {}
        for count, fact in enumerate(facts):
            event = fact.event
            if isinstance(event, ev.TimerSet) and event.kind in OPENING:
                dues[event.visit] = event.due_ms
            if isinstance(event, ev.NodeCompleted | ev.NodeFailed):
                step = Step(told, given, fact.at_ms)
                path, _, name = event.visit.rpartition("/")
                scope = told.scopes.get(path)
                if scope is not None and name in (ir := step.ir_of(scope)).nodes:
                    digest = await input_digest(self.core.values, step, scope, ir.nodes[name])
                    hashes, due_ms = (ir.nodes[name].hash, digest), dues.get(event.visit, 0)
                    recorded[event.visit] = Recorded(*hashes, event, fact.at_ms, count, due_ms)
            told = evolve(told, event)
            if not count % BREATH:
                await asyncio.sleep(0)
        return recorded, facts[0].at_ms if facts else 0


def _copied(run: Run, ir: IR, not_these: Set[str], assumed: Mapping[str, bytes]) -> list[ev.NodeCompleted]:
    """The outcomes that a fork begins with."""
    copied: list[ev.NodeCompleted] = []
    done = run.scopes[""].done
    for node, outcome in done.items():
        if node in not_these or node not in ir.nodes:
            continue
        if node in assumed:
            data = assumed[node]
            copied.append(ev.NodeCompleted(node, 1, "success", Raw(data), b""))
        elif isinstance(outcome, ev.NodeCompleted):
            copied.append(outcome)
        elif isinstance(outcome, ev.NodeFailed) and outcome.on:
            # The failure was handled, so it counts as an outcome here, and its edge is taken again.
            copied.append(
                ev.NodeCompleted(node, outcome.attempt, outcome.on, outcome.output, b"",
                                 outcome.took)
            )  # fmt: skip
        elif outcome.on == "cancelled" and (to := _targets(ir, node)) and done.keys() >= to:
            # A join no longer needed it: it does not begin here either. What the end of the run cut off begins again.
            copied.append(ev.NodeCompleted(node, 0, "cancelled", NULL, b""))
    return copied


def _targets(ir: IR, node: str) -> set[str]:
    return {edge.target.id for edges in ir.nodes[node].outs.values() for edge in edges}


def _given(assumed: dict[str, bytes], run: Run) -> dict[str, bytes]:
    """Outputs that a fork gives to ended visits. Raises Invalid for other visits and for outputs over 4 KiB."""
    done = run.scopes[""].done
    problems = [
        Problem(f"/assume/{visit}", "at most 4 KiB" if visit in done else "no such visit has ended", "bad_value")
        for visit, data in assumed.items() if visit not in done or not inline(data)
    ]  # fmt: skip
    if problems:
        raise Invalid("the fork cannot give these outputs", problems)
    return assumed


def _graph(stream: Stream) -> Versions:
    versions: Versions = stream.derived.graphs
    if not len(versions):
        raise Conflict(f"{stream.name}: {stream.state.quarantined}", code="graph_unreadable",
                       hint="open the home with the release that wrote it")  # fmt: skip
    return versions


def _patches(given: Any) -> list[list[JsonObject]]:
    """What-if patches. Raises Invalid if they are not lists of operations."""
    if given is None:
        return []
    lists = given if isinstance(given, list) else [given]
    for index, operations in enumerate(lists):
        if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
            why = "what-if patches are lists of operations"
            raise Invalid(why, [Problem(f"/patches/{index}", "must be a list of operations", "wrong_type")])
        json_of(operations, f"/patches/{index}")
    return lists


def _assumed(given: Any, ir: IR) -> dict[str, bytes]:
    """Assumed outputs as JSON. Raises NotFound for a visit of an unknown node."""
    assumed: dict[str, bytes] = {}
    for visit, value in object_of(given or {}, "/assume").items():
        if root_node(str(visit)) not in ir.nodes:
            raise NotFound(f"the graph has no node for {str(visit)[:64]!r}", code="node_not_found",
                           hint=f"nodes: {', '.join(list(ir.nodes)[:12])}")  # fmt: skip
        assumed[visit] = json_of(value, f"/assume/{visit}")
    return assumed


def _after(ir: IR, node_id: str) -> set[str]:
    """A node and all nodes after it. Raises NotFound if the graph has no such node."""
    node = ir.nodes.get(node_id)
    if node is None:
        raise NotFound(f"the run's graph has no node {node_id[:64]!r}", code="node_not_found",
                       hint=f"nodes: {', '.join(list(ir.nodes)[:12])}")  # fmt: skip
    found: set[str] = set()
    frontier = [node]
    while frontier:
        here = frontier.pop()
        if here.id not in found:
            found.add(here.id)
            frontier.extend(edge.target for edges in here.outs.values() for edge in edges)
    return found
