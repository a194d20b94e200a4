"""Patches on a run: proposed, checked three times, applied or shown to a person, rolled back (SEMANTICS 4)."""

from typing import Any

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Invalid, NotFound, Problem
from aob.core.graph.compiled.ir import IR, Node
from aob.core.graph.patch import apply, compile_operations, diff, read_operations
from aob.core.graph.patch.difference import diff_hash
from aob.core.graph.patch.operation import Operation
from aob.core.graph.patch.pointer import nodes_in
from aob.core.graph.patch.rollback import frozen_problems, inverse, rollback_operations
from aob.core.graph.patch.touch_set import Clash, rebase
from aob.core.policy.patch import Verdict, review_patch
from aob.core.run.ending import outcome
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state.run import SKIPPED, Patch, Run, Scope, body_of, takes, verdict_of
from aob.core.run.stepping.given import Graphs
from aob.core.run.stepping.step import Step
from aob.core.value import NULL, canonical, decode, digest_of

Operations = list[JsonObject]
_operations = msgspec.json.Decoder(Operations)


class Plan(msgspec.Struct):
    """A checked patch: its operations on the current graph, and the results of the checks."""

    operations: Operations
    document: JsonObject
    graphs: Any
    difference: JsonObject
    shown: str
    verdict: Verdict
    agents: int


def propose(step: Step, command: cmd.Propose) -> None:
    """Checks a patch against the current run: applies it, lets it wait for a person, or records it as invalid."""
    run = step.run
    known = run.patches.get(command.id)
    if known is not None:
        differs = {} if command.rollback_of or known.author == command.author else {
            "author": {"was": known.author, "is": command.author}
        }  # fmt: skip
        if known.digest != command.digest:
            differs["operations"] = {"was": f"sha256:{known.digest.hex()}", "is": f"sha256:{command.digest.hex()}"}
        if differs:
            raise Conflict(f"{command.id} exists with other {' and '.join(differs)}", code="patch_exists",
                           patch=command.id, differs=differs)  # fmt: skip
        return
    if run.final:
        raise Conflict(f"{run.id} is {run.final}: its graph is history", code="run_finished",
                       hint=f"fork it: aob run fork {run.id} --from NODE")  # fmt: skip
    base = command.base or step.given.graphs.ir(len(run.graph_ops)).hash
    try:
        operations = read_operations(bytes(command.operations), size=len(bytes(command.operations)))
        plan = plan_patch(step, base, operations, command.kind, command.rollback_of, command.visit)
    except Invalid as invalid:
        step.events.append(_proposed(step, command, base, "invalid", problems=invalid.problems))
        return
    step.events.append(_proposed(step, command, base, "proposed", plan))
    if plan.verdict.needs_person:
        ask(step, command, plan)
    else:
        publish(step, command.id, plan, command.author, rollback_of=command.rollback_of)


def _proposed(
    step: Step,
    command: cmd.Propose,
    base: str,
    state: str,
    plan: Plan | None = None,
    problems: tuple[Problem, ...] = (),
) -> ev.PatchProposed:
    return ev.PatchProposed(
        command.id, command.author, command.kind, command.reason, base, command.operations, state,
        step.now, command.visit, plan.shown if plan else "", step.given.rules.version, Raw(canonical(problems)),
        command.digest, key=command.key,
    )  # fmt: skip


def ask(step: Step, command: cmd.Propose, plan: Plan) -> None:
    """Shows the diff to a person; the answer binds its hash and the version of the rules."""
    # The findings come first: a long reason must not push them out of sight.
    text = f"{command.author} wants to change the graph ({'; '.join(plan.verdict.reasons)}): "
    show(step, command.id, command.visit, text + (command.reason or "no reason given"), plan)


def show(step: Step, patch: str, visit: str, text: str, plan: Plan, *about: str) -> None:
    """Opens the ticket of a patch with its diff."""
    id = step.run.ticket_id(patch, plan.shown, step.given.rules.version, *about)
    ticket = ev.TicketOpened(
        id, visit, "patch", "approve", text, ["approve", "reject"], {}, step.cell(plan.difference), about=patch,
        roles=list(plan.verdict.roles), barred=barred_of(step, plan),
    )  # fmt: skip
    step.open_ticket(ticket)


def barred_of(step: Step, plan: Plan) -> list[str]:
    """Whom the ticket of a patch bars, in addition to the key that proposed it."""
    four_eyes = ("starter",) if step.given.rules.four_eyes else ()
    return list(dict.fromkeys((*plan.verdict.barred, *four_eyes)))


def plan_patch(
    step: Step, base: str, operations: Operations, kind: str, rollback_of: str = "", visit: str = ""
) -> Plan:
    """All checks of a patch against the current run. Raises Invalid with every problem, or Conflict."""
    run, graphs, given = step.run, step.given.graphs, step.given
    now_at = len(run.graph_ops)
    before = graphs.document(now_at)
    mine = compile_operations(before, _rebased(run, graphs, base, operations))
    after = apply(before, mine)
    dispatched, decided = begun_nodes(run)
    problems = list(frozen_problems(before, after, dispatched, decided))
    newer: Graphs | None = None
    try:
        newer = graphs.extended(mine)
    except Invalid as invalid:
        problems.extend(invalid.problems)
    verdict = review_patch(
        before, after, caller_kind=kind, rules=given.rules, agents_used=run.agents, handler_effects=given.effects,
        decided=decided, author=body_of(visit),
    )  # fmt: skip
    problems.extend(verdict.problems)
    if problems or newer is None:
        raise Invalid("the patch cannot be applied", problems)
    difference = diff(before, after)
    # A rollback's removed agents may be added again; a patch's removals do not offset its additions.
    agents = min(0, _agents(after) - _agents(before)) if rollback_of else verdict.agents_added
    return Plan(mine, after, newer, difference, diff_hash(difference), verdict, agents)


def begun_nodes(run: Run) -> tuple[frozenset[str], frozenset[str]]:
    """Nodes of the root scope that were dispatched, and those that have any outcome, skipped ones included."""
    done = run.scopes[""].done
    live = {token.node for token in run.tokens.values() if not token.scope}
    return frozenset(live | {node for node, how in done.items() if how is not SKIPPED}), frozenset(done)


def _agents(document: JsonObject) -> int:
    return sum(node.get("kind") == "agent" for _, node in nodes_in(document))


def _rebased(run: Run, graphs: Graphs, base: str, operations: Operations) -> Operations:
    """The operations on the current graph, if they were written against an older version of it."""
    now_at = len(run.graph_ops)
    for version in range(now_at, -1, -1):
        if graphs.ir(version).hash == base:
            break
    else:
        raise Invalid("the base of the patch is not a version of this run's graph", [
            Problem("/base", f"{base[:24]!r} is unknown here", "unknown_base",
                    hint="read the graph again: GET /v1/runs/RUN/graph gives its hash")
        ])  # fmt: skip
    if version == now_at:
        return operations
    theirs = [_operations.decode(done) for done in run.graph_ops[version:]]
    document = graphs.document(version)
    result = rebase(document, theirs, compile_operations(document, operations))
    if isinstance(result, Clash):
        raise Invalid("the graph has changed under the patch", [
            Problem(f"/{entry.replace(':', 's/')}", "another patch has changed this since", "patch_conflict",
                    hint="read the graph again and write the patch against it")
            for entry in sorted(result.entries)
        ])  # fmt: skip
    return list(result.operations)


def publish(step: Step, id: str, plan: Plan, by: str, *, rollback_of: str = "") -> None:
    """Applies the patch: a new version, its stored inverse, and the signals of new edges."""
    run, before = step.run, step.given.graphs
    number = len(run.graph_ops) + 1
    old, new = before.ir(number - 1), plan.graphs.ir(number)
    back = inverse(before.document(number - 1), plan.operations)
    event = ev.PatchApplied(
        id, number, Raw(canonical(plan.operations)), Raw(canonical(back)), new.hash, by, agents=plan.agents,
        rollback_of=rollback_of,
    )  # fmt: skip
    step.events.append(event)
    step.given = step.given.under(plan.graphs)
    root = run.scopes[""]
    moving: list[tuple[Scope, IR, IR]] = []
    for path, scope in run.scopes.items():
        if not path:
            continue
        was, will = before.body(scope.version, scope.body), _body(plan.graphs, number, scope.body)
        if will is not None and will.hash == was.hash:
            event.moved.append(path)
        elif will is not None and not _dispatched_changed(scope, was, will):
            moving.append((scope, was, will))
        else:
            event.stayed.append(path)
    _recount(step, root, old, new, event)
    for scope, was, will in moving:
        moved = ev.ScopeMoved(scope.path, number)
        step.events.append(moved)
        _recount(step, scope, was, will, moved)


def _body(graphs: Graphs, version: int, body: str) -> IR | None:
    try:
        return graphs.body(version, body)
    except KeyError:
        return None


def _dispatched_changed(scope: Scope, was: IR, will: IR) -> bool:
    begun = scope.done.keys() | scope.live.keys()
    return any(
        node not in will.nodes
        or will.nodes[node].hash != was.nodes[node].hash
        or _ins(will.nodes[node]) != _ins(was.nodes[node])
        for node in begun
    )


def _recount(step: Step, scope: Scope, old: IR, new: IR, event: ev.PatchApplied | ev.ScopeMoved) -> None:
    """Gives the signals of changed edges to nodes that have not begun: some begin, some are skipped, some wait."""
    prefix, tokens = scope.prefix, step.run.tokens
    event.undone.extend(sorted(node for node in scope.done if node not in new.nodes))
    number = event.number if isinstance(event, ev.PatchApplied) else event.version
    step.move(scope, number)
    step.touched[scope.path] = scope
    step.undone[scope.path] = len(event.undone)
    waiting = [node for node in new.nodes.values() if node.id not in scope.done and prefix + node.id not in tokens]
    changed = [node for node in waiting if _ins(node) != _ins(old.nodes.get(node.id)) or node.id not in old.nodes]
    event.reset.update({node: (0, 0) for node in scope.signals if node not in new.nodes})
    late: list[tuple[Node, str]] = []
    for node in changed:
        taken, skipped = _signals(scope, node)
        if not node.ins:
            late.append((node, "run"))
            continue
        if node.id in scope.signals or taken or skipped:
            event.reset[node.id] = (taken, skipped)
            step.signals[(scope.path, node.id)] = (taken, skipped)
        verdict = verdict_of(node, taken, skipped)
        if verdict != "wait":
            late.append((node, verdict))
        elif node.kind == "join" and node.config.deadline and (taken or skipped):
            step.inner.append((scope, new, node))
    for node, verdict in late:
        if verdict == "run":
            step.enter(scope, new, node, event)
        else:
            event.skipped.append(node.id)
            step.decided(scope, node.id, SKIPPED)
    for node, verdict in late:
        if verdict == "skip":
            step.starve(scope, new, [node], event)


def _ins(node: Node | None) -> frozenset[tuple[str, str, str]]:
    """What the signals of a node depend on: its edges, their sources, and the outcomes that offer them."""
    return frozenset() if node is None else frozenset((edge.id, edge.source.id, edge.on) for edge in node.ins)


def _signals(scope: Scope, node: Node) -> tuple[int, int]:
    taken = skipped = 0
    for edge in node.ins:
        how = scope.done.get(edge.source.id)
        if how is None:
            continue
        if takes(edge, how):
            taken += 1
        else:
            skipped += 1
    return taken, skipped


def settle_holder(step: Step, patch: Patch) -> None:
    """Completes the agent that held its token for this patch; its output says what became of the patch."""
    token = step.run.tokens.get(patch.visit)
    if token is None or token.kept is None or token.kept.patch != patch.id:
        return
    held = token.kept
    scope, ir, node = step.place(token)
    step.drop_timers(held.visit)
    step.route(scope, ir, node, outcome(held.visit, "success", held.output, attempt=held.attempt))


def roll_back(step: Step, command: cmd.Propose) -> None:
    """Rolls back an applied patch. Raises Conflict `patch_needed` with the list of later patches that need it."""
    run = step.run
    if command.id in run.patches:
        return
    patch = run.patches.get(command.rollback_of)
    if patch is None:
        raise NotFound(f"there is no patch {command.rollback_of}")
    if run.final:
        raise Conflict(f"{run.id} is {run.final}: its graph is history", code="run_finished")
    if patch.state != "applied":
        raise Conflict(f"{patch.id} is {patch.state}: only an applied patch can be rolled back", code="patch_closed")
    inverse = _rebased_inverse(step, patch)
    graphs, now_at = step.given.graphs, len(run.graph_ops)
    dispatched, decided = begun_nodes(run)
    operations = rollback_operations(graphs.document(now_at), inverse, dispatched | decided)
    if not operations:
        raise Conflict(f"all that {patch.id} added has begun: nothing is left to take back", code="nothing_left",
                       hint=f"fork the run from an earlier node: aob run fork {run.id} --from NODE")  # fmt: skip
    base = graphs.ir(now_at).hash
    plan = plan_patch(step, base, operations, patch.kind, patch.id)
    step.events.append(
        ev.PatchProposed(
            command.id, command.author, patch.kind, command.reason or f"rolls back {patch.id}", base,
            Raw(canonical(operations)), "proposed", step.now, "", plan.shown, step.given.rules.version, NULL,
            digest_of(patch.id.encode()), patch.id, command.key,
        )
    )  # fmt: skip
    if plan.verdict.needs_person:
        ask(step, command, plan)
    else:
        publish(step, command.id, plan, command.author, rollback_of=patch.id)


def _rebased_inverse(step: Step, patch: Patch) -> list[Operation]:
    """The stored inverse on top of later patches. Pairs of a later patch and its own rollback do not interfere."""
    graphs, patches = step.given.graphs, step.run.patches.values()
    by_number = {other.number: other for other in patches if other.number}
    later = range(patch.number + 1, len(step.run.graph_ops) + 1)
    undone = {number for number in later if by_number[number].state == "rolled_back" or by_number[number].rollback_of}
    mine: list[Operation] = decode(patch.inverse)
    needing: list[str] = []
    for skipped in (frozenset[int](), undone):
        kept = [number for number in later if number not in skipped]
        theirs = [decode(step.run.graph_ops[number - 1]) for number in kept]
        result = rebase(graphs.document(patch.number), theirs, mine)
        if not isinstance(result, Clash):
            return list(result.operations)
        needing = [by_number[kept[index]].id for index in result.theirs]
    hint = "roll those back first, newest first, or say --cascade"
    raise Conflict(f"{patch.id} is needed by {', '.join(needing)}", code="patch_needed", patches=needing, hint=hint)
