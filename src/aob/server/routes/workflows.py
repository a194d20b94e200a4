"""Workflows: push, list, show, compare, patch, validate. A document travels as JSON or YAML, read by the engine."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import (
    JsonObject,
    TagPatched,
    Validated,
    WorkflowDiff,
    WorkflowList,
    WorkflowPushed,
    WorkflowView,
)
from aob.core.verb import Gives
from aob.server.http.answer import Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import DOCUMENT_MEDIA, NO_BODY, Route, Takes
from aob.server.routes.patches import TAKES_PATCH, PatchBody

Version = Annotated[str, msgspec.Meta(description="A tag, or an artifact's hash.")]


class PushQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tag that names the version from now on."""

    tag: str = "main"


class TagQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tag that gets the patch."""

    tag: str = "main"


class VersionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version."""

    tag: Version = "main"


class DiffQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which version to which."""

    a: Version
    b: Version = "main"


async def push(call: Call[PushQuery, bytes]) -> Answer:
    """Store a version and tag it."""
    pushed = await call.verbs.push(call.who, call.body, tag=call.query.tag, name=call.params["name"])
    return json_answer(pushed, status=201 if pushed["created"] else 200)


async def list_workflows(call: Call[Nothing, None]) -> Answer:
    """All workflows."""
    return json_answer({"workflows": await call.verbs.workflows(call.who)})


async def show(call: Call[VersionQuery, None]) -> Answer:
    """One version with its document."""
    return json_answer(await call.verbs.workflow(call.who, call.params["name"], call.query.tag))


async def diff(call: Call[DiffQuery, None]) -> Answer:
    """What changed."""
    return json_answer(await call.verbs.diff(call.who, call.params["name"], call.query.a, call.query.b))


async def patch_tag(call: Call[TagQuery, PatchBody]) -> Answer:
    """Patch a tag."""
    body = call.body
    patched = await call.verbs.patch_tag(
        call.who,
        call.params["name"],
        call.query.tag,
        body.operations,
        body.reason or "",
        base=body.base or "",
        kind=body.kind or "person",
        id=call.command_id(body.id) or "",
    )
    return json_answer(patched)


async def validate(call: Call[Nothing, bytes]) -> Answer:
    """Every problem of a document."""
    problems = await call.verbs.validate(call.body)
    return json_answer({"valid": not problems, "problems": problems})


TAKES_DOCUMENT: Final = Takes[bytes](JsonObject, bytes, media=DOCUMENT_MEDIA)

ROUTES: Final = (
    Route(
        "GET",
        "/v1/workflows",
        list_workflows,
        name="list_workflows",
        summary="List all workflows with their tags.",
        verb="workflows",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, WorkflowList, "The workflows."),),
    ),
    Route(
        "PUT",
        "/v1/workflows/{name}",
        push,
        name="push_workflow",
        summary="Store a document as a version of a workflow and tag it. The same document is the same version.",
        verb="push",
        query=PushQuery,
        body=TAKES_DOCUMENT,
        gives=(
            Gives(201, WorkflowPushed, "A new version."),
            Gives(200, WorkflowPushed, "This version was known; the tag names it now."),
        ),
        refuses=(409,),
    ),
    Route(
        "GET",
        "/v1/workflows/{name}",
        show,
        name="show_workflow",
        summary="Show one version of a workflow with its document.",
        verb="workflow",
        query=VersionQuery,
        body=NO_BODY,
        gives=(Gives(200, WorkflowView, "The version."),),
    ),
    Route(
        "GET",
        "/v1/workflows/{name}/diff",
        diff,
        name="diff_workflow",
        summary="Compare two versions of a workflow.",
        verb="diff",
        query=DiffQuery,
        body=NO_BODY,
        gives=(Gives(200, WorkflowDiff, "What changed from `a` to `b`."),),
    ),
    Route(
        "POST",
        "/v1/workflows/{name}/patch",
        patch_tag,
        name="patch_tag",
        summary="Patch a tag: runs that start under it from now on get the patched graph, those that run keep theirs. "
        "What needs a person on a run needs a key with the role `approve` here. A push on the tag takes it back.",
        verb="patch_tag",
        query=TagQuery,
        body=TAKES_PATCH,
        headers=("Idempotency-Key",),
        gives=(Gives(200, TagPatched, "The tag has the patch."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/workflows:validate",
        validate,
        name="validate_workflow",
        summary="Check a document and store nothing. All problems come at once, each with its place and a hint.",
        verb="validate",
        query=Nothing,
        body=TAKES_DOCUMENT,
        gives=(Gives(200, Validated, "The verdict."),),
    ),
)
