"""Makes the JSON Schema of documents from their structs; `spec/workflow.schema.json` is its copy.

Deterministic. Covers shapes; `check` covers what needs the whole graph."""

from typing import Final

import msgspec

from aob.core.document.schema import published
from aob.core.document.shape import Tree
from aob.core.graph.definition import ID_PATTERN, WorkflowDefinition
from aob.core.node import ALIASES, KINDS

SCHEMA_ID: Final = "urn:aob:schema:workflow"


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
                "required": [*(["config"] if _needs_config(kind.config) else []), *(["body"] if kind.body else [])],
            },
        }
        for name, kind in sorted(KINDS.items())
    ]
    aliases = ", ".join(f"`{alias}` for `{kind}`" for alias, kind in ALIASES.items())
    node["properties"]["kind"]["description"] = f"Written by people also: {aliases}, and `type:` for `kind:`."


def _needs_config(config: type[msgspec.Struct]) -> bool:
    return any(field.required for field in msgspec.structs.fields(config))
