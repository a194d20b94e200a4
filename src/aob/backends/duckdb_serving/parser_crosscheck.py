"""Checks an allowed statement with DuckDB's parser too: if the two disagree on its names, it is refused."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, Problem
from aob.core.serving import FUNCTIONS, Guarded

if TYPE_CHECKING:
    import duckdb

_WORD: Final = re.compile(r"\w")
_READ: Final = "SELECT json_serialize_sql(?)"
_OWN_VIEWS: Final = "SELECT view_name FROM duckdb_views() WHERE internal"


def cross_check(cursor: "duckdb.DuckDBPyConnection", checked: Guarded) -> None:
    """Raises Invalid `sql_refused` when DuckDB finds another table or function, `sql_wrong` when it cannot parse it."""
    row = cursor.execute(_READ, [checked.sql]).fetchone()
    read: JsonObject = msgspec.json.decode(row[0] if row else b"{}")
    if read.get("error", True):
        raise _invalid("sql_wrong", str(read.get("error_message", "it cannot be read"))[:300])
    if len(read["statements"]) != 1:
        raise _invalid("sql_refused", "it is more than one statement")
    given = _with_names(cursor, read["statements"])
    for part in _parts(read["statements"]):
        name = part.get("function_name")
        if isinstance(name, str) and _WORD.match(name) and name.lower() not in FUNCTIONS:
            raise _invalid("sql_refused", f"the function {name[:60]!r} is not allowed")
        if part.get("type") == "BASE_TABLE":
            schema, table = part["schema_name"], str(part["table_name"]).lower()
            known = table in checked.views if schema == "main" else not schema and table in given
            if part["catalog_name"] or not known:
                raise _invalid("sql_refused", f"there is no view {table[:60]!r}")


def _with_names(cursor: "duckdb.DuckDBPyConnection", statements: object) -> set[str]:
    """The names defined by WITH anywhere. None may be that of a DuckDB system view: outside of its scope the name would
    mean that view."""
    names = {
        str(each["key"]).lower()
        for part in _parts(statements)
        if isinstance(parts := part.get("cte_map"), dict)
        for each in parts.get("map", ())
    }
    if names:
        own = {str(name).lower() for (name,) in cursor.execute(_OWN_VIEWS).fetchall()}
        if taken := sorted(names & own):
            raise _invalid("sql_refused", f"a part of WITH may not be called {taken[0]!r}")
    return names


def _parts(value: object) -> Iterator[JsonObject]:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            yield each
            todo.extend(each.values())
        elif isinstance(each, list):
            todo.extend(each)


def _invalid(code: str, what: str) -> Invalid:
    return Invalid("this SQL is not allowed", [Problem("/sql", what, code=code)], code=code)
