"""Rollback is a new patch: the stored inverse of an applied one, through the same gates (SEMANTICS 4.3)."""

from msgspec import Raw

from aob.core.errors import Conflict, NotFound
from aob.core.event.value import NULL, canonical, decode, digest_of
from aob.core.graph.patch import Clash, rebase
from aob.core.graph.patch.operation import Operation
from aob.core.graph.patch.rollback import rollback_operations
from aob.core.run import commands as cmd
from aob.core.run import events as ev
from aob.core.run.patching import ask, begun_nodes, plan_patch, publish
from aob.core.run.state import Patch
from aob.core.run.step import Step


def roll_back(step: Step, command: cmd.Propose) -> None:
    """Takes an applied patch back. Raises Conflict `patch_needed` with the list of later patches that need it."""
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
    """The stored inverse on top of the patches since. Pairs of a later patch and its own rollback do not stand in
    the way."""
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
    raise Conflict(
        f"{patch.id} is needed by {', '.join(needing)}", code="patch_needed", patches=needing,
        hint="roll those back first, newest first, or say --cascade",
    )  # fmt: skip
