"""Verbs of workflows: push, list, show, compare, patch a tag, validate."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import JsonObject, TagPatched, Validated, WorkflowDiff, WorkflowList, WorkflowPushed, WorkflowView
from aob.core.rules import RULES
from aob.core.verb import Gives, Http, NoArgs, Verb, ok

Version = Annotated[str, msgspec.Meta(description="A tag, or an artifact's hash.")]


class PushWorkflow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document (JSON, or bytes of JSON or YAML) and the tag to move to it. `rules` is the newest rules number of
    whoever performs it (so it is told only where it is another), except for documents that another shard accepted
    before; one that a process of the home does not know yet counts as the newest that all know."""

    document: JsonObject | bytes
    tag: str = "main"
    name: str | None = None
    rules: int = RULES


class ShowWorkflow(msgspec.Struct, frozen=True):
    """Which version."""

    name: str
    tag: Version = "main"


class DiffWorkflow(msgspec.Struct, frozen=True):
    """From which version to which."""

    name: str
    a: Version
    b: Version = "main"


class PatchTag(msgspec.Struct, frozen=True):
    """Operations on the document of a tag, written against the graph with the hash `base`; applied once per `id`. A
    change that needs a person waits under a ticket, unless the owner has `agreed`."""

    name: str
    tag: str
    operations: list[JsonObject]
    reason: str = ""
    base: str = ""
    kind: str = "person"
    id: str = ""
    agreed: bool = False


class ValidateDocument(msgspec.Struct, frozen=True):
    """A document to check only."""

    document: JsonObject | bytes


PUSH: Final = Verb(
    "push", PushWorkflow, "deploy", "workflow", "main",
    Http("PUT", "/v1/workflows/{name}", "push_workflow",
         "Store a document as a version of a workflow and tag it. The same document is the same version.",
         (Gives(201, WorkflowPushed, "A new version."),
          Gives(200, WorkflowPushed, "This version was known; the tag names it now.")),
         whole="document", query=("tag",), apart=("rules",), refuses=(409,)),
)  # fmt: skip
LIST: Final = Verb(
    "workflows", NoArgs, "view", "workflow", "main",
    Http("GET", "/v1/workflows", "list_workflows", "List all workflows with their tags.",
         ok(WorkflowList, "The workflows."), wraps="workflows"),
)  # fmt: skip
SHOW: Final = Verb(
    "workflow", ShowWorkflow, "view", "workflow", "main",
    Http("GET", "/v1/workflows/{name}", "show_workflow", "Show one version of a workflow with its document.",
         ok(WorkflowView, "The version.")),
)  # fmt: skip
DIFF: Final = Verb(
    "diff", DiffWorkflow, "view", "workflow", "main",
    Http("GET", "/v1/workflows/{name}/diff", "diff_workflow", "Compare two versions of a workflow.",
         ok(WorkflowDiff, "What changed from `a` to `b`.")),
)  # fmt: skip
PATCH_TAG: Final = Verb(
    "patch_tag", PatchTag, "patch", "workflow", "main",
    Http("POST", "/v1/workflows/{name}/patch", "patch_tag",
         "Patch a tag: runs that start under it from now on get the patched graph, those that run keep theirs. "
         "What needs a person on a run needs a key with the role `approve` here. A push on the tag takes it back.",
         ok(TagPatched, "The tag has the patch."), takes="PatchBody", query=("tag",), apart=("agreed",), once="id",
         refuses=(409,), defaults={"tag": "main"}),
)  # fmt: skip
VALIDATE: Final = Verb(
    "validate", ValidateDocument, "view", "", "main",
    Http("POST", "/v1/workflows:validate", "validate_workflow",
         "Check a document and store nothing. All problems come at once, each with its place and a hint.",
         ok(Validated, "The verdict."), whole="document"),
)  # fmt: skip

VERBS: Final = (LIST, PUSH, SHOW, DIFF, PATCH_TAG, VALIDATE)
