"""Verbs of patches: propose, look, approve, reject, roll back."""

from typing import Any

from aob.core.errors import Invalid, NotFound
from aob.core.event.ids import derived_id
from aob.core.event.value import canonical, decode, digest_of
from aob.core.graph.patch import diff, render
from aob.core.policy import Caller, require
from aob.core.run import Run
from aob.core.run import commands as cmd
from aob.core.run.state import Patch
from aob.journal import Stream
from aob.runs.core import Core


class Patches:
    """Verbs of patches."""

    core: Core

    async def propose(self, who: Caller, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Propose a patch: it is applied, waits for a person, or Invalid is raised with every problem.

        `body` is `{"operations": [...], "base"?: graph hash, "kind"?, "reason"?, "id"?}`. Raises Conflict when the run
        is over or the id was used for other content.
        """
        require(who, "patch")
        operations = body["operations"]
        data = canonical(operations)
        id = body.get("id") or derived_id("patch", run_id, self.core.ids.next())
        command = cmd.Propose(
            id, who.name, str(body.get("kind") or "person"), str(body.get("reason") or ""), str(body.get("base") or ""),
            operations, digest_of(data),
        )  # fmt: skip
        decided = await self.core.ask(who, run_id, command)
        told = self._patch_told(decided.stream, decided.stream.state.patches[id])
        if told["state"] == "invalid":
            problems = decode(decided.stream.state.patches[id].problems)
            raise Invalid("the patch cannot be applied", [_problem(problem) for problem in problems], patch_id=id)
        return told

    async def patches(self, who: Caller, run_id: str) -> list[dict[str, Any]]:
        """The patches of a run, in the order in which they were proposed."""
        require(who, "view")
        stream = await self.core.stream(who, run_id)
        return [self._patch_told(stream, patch) for patch in stream.state.patches.values()]

    async def patch(self, who: Caller, patch_id: str) -> dict[str, Any]:
        """A whole patch with its diff and the graph before and after."""
        require(who, "view")
        stream = await self._patch_holder(who, patch_id)
        return self._patch_told(stream, stream.state.patches[patch_id], whole=True)

    async def approve_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> dict[str, Any]:
        """Approve the diff that was shown; if the graph has changed since, it is shown anew instead."""
        return await self._decide(who, patch_id, "approve", reason)

    async def reject_patch(self, who: Caller, patch_id: str, *, reason: str = "") -> dict[str, Any]:
        """Reject a proposed patch."""
        return await self._decide(who, patch_id, "reject", reason)

    async def rollback(self, who: Caller, patch_id: str, *, cascade: bool = False) -> dict[str, Any]:
        """Apply the stored inverse as a new patch. With `cascade` later patches that need it go first.

        Raises Conflict `patch_needed` that lists them when it is not said.
        """
        require(who, "patch")
        stream = await self._patch_holder(who, patch_id)
        first = [patch_id]
        if cascade:
            run: Run = stream.state
            applied = [p for p in run.patches.values() if p.state == "applied" and not p.rollback_of]
            later = [p for p in applied if p.number > run.patches[patch_id].number]
            first = [p.id for p in sorted(later, key=lambda p: -p.number)] + first
        for each in first:
            id = derived_id("patch", stream.name, "rollback", each)
            command = cmd.Propose(id, who.name, "person", "", "", [], digest_of(each.encode()), "", each)
            decided = await self.core.ask(who, stream.name, command)
        return self._patch_told(decided.stream, decided.stream.state.patches[id], whole=True)

    async def _decide(self, who: Caller, patch_id: str, choice: str, reason: str) -> dict[str, Any]:
        stream = await self._patch_holder(who, patch_id)
        decided = await self.core.ask(who, stream.name, cmd.ClosePatch(patch_id, choice, who, reason))
        return self._patch_told(decided.stream, decided.stream.state.patches[patch_id], whole=True)

    async def _patch_holder(self, who: Caller, patch_id: str) -> Stream:
        """The run that holds a patch. Patches of live runs are found in memory, others by the store's view."""
        for stream in self.core.journal.streams.values():
            if stream.law.kind == "run" and patch_id in stream.state.patches and stream.state.tenant == who.tenant:
                return stream
        for row in await self.core.store.rows("patches", 100_000):
            if row["patch"] == patch_id:
                return await self.core.stream(who, row["run"])
        raise NotFound(f"there is no patch {patch_id[:64]!r}", hint="aob patch list RUN", code="patch_not_found")

    def _patch_told(self, stream: Stream, patch: Patch, *, whole: bool = False) -> dict[str, Any]:
        run: Run = stream.state
        versions = stream.derived.graphs
        told: dict[str, Any] = {
            "patch_id": patch.id, "run_id": run.id, "state": patch.state, "author": patch.author, "kind": patch.kind,
            "reason": patch.reason, "operations": decode(patch.operations), "base": patch.base, "at": patch.at_ms,
            "visit": patch.visit, "by": patch.by, "note": patch.note, "problems": decode(patch.problems) or [],
        }  # fmt: skip
        if patch.number:
            told["number"] = patch.number
            told["version"] = f"{run.version.partition('.')[0]}.{patch.number}"
        if patch.rollback_of:
            told["rollback_of"] = patch.rollback_of
        tickets = [ticket for ticket in run.tickets.values() if ticket.about == patch.id and not ticket.answer]
        if tickets:
            told["ticket"] = tickets[-1].id
        pair = _before_after(versions, run, patch)
        if pair is not None:
            difference = diff(*pair)
            told["diff"] = difference
            told["lines"] = render(difference)
            if whole:
                told["before"], told["after"] = pair
        return told


def _before_after(versions: Any, run: Run, patch: Patch) -> tuple[dict[str, Any], dict[str, Any]] | None:
    if patch.number:
        return versions.document(patch.number - 1), versions.document(patch.number)
    if patch.state in {"invalid", "rejected"}:
        return None
    from aob.core.graph.patch import PatchError, apply, compile_operations

    before = versions.document(len(run.graph_ops))
    try:
        return before, apply(before, compile_operations(before, decode(patch.operations)))
    except PatchError:
        return None


def _problem(told: dict[str, Any]) -> Any:
    from aob.core.errors import Problem

    return Problem(**told)
