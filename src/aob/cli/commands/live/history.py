"""Loads history: converts rows of a file (CSV, JSON lines, Parquet) to events, a batch at a time. The caller names an
event's time, id and subject columns; the rest is its data, as the contract of its type defines it. Without an id column
the id is made of the file's name and the row's number, so that a file sent again counts once."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice, starmap
from pathlib import Path
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, NotFound, Problem, Unavailable

ROWS_AT_ONCE: Final = 5_000
SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
SECONDS_MAX: Final = 100_000_000_000
"""A smaller number in a time column counts seconds since 1970, a larger one milliseconds."""

TIME_HINT: Final = "a time is 2026-01-31T09:00:00Z, 2026-01-31, or a number of seconds since 1970"
ZONED: Final = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TRUTH: Final = {"true": True, "false": False}
_DAY: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


class Columns(msgspec.Struct, frozen=True):
    """The caller's mapping of a file: the type of its events, and the columns for time, id and subject."""

    type: str
    time: str = ""
    id: str = ""
    subject: str = ""


def is_history(file: str, type: str) -> bool:
    """Whether a file holds rows: by its suffix, or because the type of its events is given."""
    return Path(file).suffix.lower() in SUFFIXES[:2] + SUFFIXES[-1:] or bool(type)


def rows_in(file: str) -> Iterator[tuple[int, JsonObject]]:
    """Rows of a file with their numbers, from 1. Raises NotFound, Invalid with the line, Unavailable
    `not_installed`."""
    path = Path(file)
    if not path.is_file():
        raise NotFound(f"there is no file {file}", code="file_not_found", hint="say where it is")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    return _csv(path, "\t" if suffix == ".tsv" else "") if suffix in (".csv", ".tsv") else _lines(path)


def batches(
    rows: Iterable[tuple[int, JsonObject]], event: Callable[[int, JsonObject], JsonObject]
) -> Iterator[list[JsonObject]]:
    """Events of rows, in batches."""
    events = starmap(event, rows)
    while batch := list(islice(events, ROWS_AT_ONCE)):
        yield batch


def event_of(file: str, columns: Columns, types: Mapping[str, str]) -> Callable[[int, JsonObject], JsonObject]:
    """A function from a row of a file to an event. `types` are those of the contract's fields, empty when unknown."""
    stem = Path(file).stem

    def event(number: int, row: JsonObject) -> JsonObject:
        missing = [name for name in (columns.time, columns.id, columns.subject) if name and row.get(name) in (None, "")]
        if missing:
            known = ", ".join(map(str, list(row)[:20]))
            problem = Problem(f"/{missing[0]}", "is empty or no column", line=number, hint=f"columns: {known}")
            raise Invalid(f"row {number} of {file} has no {missing[0]!r}", [problem])
        made: JsonObject = {
            "type": columns.type,
            "id": str(row[columns.id]) if columns.id else f"{stem}-{number}",
            "data": {
                name: value_of(value, types.get(name, "")) for name, value in row.items() if value not in (None, "")
            },
        }
        if columns.time:
            made["time"] = time_of(row[columns.time], f"row {number} of {file}")
        if columns.subject:
            made["subject"] = str(row[columns.subject])
        return made

    return event


def value_of(value: JsonValue, type: str) -> JsonValue:
    """Convert the text of a cell to its contract field's type; without one to a number or a boolean where it clearly is
    one. Typed values stay unchanged."""
    if not isinstance(value, str) or type == "string":
        return str(value) if type == "string" and not isinstance(value, str | list | dict | None) else value
    text = value.strip()
    if type in ("", "boolean") and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if type in ("", "integer", "number") and _INTEGER.fullmatch(text):
        return int(text)
    if type in ("", "number") and _NUMBER.fullmatch(text):
        return float(text)
    return value  # the gate rejects it with reasons


def time_of(value: JsonValue, where: str) -> str:
    """Convert a column's instant to RFC 3339. A day, or a time without a zone, is read as UTC; a number counts seconds
    or ms since 1970. Raises Invalid."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value if abs(value) < SECONDS_MAX else value / 1_000
        try:
            return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError) as error:
            raise Invalid(f"{where}: {value!r} is no time", hint=TIME_HINT) from error
    text = str(value).strip()
    day = _DAY.fullmatch(text)
    try:
        found = datetime.fromisoformat("-".join(day.groups())) if day else datetime.fromisoformat(text)
    except ValueError as error:
        if _NUMBER.fullmatch(text):
            return time_of(float(text), where)
        raise Invalid(f"{where}: {text[:40]!r} is no time", hint=TIME_HINT) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")


def _csv(path: Path, delimiter: str) -> Iterator[tuple[int, JsonObject]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            if not delimiter:
                head = file.read(8_192)
                file.seek(0)
                delimiter = max((",", ";", "\t", "|"), key=head.partition("\n")[0].count)
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            for number, row in enumerate(reader, 1):
                if None in row or None in row.values():
                    wanted = len(reader.fieldnames or ())
                    why = f"{path}:{reader.line_num}: this row does not have {wanted} cells as the first line has"
                    raise Invalid(why)
                yield number, dict(row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise Invalid(f"{path} is no CSV in UTF-8: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, JsonObject]]:
    decode = msgspec.json.Decoder(JsonObject).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except (msgspec.MsgspecError, UnicodeError) as error:
                raise Invalid(f"{path}:{number}: this line is no JSON object: {error}") from error


def _parquet(path: Path) -> Iterator[tuple[int, JsonObject]]:
    try:
        import duckdb
    except ImportError as error:
        hint = "pip install 'agentic-orchestration-builder[metrics]'"
        raise Unavailable("Parquet needs duckdb, which is not installed", code="not_installed", hint=hint) from error
    with duckdb.connect(":memory:") as connection:
        try:
            connection.execute("set TimeZone = 'UTC'")
            shape = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
            # An instant with a zone becomes UTC without one: for the others duckdb wants a package that may be missing.
            columns = ", ".join(f"cast({_quoted(name)} as {type.replace(*ZONED)})" for name, type, *_ in shape)
            found = connection.execute(f"select {columns} from read_parquet(?)", [str(path)])  # noqa: S608
        except duckdb.Error as error:
            raise Invalid(f"{path} is no Parquet file: {str(error).splitlines()[0]}") from error
        names, number = [name for name, *_ in shape], 0
        while rows := found.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                number += 1
                yield number, _plain(names, row)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(names: Sequence[str], row: Sequence[JsonValue]) -> JsonObject:
    return {name: _json(value) for name, value in zip(names, row, strict=True)}


def _json(value: JsonValue) -> JsonValue:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    return msgspec.to_builtins(value) if not isinstance(value, str | int | float | bool | None) else value
