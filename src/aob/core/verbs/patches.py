"""Verbs of patches: propose, list, show, decide, roll back."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject, PatchList, PatchVerdict, PatchView
from aob.core.verb import LIVE, Http, Verb, ok
from aob.core.verbs.runs import NamedRun


class ProposePatch(msgspec.Struct, frozen=True):
    """A patch to a run: `{"operations": [...], "base"?: graph hash, "kind"?, "reason"?, "id"?}`."""

    run_id: str
    body: JsonObject


class NamedPatch(msgspec.Struct, frozen=True):
    """A patch by its id."""

    patch_id: str


class ClosePatch(msgspec.Struct, frozen=True):
    """The reason for the decision."""

    patch_id: str
    reason: str = ""


class RollBackPatch(msgspec.Struct, frozen=True):
    """`cascade` also rolls back the later patches that need this one."""

    patch_id: str
    cascade: bool = False


_DECIDED: Final = ok(PatchVerdict, "The patch and its state.")


def _proposing(path: str, name: str) -> Http:
    """A proposal in HTTP; older clients use `/patch`, the plural is the path of the list."""
    summary = "Propose a patch to a run: checked, then applied, or held for a person, or refused with every reason."
    return Http("POST", path, name, summary, _DECIDED, whole="body", refuses=(409,), headers=("Idempotency-Key",))


def _closing(word: str, name: str, summary: str, takes: str) -> Http:
    path = f"/v1/patches/{{patch_id}}/{word}"
    return Http("POST", path, name, summary, _DECIDED, takes=takes, optional=True, refuses=(409,))


PROPOSE: Final = Verb(
    "propose", ProposePatch, "patch", "run", "run",
    _proposing("/v1/runs/{run_id}/patch", "propose_patch"), _proposing("/v1/runs/{run_id}/patches", "create_patch"),
)  # fmt: skip
LIST: Final = Verb(
    "patches", NamedRun, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}/patches", "list_patches", "List the patches of a run in their order.",
         ok(PatchList, "The patches."), wraps="patches"),
)  # fmt: skip
SHOW: Final = Verb(
    "patch", NamedPatch, "view", "patch", "holder",
    Http("GET", "/v1/patches/{patch_id}", "show_patch",
         "Show a patch: its operations, its diff, and the graph before and after.", ok(PatchView, "The patch."),
         cost=LIVE),
)  # fmt: skip
APPROVE: Final = Verb(
    "approve_patch", ClosePatch, "approve", "patch", "holder",
    _closing("approve", "approve_patch",
             "Approve a proposed patch; it is applied if its diff is still the one that was shown.", "ReasonBody"),
)  # fmt: skip
REJECT: Final = Verb(
    "reject_patch", ClosePatch, "approve", "patch", "holder",
    _closing("reject", "reject_patch", "Reject a proposed patch.", "ReasonBody"),
)  # fmt: skip
ROLL_BACK: Final = Verb(
    "rollback", RollBackPatch, "patch", "patch", "holder",
    _closing("rollback", "rollback_patch",
             "Take an applied patch back by its stored inverse, through the same gates.", "RollbackBody"),
)  # fmt: skip

VERBS: Final = (PROPOSE, LIST, SHOW, APPROVE, REJECT, ROLL_BACK)
