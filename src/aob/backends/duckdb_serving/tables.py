"""Makes the SQL that creates and fills the tables of views. Every name is quoted, every value is bound."""
# ruff: noqa: S608  (text is all that this module makes; what users write never gets here)

from typing import Final

import msgspec

from aob.core.serving import INSTANT, Column, View

LAYOUT: Final = 3  # files of another layout are deleted and built again

INTEGERS: Final = ("BIGINT", "HUGEINT", "DOUBLE")
"""Types of an integer column, narrowest first. The gate refuses integers beyond BIGINT; old logs hold some."""
_SAID: Final = frozenset({"BIGINT", INSTANT, "DATE"})  # types that are read as the text that was sent

BASIS: Final = (
    "CREATE SCHEMA IF NOT EXISTS _aob",
    "CREATE TABLE IF NOT EXISTS _aob.state(key VARCHAR PRIMARY KEY, value VARCHAR)",
    "CREATE TABLE IF NOT EXISTS main.events(number BIGINT, id VARCHAR, source VARCHAR, subject VARCHAR,"
    " time TIMESTAMPTZ, version BIGINT, type VARCHAR, data JSON, enriched JSON)",
    "CREATE TABLE IF NOT EXISTS _aob.said(entity VARCHAR, id VARCHAR, time TIMESTAMPTZ, number BIGINT, part BIGINT,"
    " event VARCHAR, removed BOOLEAN, changed JSON)",
)
GIVEN: Final = (
    '[{"number":"BIGINT","id":"VARCHAR","source":"VARCHAR","subject":"VARCHAR","at":"BIGINT","version":"BIGINT",'
    '"type":"VARCHAR","data":"JSON","enriched":"JSON"}]'
)
BATCH: Final = (
    "CREATE OR REPLACE TEMP TABLE batch AS SELECT r.number, r.id, r.source, r.subject,"
    " make_timestamp(r.at * 1000)::TIMESTAMPTZ AS time, r.version, r.type, r.data, r.enriched"
    f" FROM (SELECT unnest(from_json(?::JSON, '{GIVEN}')) AS r)"
)
KEEP: Final = "INSERT INTO main.events SELECT * FROM temp.batch"
SAY: Final = (
    "INSERT INTO _aob.said SELECT r.entity, r.id, make_timestamp(r.at * 1000)::TIMESTAMPTZ, r.number, r.part,"
    " r.event, r.removed, r.changed"
    ' FROM (SELECT unnest(from_json(?::JSON, \'[{"entity":"VARCHAR","id":"VARCHAR","at":"BIGINT",'
    '"number":"BIGINT","part":"BIGINT","event":"VARCHAR","removed":"BOOLEAN","changed":"JSON"}]\')) AS r)'
)
HISTORY: Final = (
    "SELECT epoch_ms(time) AS at, number, event, removed, changed FROM _aob.said WHERE entity = $entity AND id = $id"
    " AND time <= make_timestamp(coalesce($until_ms, 253402300799999)::BIGINT * 1000)::TIMESTAMPTZ"
    " ORDER BY time DESC, number DESC, part DESC LIMIT $limit"
)


def made(view: View, integer: str = INTEGERS[0]) -> str:
    """The statement that creates a view, or its table with integer fields of a type."""
    if view.kind in {"type", "supplied"}:
        types = [integer if column.field and column.type == "BIGINT" else column.type for column in view.columns]
        columns = ", ".join(f"{quoted(column.name)} {type}" for column, type in zip(view.columns, types, strict=True))
        return f"CREATE OR REPLACE TABLE main.{quoted(view.name)}({columns})"
    if view.kind == "history":
        return (
            f"CREATE OR REPLACE VIEW main.{quoted(view.name)} AS SELECT id, time, number, event, removed, changed"
            f" FROM _aob.said WHERE entity = {text(view.of)}"
        )
    return f"CREATE OR REPLACE VIEW main.{quoted(view.name)} AS {_current(view)}"


def filled(view: View, source: str, integer: str = INTEGERS[0]) -> str:
    """The statement that fills the table of an event type from `main.events` or `temp.batch`. Fails at an integer
    that does not fit into `integer`."""
    fields = [column for column in view.columns if column.field]
    plain = {column.name: column for column in fields if _alone(column, fields)}
    shape = {each.field: "VARCHAR" if each.type in _SAID else each.type for each in plain.values()}
    picked = ", ".join(_picked(column, column.name in plain, integer) for column in view.columns)
    read = f", json_transform(data, {text(msgspec.json.encode(shape).decode())}) AS j" if shape else ""
    return f"INSERT INTO main.{quoted(view.name)} SELECT {picked} FROM (SELECT *{read} FROM {source} WHERE type = ?)"


def widened(view: View, integer: str) -> list[str]:
    """The statements that widen integer columns."""
    names = [quoted(column.name) for column in view.columns if column.field and column.type == "BIGINT"]
    return [f"ALTER TABLE main.{quoted(view.name)} ALTER COLUMN {name} TYPE {integer}" for name in names]


def emptied(view: View) -> str:
    """The statement that deletes all rows of a view's table."""
    return f"DELETE FROM main.{quoted(view.name)}"


def supplied(view: View) -> str:
    """The statement that fills the table of a view with given rows (one JSON list)."""
    shape = {column.name: "BIGINT" if column.type == INSTANT else column.type for column in view.columns}
    picked = ", ".join(
        f"make_timestamp(r.{quoted(column.name)} * 1000)::TIMESTAMPTZ"
        if column.type == INSTANT
        else f"r.{quoted(column.name)}"
        for column in view.columns
    )
    spec = text(f"[{msgspec.json.encode(shape).decode()}]")
    return f"INSERT INTO main.{quoted(view.name)} SELECT {picked} FROM (SELECT unnest(from_json(?::JSON, {spec})) AS r)"


def shown(sql: str, types: list[str], rows_max: int) -> str:
    """The statement with every value as JSON text (or NULL), and one row beyond the limit."""
    names = [f"c{n}" for n in range(len(types))]
    values = ", ".join(_json(name, type) for name, type in zip(names, types, strict=True))
    return f"SELECT {values} FROM ({sql}) AS q({', '.join(names)}) LIMIT {rows_max + 1}"


def quoted(name: str) -> str:
    """A name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as a literal."""
    return "'" + value.replace("'", "''") + "'"


def _current(view: View) -> str:
    """The current entity: the latest value of each attribute since its last removal."""
    columns = []
    for column in view.columns:
        if column.field:
            path = text("$." + msgspec.json.encode(column.field).decode())
            last = f"arg_max_null(json_extract(changed, {path}), seen) FILTER (json_exists(changed, {path}))"
            columns.append(f"{_cast(last, column)} AS {quoted(column.name)}")
    picked = "".join(f", {each}" for each in columns)
    return (
        f"SELECT id{picked}, max(time) AS changed_at FROM ("
        "SELECT id, time, changed, removed, {'t': time, 'n': number, 'p': part} AS seen,"
        " max(CASE WHEN removed THEN {'t': time, 'n': number, 'p': part} END) OVER (PARTITION BY id) AS gone"
        f" FROM _aob.said WHERE entity = {text(view.of)}"
        ") WHERE NOT removed AND (gone IS NULL OR seen > gone) GROUP BY id"
    )


def _cast(value: str, column: Column, integer: str = INTEGERS[0]) -> str:
    if column.type == "JSON":
        return value
    return _typed(f"json_extract_string({value}, '$')", column, integer)


def _typed(said: str, column: Column, integer: str) -> str:
    """A text cast to the type of a column. An integer that is too large is an error, never a NULL."""
    if column.type == "VARCHAR":
        return said
    if column.type == "BIGINT":
        return f"CAST({said} AS {integer})"
    return f"TRY_CAST({said} AS {column.type})"


def _alone(column: Column, fields: list[Column]) -> bool:
    """Whether no earlier field differs in case only: members of a DuckDB struct have no case."""
    same = [each.field for each in fields if each.field.casefold() == column.field.casefold()]
    return same[0] == column.field


def _picked(column: Column, plain: bool, integer: str) -> str:
    if not column.field:
        return quoted(column.name)
    if not plain:
        path = text("$." + msgspec.json.encode(column.field).decode())
        return _cast(f"json_extract(data, {path})", column, integer)
    member = f"j.{quoted(column.field)}"
    return _typed(member, column, integer) if column.type in _SAID else member


def _json(name: str, type: str) -> str:
    """JSON text of a value; NaN and infinity become null, instants carry their zone, local times none."""
    if type in {"DOUBLE", "FLOAT"}:
        return f"CASE WHEN isfinite({name}) THEN to_json({name}) END"
    if type == "TIMESTAMP":
        return f"to_json(strftime({name}, '%Y-%m-%dT%H:%M:%S.%g'))"
    if type == INSTANT:
        return f"to_json(strftime({name}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ'))"
    return f"to_json({name})"
