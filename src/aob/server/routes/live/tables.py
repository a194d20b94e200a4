"""Converts an answer of rows to a file: CSV, an Arrow stream or Parquet. Keeps values and types."""

import asyncio
import io
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import msgspec

from aob.core.answers import JsonValue
from aob.core.metric_answers import QueryAnswer
from aob.core.verbs import contract_verbs
from aob.ports.installed import required
from aob.server.http.answer import Answer, Header

CSV, ARROW, PARQUET = contract_verbs.TABLES
TABLES: Final = contract_verbs.TABLES

_QUOTED: Final = re.compile(r'[",\r\n]|^\s|\s$')
_INTEGERS: Final = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_LARGE: Final = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT"})
_INT64: Final = range(-(2**63), 2**63)
_DECIMAL_DIGITS: Final = 38


async def table_answer(found: QueryAnswer, media: str) -> Answer:
    """The rows as a file of a media type; other fields of the answer become headers. Raises Unavailable
    `not_installed`."""
    write: Callable[[QueryAnswer], bytes] = _csv
    if media != CSV:
        required("arro3.io", "metrics", "Arrow and Parquet")
        write = _arrow if media == ARROW else _parquet
    headers: tuple[Header, ...] = (
        (b"aob-position", str(found["position"]).encode()),
        (b"aob-truncated", b"true" if found["truncated"] else b"false"),
    )
    body = await asyncio.to_thread(write, found)
    kind = media + "; charset=utf-8; header=present" if media == CSV else media
    return Answer(body, media=kind.encode(), headers=headers)


def _csv(found: QueryAnswer) -> bytes:
    """RFC 4180: null is an empty field, an empty text is a quoted one, objects and arrays are JSON."""
    rows = [",".join(map(_field, row)) for row in (found["columns"], *found["rows"])]
    return ("\r\n".join(rows) + "\r\n").encode()


def _field(value: JsonValue) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if text == "" or _QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _arrow(found: QueryAnswer) -> bytes:
    out = io.BytesIO()
    import_module("arro3.io").write_ipc_stream(_table(found), out)
    return out.getvalue()


def _parquet(found: QueryAnswer) -> bytes:
    out = io.BytesIO()
    import_module("arro3.io").write_parquet(_table(found), out)
    return out.getvalue()


def _table(found: Mapping[str, Any]) -> Any:
    arrow = import_module("arro3.core")
    columns = [_array(arrow, type, [row[place] for row in found["rows"]]) for place, type in enumerate(found["types"])]
    names = found["columns"]
    return arrow.Table.from_arrays(columns, names=names) if names else arrow.Table.from_arrays([], names=[])


def _array(arrow: Any, type: str, values: Sequence[JsonValue]) -> Any:
    """A column in its SQL type. Integers beyond int64 are decimals; a value without a matching type is JSON."""
    known = [value for value in values if value is not None]
    of = arrow.DataType
    if type in _INTEGERS or (type in _LARGE and all(value in _INT64 for value in known)):
        return arrow.Array(values, of.int64())
    if type in _LARGE and all(len(str(abs(int(value)))) <= _DECIMAL_DIGITS for value in known):
        return _cast(arrow, values, of.decimal128(_DECIMAL_DIGITS, 0))
    if type in {"DOUBLE", "FLOAT"} or type.startswith("DECIMAL"):
        return arrow.Array([None if value is None else float(value) for value in values], of.float64())
    if type == "BOOLEAN":
        return arrow.Array(values, of.bool())
    if type == "DATE":
        return _cast(arrow, values, of.date32())
    if type.startswith("TIMESTAMP"):
        zone = "UTC" if type.endswith("WITH TIME ZONE") else None
        if all(isinstance(value, int) for value in known):
            return arrow.Array(values, of.int64()).cast(of.timestamp("ms", tz=zone))
        return _cast(arrow, values, of.timestamp("ms", tz=zone))
    return _cast(arrow, [_text(value, type) for value in values], None)


def _cast(arrow: Any, values: Sequence[JsonValue], type: Any) -> Any:
    texts = arrow.Array([None if value is None else str(value) for value in values], arrow.DataType.string())
    return texts if type is None else texts.cast(type)


def _text(value: JsonValue, type: str) -> str | None:
    if value is None or (isinstance(value, str) and type != "JSON"):
        return value
    return msgspec.json.encode(value).decode()
