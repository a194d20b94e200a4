"""Workflows and patches where HTTP differs from the verb: documents as they were written, patches of runs and tags."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.verbs import run_verbs
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import DOCUMENT_MEDIA, Takes
from aob.server.http.verb_routes import Fields, Odd

OPERATIONS_MAX: Final = 1_000


class PatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """RFC 6902 operations, or operations by id (`add_node connect insert_between replace_config disable`). `base` is
    the hash of the graph that they were written against; `id` makes the proposal idempotent."""

    operations: Annotated[list[JsonObject], msgspec.Meta(min_length=1, max_length=OPERATIONS_MAX)]
    base: str | None = None
    kind: str | None = None
    reason: str | None = None
    id: run_verbs.CommandId | None = None


JSON_PATCH: Final = "application/json-patch+json"
_body: Final = msgspec.json.Decoder(PatchBody)
_operations: Final = msgspec.json.Decoder(list[JsonObject])


def read_patch(data: bytes) -> PatchBody:
    """A body with its members, or a bare RFC 6902 array. Raises msgspec's errors."""
    return PatchBody(_operations.decode(data)) if data.lstrip()[:1] == b"[" else _body.decode(data)


TAKES_PATCH: Final = Takes[PatchBody](PatchBody, read_patch, media=("application/json", JSON_PATCH))


async def propose(call: Call[Nothing, PatchBody], fields: Fields) -> Answer:
    """Proposes a patch to a run."""
    body: JsonObject = msgspec.to_builtins(call.body)
    given = call.command_id(call.body.id)
    if given is not None:
        body["id"] = given
    return json_answer(await call.act("propose")(call.who, fields["run_id"], body))


async def patch_tag(call: Call[object, PatchBody], fields: Fields) -> Answer:
    """Patches a tag."""
    body = {**msgspec.structs.asdict(call.body), "id": call.command_id(call.body.id)}
    given = {name: value for name, value in body.items() if value is not None}
    return json_answer(await call.act("patch_tag")(call.who, **fields, **given))


async def validate(call: Call[object, bytes], fields: Fields) -> Answer:
    """Every problem of a document."""
    problems = await call.act("validate")(call.who, call.body)
    return json_answer({"valid": not problems, "problems": problems})


TAKES_DOCUMENT: Final = Takes[bytes](JsonObject, bytes, media=DOCUMENT_MEDIA)

ODD: Final = {
    **dict.fromkeys(("propose_patch", "create_patch"), Odd(propose, TAKES_PATCH)),
    "push_workflow": Odd(takes=TAKES_DOCUMENT),
    "patch_tag": Odd(patch_tag, TAKES_PATCH),
    "validate_workflow": Odd(validate, TAKES_DOCUMENT),
}
