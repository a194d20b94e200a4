"""Patches: propose, list, show, approve, reject, roll back."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject, PatchList, PatchVerdict, PatchView
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, CommandId, Nothing
from aob.server.http.route import NO_BODY, Gives, Route, Takes, may_take
from aob.server.limits import LIVE

OPERATIONS_MAX: Final = 1_000
DECIDED: Final = (Gives(200, PatchVerdict, "The patch and its state."),)


class PatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """RFC 6902 operations, or operations by id (`add_node connect insert_between replace_config disable`). `base` is
    the hash of the graph that they were written against; `id` makes the proposal count once."""

    operations: Annotated[list[JsonObject], msgspec.Meta(min_length=1, max_length=OPERATIONS_MAX)]
    base: str | None = None
    kind: str | None = None
    reason: str | None = None
    id: CommandId | None = None


class ReasonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it was decided so."""

    reason: str = ""


class RollbackBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cascade` takes the later patches along that need this one."""

    cascade: bool = False


JSON_PATCH: Final = "application/json-patch+json"
_body: Final = msgspec.json.Decoder(PatchBody)
_operations: Final = msgspec.json.Decoder(list[JsonObject])


def read_patch(data: bytes) -> PatchBody:
    """A body with its members, or a bare RFC 6902 array. Raises msgspec's errors."""
    return PatchBody(_operations.decode(data)) if data.lstrip()[:1] == b"[" else _body.decode(data)


TAKES_PATCH: Final = Takes[PatchBody](PatchBody, read_patch, media=("application/json", JSON_PATCH))


async def propose(call: Call[Nothing, PatchBody]) -> Answer:
    """Propose a patch to a run."""
    body: JsonObject = msgspec.to_builtins(call.body)
    given = call.command_id(call.body.id)
    if given is not None:
        body["id"] = given
    return json_answer(await call.verbs.propose(call.who, call.params["run_id"], body))


async def list_patches(call: Call[Nothing, None]) -> Answer:
    """The patches of a run."""
    return json_answer({"patches": await call.verbs.patches(call.who, call.params["run_id"])})


async def show(call: Call[Nothing, None]) -> Answer:
    """A whole patch."""
    return json_answer(await call.verbs.patch(call.who, call.params["patch_id"]))


async def approve(call: Call[Nothing, ReasonBody]) -> Answer:
    """Approve the diff that was shown."""
    return json_answer(await call.verbs.approve_patch(call.who, call.params["patch_id"], reason=call.body.reason))


async def reject(call: Call[Nothing, ReasonBody]) -> Answer:
    """Reject a proposal."""
    return json_answer(await call.verbs.reject_patch(call.who, call.params["patch_id"], reason=call.body.reason))


async def rollback(call: Call[Nothing, RollbackBody]) -> Answer:
    """Take a patch back by its stored inverse."""
    return json_answer(await call.verbs.rollback(call.who, call.params["patch_id"], cascade=call.body.cascade))


def _propose(path: str, name: str) -> Route[Nothing, PatchBody]:
    """Seeds say `/patch`, the plural is the list's own path: both propose."""
    return Route(
        "POST",
        path,
        propose,
        name=name,
        summary="Propose a patch to a run: checked, then applied, or held for a person, or refused with every reason.",
        verb="propose",
        query=Nothing,
        body=TAKES_PATCH,
        headers=("Idempotency-Key",),
        gives=DECIDED,
        refuses=(409,),
    )


ROUTES: Final = (
    _propose("/v1/runs/{run_id}/patch", "propose_patch"),
    _propose("/v1/runs/{run_id}/patches", "create_patch"),
    Route(
        "GET",
        "/v1/runs/{run_id}/patches",
        list_patches,
        name="list_patches",
        summary="List the patches of a run in their order.",
        verb="patches",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, PatchList, "The patches."),),
    ),
    Route(
        "GET",
        "/v1/patches/{patch_id}",
        show,
        name="show_patch",
        summary="Show a patch: its operations, its diff, and the graph before and after.",
        verb="patch",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, PatchView, "The patch."),),
        cost=LIVE,
    ),
    Route(
        "POST",
        "/v1/patches/{patch_id}/approve",
        approve,
        name="approve_patch",
        summary="Approve a proposed patch; it is applied if its diff is still the one that was shown.",
        verb="approve_patch",
        query=Nothing,
        body=may_take(ReasonBody),
        gives=DECIDED,
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/patches/{patch_id}/reject",
        reject,
        name="reject_patch",
        summary="Reject a proposed patch.",
        verb="reject_patch",
        query=Nothing,
        body=may_take(ReasonBody),
        gives=DECIDED,
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/patches/{patch_id}/rollback",
        rollback,
        name="rollback_patch",
        summary="Take an applied patch back by its stored inverse, through the same gates.",
        verb="rollback",
        query=Nothing,
        body=may_take(RollbackBody),
        gives=DECIDED,
        refuses=(409,),
    ),
)
