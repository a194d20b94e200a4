"""The JSON Schema of contract files, made from the structs that read them; `spec/contract.schema.json` is its copy."""

from typing import Final

import msgspec

from aob.core.contract.definition import AlertDefinition, EventDefinition, MetricDefinition, SloDefinition
from aob.core.document.schema import published
from aob.core.document.shape import Tree

SCHEMA_ID: Final = "urn:aob:schema:contract"
_KINDS: Final = (("event", EventDefinition), ("metric", MetricDefinition), ("alert", AlertDefinition))


def contract_schema() -> Tree:
    """The schema of one document of a contract file (draft 2020-12): a contract, or a list of them."""
    structs = [*(struct for _, struct in _KINDS), SloDefinition]
    _, parts = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    event = parts["EventDefinition"]
    event["oneOf"] = [{"required": ["fields"]}, {"required": ["schema"]}]
    event["required"] = [each for each in event["required"] if each != "event"]
    event["properties"]["type"] = {**event["properties"]["event"], "description": "The same as `event`."}
    event["anyOf"] = [{"required": ["event"]}, {"required": ["type"]}]
    slo = {"allOf": [{"$ref": "#/$defs/SloDefinition"}, {"required": ["slo", "metric"]}]}
    one: Tree = {"type": "object", "anyOf": [*({"$ref": f"#/$defs/{struct.__name__}"} for _, struct in _KINDS), slo]}
    either: Tree = {"anyOf": [{"$ref": "#/$defs/Contract"}, {"type": "array", "items": {"$ref": "#/$defs/Contract"}}]}
    return published(SCHEMA_ID, "AOB contracts", either, {**parts, "Contract": one})
