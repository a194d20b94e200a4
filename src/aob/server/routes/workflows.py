"""Workflows where HTTP differs from the verb: documents as they were written, and patches of tags."""

from typing import Final

from msgspec.structs import asdict

from aob.core.answers import JsonObject
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call
from aob.server.http.route import DOCUMENT_MEDIA, Takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.routes.patches import TAKES_PATCH, PatchBody


async def patch_tag(call: Call[object, PatchBody], fields: Fields) -> Answer:
    """Patches a tag."""
    body = {**asdict(call.body), "id": call.command_id(call.body.id)}
    given = {name: value for name, value in body.items() if value is not None}
    return json_answer(await call.act("patch_tag")(call.who, **fields, **given))


async def validate(call: Call[object, bytes], fields: Fields) -> Answer:
    """Every problem of a document."""
    problems = await call.act("validate")(call.body)
    return json_answer({"valid": not problems, "problems": problems})


TAKES_DOCUMENT: Final = Takes[bytes](JsonObject, bytes, media=DOCUMENT_MEDIA)

ODD: Final = {
    "push_workflow": Odd(takes=TAKES_DOCUMENT),
    "patch_tag": Odd(patch_tag, TAKES_PATCH),
    "validate_workflow": Odd(validate, TAKES_DOCUMENT),
}
