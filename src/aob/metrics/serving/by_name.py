"""Queries metrics by name: reads each one live and joins the rows by dimension into one table.

A metric without a value for a combination is null there. Uses neither SQL nor DuckDB."""

import asyncio
import time
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.core.metric_answers import QueryAnswer
from aob.core.metric_query import MetricQuery
from aob.core.serving import INSTANT
from aob.ports.serving import MetricReader

METRICS_MAX: Final = 20  # metrics of one query
TIME_COLUMN: Final = "time"


class MetricBody(msgspec.Struct, forbid_unknown_fields=True):
    """A query of metrics. `step` splits a span into a series, whose column is `time`. `order` names columns; a leading
    `-` reverses one."""

    metrics: list[str]
    dimensions: list[str] = []
    where: dict[str, str] = {}
    window: str = ""
    since: int | None = None
    until: int | None = None
    step: str = ""
    order: list[str] = []
    limit: int = 1_000
    min_position: str = ""


async def by_name(reader: MetricReader, tenant: str, asked: MetricBody) -> QueryAnswer:
    """The table of the metrics by their dimensions. Raises Invalid `bad_query`, and the errors of the reader."""
    _check(asked)
    since = time.perf_counter()
    answers = await asyncio.gather(*(reader.read_metric(tenant, _query(asked, name)) for name in asked.metrics))
    keys = [*asked.dimensions, *([TIME_COLUMN] if asked.step else [])]
    cells: dict[tuple[JsonValue, ...], list[JsonValue]] = {}
    for place, answer in enumerate(answers):
        for key, value in _rows(answer, asked):
            cells.setdefault(key, [None] * len(answers))[place] = value
    columns = [*keys, *asked.metrics]
    rows = [[*key, *values] for key, values in cells.items()]
    _sort(rows, columns, asked.order or keys)
    overflow = len(rows) > asked.limit or any(_cut(answer, asked.limit) for answer in answers)
    types = ["VARCHAR"] * len(asked.dimensions) + ([INSTANT] if asked.step else [])
    return {
        "columns": columns,
        "types": [*types, *(_type_of(rows, len(keys) + n) for n in range(len(answers)))],
        "rows": rows[: asked.limit],
        "truncated": overflow,
        # The position of the first read; later ones may include newer events.
        "position": str(answers[0]["position"]),
        "took_ms": round((time.perf_counter() - since) * 1_000, 3),
    }


def _check(asked: MetricBody) -> None:
    problems: list[Problem] = []
    if not 1 <= len(asked.metrics) <= METRICS_MAX:
        problems.append(Problem("/metrics", f"a query names 1 to {METRICS_MAX} metrics", code="bad_query"))
    names = [*asked.dimensions, *([TIME_COLUMN] if asked.step else []), *asked.metrics]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem("/metrics", f"{name!r} is named twice", code="bad_query"))
    for place, each in enumerate(asked.order):
        if each.removeprefix("-") not in names:
            problems.append(Problem(f"/order/{place}", f"{each!r} is no column of this query", code="bad_query"))
    if asked.step and (asked.since is None or asked.until is None):
        problems.append(Problem("/step", "a step splits a span: say since and until too", code="bad_query"))
    if problems:
        raise Invalid("this is no query", problems, code="bad_query")


def _query(asked: MetricBody, metric: str) -> MetricQuery:
    return MetricQuery(
        metric, window=asked.window, since_ms=asked.since, until_ms=asked.until, step=asked.step,
        by=tuple(asked.dimensions), where=asked.where, min_position=asked.min_position, limit=asked.limit,
    )  # fmt: skip


def _rows(answer: JsonObject, asked: MetricBody) -> list[tuple[tuple[JsonValue, ...], JsonValue]]:
    if not asked.dimensions and not asked.step:
        return [((), answer["value"])]
    found = []
    for row in answer.get("rows", ()):
        by = row.get("by", {})
        key = [by.get(name) for name in asked.dimensions]
        found.append(((*key, *([row.get("at")] if asked.step else [])), row["value"]))
    return found


def _cut(answer: JsonObject, limit: int) -> bool:
    return len(answer.get("rows", ())) >= limit and bool(answer.get("truncated"))


def _sort(rows: list[list[JsonValue]], columns: list[str], order: list[str]) -> None:
    """Sorts by several columns, nulls last; sorts are stable, so the last column is sorted first."""
    for each in reversed(order):
        place, turned = columns.index(each.removeprefix("-")), each.startswith("-")
        known = [row for row in rows if row[place] is not None]
        known.sort(key=lambda row: _rank(row[place]), reverse=turned)
        rows[:] = known + [row for row in rows if row[place] is None]


def _rank(value: JsonValue) -> tuple[int, JsonValue]:
    if isinstance(value, int | float):
        return 0, value
    return 1, value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _type_of(rows: list[list[JsonValue]], place: int) -> str:
    values = [row[place] for row in rows if row[place] is not None]
    return "DOUBLE" if all(isinstance(value, int | float) for value in values) else "JSON"
