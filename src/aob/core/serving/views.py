"""Derives the SQL views of contracts: names, columns and their sources. Data only. Names are lower case and unique:
`order.created` is `order_created`, an entity `order` is `entities_order`."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from aob.core.contract_model import ContractSet, EventContract

ViewKind = Literal["events", "type", "entity", "history", "supplied"]

SqlType = Literal["BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "DATE", "JSON"]
COLUMNS_MAX: Final = 200  # columns of one view; further fields are only in `data`
NAME_CHARS_MAX: Final = 50
RESERVED: Final = ("entities_", "pg_", "duckdb_", "sqlite_", "information_schema")
"""Prefixes that the view of an event type never has."""


class Column(msgspec.Struct, frozen=True, array_like=True):
    """A column: its name, its SQL type, and the field of `data` (or attribute of the entity) it shows, if any."""

    name: str
    type: SqlType
    field: str = ""
    description: str = ""


class View(msgspec.Struct, frozen=True, array_like=True):
    """A view: `of` is the event type or entity it shows. `filled`: another component provides its rows."""

    name: str
    kind: ViewKind
    of: str
    columns: tuple[Column, ...]
    description: str = ""


INSTANT: Final = "TIMESTAMP WITH TIME ZONE"  # the type of times: instants, which `at time zone` converts to local times
NUMBER: Final = Column("number", "BIGINT", description="its dense number in the tenant's log")
TIME: Final = Column("time", INSTANT, description="event time")
EVENT_COLUMNS: Final = (
    NUMBER,
    Column("id", "VARCHAR"),
    Column("source", "VARCHAR"),
    Column("subject", "VARCHAR"),
    TIME,
    Column("version", "BIGINT", description="the version of its contract"),
)
EVENTS: Final = View(
    "events", "events", "",
    (*EVENT_COLUMNS, Column("type", "VARCHAR"), Column("data", "JSON"), Column("enriched", "JSON")),
    "every accepted event",
)  # fmt: skip
DEAD_LETTERS: Final = View(
    "deadletters", "supplied", "",
    (
        NUMBER, Column("time", INSTANT, description="when it was refused"), Column("type", "VARCHAR"),
        Column("source", "VARCHAR"), Column("id", "VARCHAR"), Column("state", "VARCHAR"), Column("reasons", "JSON"),
        Column("line", "VARCHAR"), Column("note", "VARCHAR"),
    ),
    "refused events, the newest 10,000",
)  # fmt: skip
METRICS: Final = View(
    "metrics", "supplied", "",
    (
        Column("name", "VARCHAR"), Column("version", "BIGINT"), Column("unit", "VARCHAR"),
        Column("span", "VARCHAR", description="the name of its window"),
        Column("dimensions", "JSON", description="the values of its dimensions; {} for the whole"),
        Column("value", "DOUBLE"), Column("detail", "JSON", description="the value when it is not a number"),
        Column("until", INSTANT),
    ),
    "every metric over its first window, now: the whole, and by all of its dimensions",
)  # fmt: skip
SUPPLIED: Final = (DEAD_LETTERS, METRICS)

_JSON_TYPES: Final[Mapping[str, SqlType]] = {
    "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR",
}  # fmt: skip
_KINDS: Final[Mapping[str, SqlType]] = {"int": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "string": "VARCHAR"}


def views_of(contracts: ContractSet, supplied: Iterable[View] = SUPPLIED) -> dict[str, View]:
    """All views of a tenant by name: one per event type, two per entity, and the supplied ones."""
    found = {view.name: view for view in (EVENTS, *supplied)}
    for type in sorted(contracts.events):
        versions = contracts.events[type]
        _put(found, type, "", View("", "type", type, _columns_of_type(versions), versions[max(versions)].description))
    for entity, attributes in sorted(entities_of(contracts).items()):
        about = f"each {entity} as it is now"
        current = (
            Column("id", "VARCHAR"), *attributes, Column("changed_at", INSTANT, description="of its last change"),
        )  # fmt: skip
        _put(found, f"entities.{entity}", "", View("", "entity", entity, current, about))
        past = (
            Column("id", "VARCHAR"), TIME, NUMBER, Column("event", "VARCHAR", description="its type"),
            Column("removed", "BOOLEAN"), Column("changed", "JSON"),
        )  # fmt: skip
        about = f"what was said of each {entity}"
        _put(found, f"entities.{entity}", "_history", View("", "history", entity, past, about))
    return found


def entities_of(contracts: ContractSet) -> dict[str, tuple[Column, ...]]:
    """The entities that events change, with their attributes as columns."""
    attributes: dict[str, dict[str, SqlType]] = {}
    for versions in contracts.events.values():
        for contract in versions.values():
            for move in contract.entities:
                known = attributes.setdefault(move.entity, {})
                for name, text in move.set.items():
                    type = _type_of_expression(text, contract)
                    known[name] = _both(known.get(name), type)
    return {entity: _named(known, {"id", "changed_at"}) for entity, known in attributes.items()}


def type_of_schema(schema: object) -> SqlType:
    """The SQL type of a JSON Schema; JSON if it has no single one."""
    if not isinstance(schema, Mapping):
        return "JSON"
    kinds = schema.get("type")
    if isinstance(kinds, list | tuple):
        kinds = next(iter(set(kinds) - {"null"}), None) if len(set(kinds) - {"null"}) == 1 else None
    if kinds is None and schema.get("enum") and all(isinstance(each, str) for each in schema["enum"]):
        kinds = "string"
    if kinds == "string":
        form = schema.get("format")
        return INSTANT if form == "date-time" else "DATE" if form == "date" else "VARCHAR"
    return _JSON_TYPES.get(str(kinds), "JSON")


def _columns_of_type(versions: Mapping[int, EventContract]) -> tuple[Column, ...]:
    fields: dict[str, SqlType] = {}
    about: dict[str, str] = {}
    for _, contract in sorted(versions.items()):
        for name, schema in contract.properties.items():
            fields[name] = _both(fields.get(name), type_of_schema(schema))
            if isinstance(schema, Mapping) and schema.get("description"):
                about[name] = str(schema["description"])
    taken = {column.name for column in EVENT_COLUMNS} | {"enriched"}
    return (*EVENT_COLUMNS, *_named(fields, taken, about), Column("enriched", "JSON"))


def _named(
    fields: Mapping[str, SqlType], taken: set[str], about: Mapping[str, str] | None = None
) -> tuple[Column, ...]:
    """A column for each field; a taken name gets the prefix `data_`, and if still taken a suffix."""
    columns: list[Column] = []
    used = set(taken)
    for field, type in list(fields.items())[:COLUMNS_MAX]:
        name = _plain(field)
        if name in used:
            name = f"data_{name}"
        if name in used:
            name = f"{name}_{_mark(field)}"
        used.add(name)
        columns.append(Column(name, type, field, (about or {}).get(field, "")))
    return tuple(columns)


def _put(found: dict[str, View], of: str, suffix: str, view: View) -> None:
    plain = _plain(of)
    if view.kind == "type" and plain.startswith(RESERVED):
        plain = f"event_{plain}"
    name = plain + suffix
    if name in found or of.replace(".", "_") != _plain(of):
        name = f"{plain}_{_mark(of)}{suffix}"
    found[name] = msgspec.structs.replace(view, name=name)


def _type_of_expression(text: str, contract: EventContract) -> SqlType:
    path = re.fullmatch(r"data\.([A-Za-z_][A-Za-z0-9_]*)", text.strip())
    if path:
        return type_of_schema(contract.properties.get(path.group(1)))
    from aob.core.expression import ExpressionError, compile_expression

    names = frozenset({"data", "enriched", "id", "source", "subject", "time"})
    try:
        kind = compile_expression(
            text, nodes=frozenset(), names=names, shapes={"data": contract.schema}, strict=False
        ).kind
    except ExpressionError:
        return "JSON"
    return _KINDS.get(kind, "JSON")


def _both(one: SqlType | None, other: SqlType) -> SqlType:
    """The type that holds values of both."""
    if one is None or one == other:
        return other
    if {one, other} == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return "JSON"


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())[:NAME_CHARS_MAX]
    return plain if plain and not plain[0].isdigit() else f"_{plain}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]
