"""The shape of a canonical document as structs, and as the JSON Schema that is made of them and published as
`spec/workflow.schema.json`. Covers shapes; `check` covers what needs the whole graph. Durations stay as written."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from aob.core.document.shape import Duration, Tree, Value, published
from aob.core.graph.compiled.ir import (
    CachePolicy,
    Effect,
    HandlersOf,
    Mode,
    OnFailure,
    OnUncertain,
    Priority,
    WorkerLabels,
)
from aob.core.node import ALIASES, KINDS

SCHEMA_ID: Final = "urn:aob:schema:workflow"
ID_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
ID_HINT: Final = "an id begins with a letter or _, and has letters, digits, _ and -, 64 at most"
ATTEMPTS_MAX: Final = 1_000
AGENTS_MAX: Final = 1_000
FACTOR_MAX: Final = 100

Attempts = Annotated[int, Meta(ge=1, le=ATTEMPTS_MAX)]
Expire = Literal["", "approve", "reject", "expired"]


class RetryDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`retry:` of a node, in full. A bare number is `attempts`. `max` is never below `first`; its default is 60s, or
    `first` if that is longer."""

    attempts: Attempts = 1
    first: Duration = "1s"
    factor: Annotated[float, Meta(ge=1, le=FACTOR_MAX)] = 2.0
    max: Duration | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2


class TimeoutDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`timeout:` of a node, written out. A bare duration is `run`, or `deadline` of a kind that waits."""

    queue: Duration = 0
    start: Duration = 0
    run: Duration = 0
    heartbeat: Duration = 0
    deadline: Duration = 0
    remind: Duration = 0
    expire: Expire = ""


class NodeDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One node. `effect` and `deterministic` left out take the handler's or the kind's, `priority` the run's.
    `worker` lists labels that the worker of a function must have."""

    kind: str
    config: dict[str, Value] = {}
    input: dict[str, str] | None = None
    retry: Attempts | RetryDefinition = 1
    timeout: Duration | TimeoutDefinition = 0
    effect: Effect | None = None
    deterministic: bool | None = None
    cache: CachePolicy = "off"
    on_failure: OnFailure = "fail"
    on_uncertain: OnUncertain = "ask"
    verify: str = ""
    priority: Priority | None = None
    labels: dict[str, str] = {}
    worker: WorkerLabels = {}
    description: str = ""
    hold: bool = True
    disabled: bool = False
    body: "BodyDefinition | None" = None


class EdgeDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One edge. `when`, `else` and `order` belong to edges out of a branch."""

    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    on: str = "success"
    when: str | None = None
    default: bool = msgspec.field(name="else", default=False)
    order: int = 0
    description: str = ""


class BodyDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a map or of a loop. `output` is the output of a pass, by default that of its leaves."""

    nodes: dict[str, NodeDefinition]
    edges: dict[str, EdgeDefinition] = {}
    output: dict[str, str] | None = None


class RunTimeoutDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`timeout:` of a workflow, in full. A bare duration is `run`. `start` is how long the first jobs of a run may wait
    for a worker, unless they set `queue`."""

    run: Duration = 0
    start: Duration = 0


class LimitsDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`limits:` of a workflow. `agents` is how many agents patches may add to one run."""

    agents: Annotated[int, Meta(ge=0, le=AGENTS_MAX)] = 5


class WorkflowDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document as a whole. With `handlers: pinned` all jobs of a run go to workers of one build: that of the worker
    that gets the first; else to any."""

    workflow: str
    nodes: dict[str, NodeDefinition]
    edges: dict[str, EdgeDefinition] = {}
    description: str = ""
    inputs: dict[str, Value] | None = None
    output: dict[str, str] | None = None
    timeout: Duration | RunTimeoutDefinition = 0
    limits: LimitsDefinition = LimitsDefinition()
    priority: Priority = "medium"
    mode: Mode = "full"
    labels: dict[str, str] = {}
    handlers: HandlersOf = "latest"


def workflow_schema() -> Tree:
    """The schema of a canonical document (draft 2020-12): each kind with its config, ids, enumerations, limits."""
    configs = [kind.config for kind in KINDS.values()]
    (root, *_), parts = msgspec.json.schema_components([WorkflowDefinition, *configs], ref_template="#/$defs/{name}")
    _ids(parts["WorkflowDefinition"])
    _ids(parts["BodyDefinition"])
    parts["WorkflowDefinition"]["properties"]["workflow"]["pattern"] = ID_PATTERN
    _kinds(parts["NodeDefinition"])
    return published(SCHEMA_ID, "AOB workflow", root, parts)


def _ids(body: Tree) -> None:
    for key in ("nodes", "edges"):
        body["properties"][key]["propertyNames"] = {"pattern": ID_PATTERN}
    body["properties"]["nodes"]["minProperties"] = 1


def _kinds(node: Tree) -> None:
    """The rules by node kind: the shape of its config, and whether it has a body."""
    node["properties"]["kind"] = {"enum": sorted(KINDS)}
    node["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {
                "properties": {"config": {"$ref": f"#/$defs/{kind.config.__name__}"}}
                | ({} if kind.body else {"body": False}),
                "required": ["config"] * any(field.required for field in msgspec.structs.fields(kind.config))
                + ["body"] * kind.body,
            },
        }
        for name, kind in sorted(KINDS.items())
    ]
    aliases = ", ".join(f"`{alias}` for `{kind}`" for alias, kind in ALIASES.items())
    node["properties"]["kind"]["description"] = f"Written by people also: {aliases}, and `type:` for `kind:`."
