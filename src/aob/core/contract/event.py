"""Reads an event type into an `EventContract`; None for a wrong shape. The draft collects the problems."""

from typing import Final

from aob.core.contract.definition import EventDefinition
from aob.core.contract.draft import Draft, cel
from aob.core.contract_model import LATENESS_MS, EntityMove, EventContract, Lookup, Rule
from aob.core.document.shape import Tree, Value, escape

_TYPES: Final[dict[str, Tree]] = {
    "timestamp": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
}
"""Type names that JSON does not have."""


def read_event(draft: Draft) -> EventContract | None:
    """Read the contract of a draft."""
    if "event" not in draft.tree and "type" in draft.tree:
        draft.tree = {"event": draft.tree["type"]} | {k: v for k, v in draft.tree.items() if k != "type"}
        draft.renames["/event"] = "/type"
    made = draft.shape(EventDefinition)
    if made is None:
        return None
    fields = _Fields(draft)
    if (made.fields is None) == (made.schema is None):
        draft.wrong("", "an event has either `fields` or a `schema`", "missing", "fields: {order_id: string}")
        return None
    schema = fields.objects(made.fields, "/fields", "/schema", "") if made.fields is not None else made.schema or {}
    if made.schema is not None:
        schema = fields.stripped(made.schema, "")
    return EventContract(
        type=made.event,
        version=made.version,
        schema=schema,
        owner=made.owner,
        description=made.description,
        subject=made.subject,
        rules=tuple(Rule(rule.name, cel(rule.rule), rule.message) for rule in made.rules),
        enrich=tuple(made.enrich),
        lookup={
            name: Lookup(each.entity, cel(each.key), each.field, each.default) for name, each in made.lookup.items()
        },
        entities=tuple(
            EntityMove(
                each.entity,
                each.key,
                {name: cel(text) for name, text in each.set.items()},
                cel(each.removes),
                cel(each.when),
            )
            for each in made.entities
        ),
        pii={**fields.pii, **made.pii},
        units={**fields.units, **made.units},
        lateness_ms=draft.duration(made.lateness, "/lateness", LATENESS_MS),
        examples=tuple(made.examples),
        moves=None if made.moves is None else tuple(made.moves),
    )


class _Fields:
    """Converts the fields of an event to a schema. Paths of units and PII: `customer.email`, `items[].price`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.pii: dict[str, str] = {}
        self.units: dict[str, str] = {}

    def objects(self, fields: Tree, written: str, path: str, name: str) -> Tree:
        """The schema of an object with these fields: required unless `optional`."""
        self._draft.renames[path] = written
        properties: Tree = {}
        required: list[str] = []
        for key, field in fields.items():
            here, there = f"{written}/{escape(key)}", f"{path}/properties/{escape(key)}"
            optional = isinstance(field, dict) and field.get("optional", False)
            if not isinstance(optional, bool):
                self._draft.wrong(f"{here}/optional", "`optional` is true or false", "bad_type")
            properties[key] = self._field(field, here, there, f"{name}.{key}" if name else key)
            if optional is not True:
                required.append(key)
        schema: Tree = {"type": "object", "properties": properties}
        return {**schema, "required": required} if required else schema

    def _field(self, field: Value, written: str, path: str, name: str) -> Tree:
        self._draft.renames[path] = written
        if isinstance(field, str):
            return dict(_TYPES.get(field, {"type": field}))
        if not isinstance(field, dict):
            self._draft.wrong(written, "a field is a type or an object", "bad_type", "amount: {type: number}")
            return {}
        made = {key: value for key, value in field.items() if key not in ("optional", "fields")}
        self._take(made, written, name)
        if isinstance(field.get("fields"), dict):
            return {**made, **self.objects(field["fields"], f"{written}/fields", path, name)}
        kind = made.get("type")
        if isinstance(kind, str) and kind in _TYPES:
            made.update(_TYPES[kind])
        if isinstance(made.get("items"), str | dict):
            made["items"] = self._field(made["items"], f"{written}/items", f"{path}/items", f"{name}[]")
        return made

    def stripped(self, schema: Value, name: str, path: str = "/schema") -> Tree:
        """A schema without `unit` and `pii` of its properties, which are recorded."""
        made = dict(schema) if isinstance(schema, dict) else schema
        properties = made.get("properties") if isinstance(made, dict) else None
        if isinstance(properties, dict):
            made["properties"] = {
                key: self._property(each, f"{path}/properties/{escape(key)}", f"{name}.{key}" if name else key)
                for key, each in properties.items()
            }
        if isinstance(made, dict) and isinstance(made.get("items"), dict):
            made["items"] = self._property(made["items"], f"{path}/items", f"{name}[]")
        return made

    def _property(self, schema: Value, path: str, name: str) -> Value:
        if not isinstance(schema, dict):
            return schema
        made = dict(schema)
        self._take(made, path, name)
        return self.stripped(made, name, path)

    def _take(self, field: Tree, written: str, name: str) -> None:
        """Remove unit and PII class from a field and record them."""
        for key, into in (("unit", self.units), ("pii", self.pii)):
            if key in field:
                value = field.pop(key)
                if isinstance(value, str):
                    into[name] = value
                else:
                    self._draft.wrong(f"{written}/{key}", f"`{key}` is a text", "bad_type")
