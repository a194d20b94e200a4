"""Verbs of patches: propose, show, approve, reject, roll back."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import Conflict, Invalid, Problem
from aob.core.event import derived_id, held_id
from aob.core.graph.patch import PatchError, apply, compile_operations, diff, render
from aob.core.policy import Caller
from aob.core.rights import require
from aob.core.run import Run
from aob.core.run.record import commands as cmd
from aob.core.run.state import Patch
from aob.core.value import decode, digest_of
from aob.core.verb import performs
from aob.core.verbs import patch_verbs as verbs
from aob.core.verbs import run_verbs
from aob.journal import Decided, Stream
from aob.runs import Core
from aob.runs.incoming import NAME_MAX, json_of, name_of, object_of, text_of

NO_OPERATIONS: Final = Raw(b"[]")


class Patches:
    """Verbs of patches."""

    core: Core

    @performs(verbs.PROPOSE)
    async def propose(self, who: Caller, args: verbs.ProposePatch) -> JsonObject:
        """Propose a patch: it is applied or waits for a person; an invalid one raises Invalid with every problem.

        `body` is `{"operations": [...], "base"?: graph hash, "kind"?, "reason"?, "id"?}`. Raises Conflict when the run
        has ended or the id was used for other content."""
        run_id, body = args.run_id, args.body
        kind = text_of(object_of(body, "").get("kind") or "person", "/kind", NAME_MAX)
        if kind in self.core.run_law.rules.trusted_kinds and kind != "person":
            require(who, "admin")  # a trusted kind skips the approval: not every caller may claim it
        operations = body.get("operations")
        if not isinstance(operations, list):
            raise Invalid("a patch has operations", [
                Problem("/operations", "must be a list", "missing", hint="RFC 6902, or operations by id")
            ])  # fmt: skip
        data = json_of(operations, "/operations")
        given = name_of(body["id"], "/id") if body.get("id") is not None else self.core.ids.next()
        # An id is unique within its run: two runs patched under the same id have two patches.
        id, before = held_id("patch", run_id, given), derived_id("patch", run_id, given)
        if before in (await self.core.stream(who, run_id)).state.patches:
            id = before  # an earlier release used this form of the id
        reason, base = text_of(body.get("reason") or "", "/reason"), text_of(body.get("base") or "", "/base", NAME_MAX)
        command = cmd.Propose(id, who.name, kind, reason, base, Raw(data), digest_of(data), key=who.id)
        told = _told(await self.core.ask(who, run_id, command, self._reads(id, whole=False)))
        if told["state"] == "invalid":
            problems = [Problem(**problem) for problem in told["problems"]]
            raise Invalid("the patch cannot be applied", problems, patch_id=id)
        return told

    @performs(verbs.LIST)
    async def patches(self, who: Caller, args: run_verbs.NamedRun) -> list[JsonObject]:
        """The patches of a run, in the order of proposal."""
        stream = await self.core.stream(who, args.run_id)
        told = [self._patch_told(stream, patch) for patch in stream.state.patches.values()]
        await self.core.journal.settled(stream)
        return told

    @performs(verbs.SHOW)
    async def patch(self, who: Caller, args: verbs.NamedPatch) -> JsonObject:
        """A whole patch with its diff and the graph before and after."""
        stream = await self.core.holding(who, "patch", args.patch_id)
        told = self._patch_told(stream, stream.state.patches[args.patch_id], whole=True)
        await self.core.journal.settled(stream)
        return told

    @performs(verbs.APPROVE)
    async def approve_patch(self, who: Caller, args: verbs.ClosePatch) -> JsonObject:
        """Approve the diff that was shown; if the graph has changed since, the new diff is shown instead."""
        return await self._decide(who, args.patch_id, "approve", args.reason)

    @performs(verbs.REJECT)
    async def reject_patch(self, who: Caller, args: verbs.ClosePatch) -> JsonObject:
        """Reject a proposed patch."""
        return await self._decide(who, args.patch_id, "reject", args.reason)

    @performs(verbs.ROLL_BACK)
    async def rollback(self, who: Caller, args: verbs.RollBackPatch) -> JsonObject:
        """Apply the stored inverse as a new patch. With `cascade` later patches that need it are rolled back first and
        listed in `cascade`; without it they raise Conflict `patch_needed`."""
        stream = await self.core.holding(who, "patch", args.patch_id)
        todo = [args.patch_id]
        before: list[JsonObject] = []
        while True:
            try:
                decided = await self._roll_back(who, stream.name, todo[-1])
            except Conflict as conflict:
                needing = [id for id in conflict.fields.get("patches", ()) if id not in todo]
                if not args.cascade or conflict.code != "patch_needed" or not needing:
                    raise
                todo.append(needing[-1])
                continue
            todo.pop()
            told = _told(decided)
            if not todo:
                return {**told, "cascade": before} if before else told
            before.append(told)

    async def _roll_back(self, who: Caller, run_id: str, patch_id: str) -> Decided:
        stream = await self.core.stream(who, run_id)
        run: Run = stream.state
        # A repeated rollback is the same patch; a rejected or expired one may be proposed again.
        before = [patch for patch in run.patches.values() if patch.rollback_of == patch_id]
        standing = [patch.id for patch in before if patch.state in {"proposed", "applied"}]
        id = standing[0] if standing else held_id("patch", run_id, "rollback", patch_id, len(before))
        command = cmd.Propose(
            id, who.name, "person", "", "", NO_OPERATIONS, digest_of(patch_id.encode()), "", patch_id, who.id
        )  # fmt: skip

        def reads(decided: Decided) -> JsonObject:
            run: Run = decided.stream.state
            made = [patch for patch in run.patches.values() if patch.rollback_of == patch_id]
            return self._patch_told(decided.stream, made[-1], whole=True)

        return await self.core.ask(who, run_id, command, reads)

    def _reads(self, patch_id: str, *, whole: bool = True) -> Callable[[Decided], JsonObject]:
        """The answer of a command to a patch: the patch as the command left it."""
        return lambda now: self._patch_told(now.stream, now.stream.state.patches[patch_id], whole=whole)

    async def _decide(self, who: Caller, patch_id: str, choice: str, reason: str) -> JsonObject:
        stream = await self.core.holding(who, "patch", patch_id)
        command = cmd.ClosePatch(patch_id, choice, who, text_of(reason, "/reason"))
        return _told(await self.core.ask(who, stream.name, command, self._reads(patch_id)))

    def _patch_told(self, stream: Stream, patch: Patch, *, whole: bool = False) -> JsonObject:
        run: Run = stream.state
        versions = stream.derived.graphs
        told: JsonObject = {
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


def _told(decided: Decided) -> JsonObject:
    told: JsonObject = decided.said
    return told


def _before_after(versions: Any, run: Run, patch: Patch) -> tuple[JsonObject, JsonObject] | None:
    if len(versions) <= len(run.graph_ops):
        return None
    if patch.number:
        return versions.document(patch.number - 1), versions.document(patch.number)
    if patch.state in {"invalid", "rejected"}:
        return None
    before = versions.document(len(run.graph_ops))
    try:
        return before, apply(before, compile_operations(before, decode(patch.operations)))
    except PatchError:
        return None
