"""Answers queries: by names of metrics or of an entity, or by guarded SQL. Metrics are read live, through the common
reader, and their rows joined by dimension into one table, where a metric without a value for a combination is null;
entities and SQL go through the port `Serving`."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet
from aob.core.errors import AobError, Invalid, NotFound, Problem
from aob.core.hint import nearest
from aob.core.metric_answers import QueryAnswer
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.serving import INSTANT, View
from aob.core.verb import performs
from aob.core.verbs import contract_verbs as verbs
from aob.ports.serving import ROWS_MAX, TIME_MAX_MS, MetricReader, Question, Serving

LIMIT_DEFAULT: Final = 1_000
METRICS_MAX: Final = 20  # metrics of one query
TIME_COLUMN: Final = "time"
METRIC_ROWS_EACH_MAX: Final = 1_000  # rows of one metric in the view `metrics`
METRIC_ROWS_MAX: Final = 20_000
Rows = tuple[int, ...]
Scalar = str | int | float | bool | None


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


class EntityBody(msgspec.Struct, forbid_unknown_fields=True):
    """Entities of a type by the values of their attributes. `order` names columns; a leading `-` reverses one."""

    entity: str
    fields: list[str] = []
    where: dict[str, Scalar] = {}
    order: list[str] = []
    limit: int = LIMIT_DEFAULT
    min_position: str = ""


class SqlBody(msgspec.Struct, forbid_unknown_fields=True):
    """SQL over the tenant's views, with its bound parameters."""

    sql: str
    parameters: list[Scalar] | dict[str, Scalar] = []
    limit: int = ROWS_MAX
    timeout_ms: int = TIME_MAX_MS
    min_position: str = ""


class Querying:
    """Answers queries. `rows_of` converts a position to rows of the event log, `token_of` the reverse."""

    def __init__(
        self,
        serving: Serving,
        reader: MetricReader,
        rows_of: Callable[[str], Rows],
        token_of: Callable[[Rows], str],
    ) -> None:
        self._serving, self._reader = serving, reader
        self._rows_of, self._token_of = rows_of, token_of

    @performs(verbs.QUERY)
    async def query(self, who: Caller, args: verbs.AskQuery) -> QueryAnswer:
        """Answer a query: by name first, or SQL. Raises Invalid `bad_query` with the field for an invalid body,
        NotFound `entity_not_found`, and the errors of the metric reader and of `Serving`."""
        body = args.body
        ways = [name for name in ("metrics", "entity", "sql") if name in body]
        if len(ways) != 1:
            raise _wrong("", "a query has one of `metrics`, `entity` and `sql`")
        if ways[0] == "metrics":
            asked = _read(body, MetricBody)
            _limited(asked.limit, "limit", ROWS_MAX)
            return await by_name(self._reader, who.tenant, asked)
        if ways[0] == "entity":
            return await self._entities(who.tenant, _read(body, EntityBody))
        sql: SqlBody = _read(body, SqlBody)
        _limited(sql.limit, "limit", ROWS_MAX)
        _limited(sql.timeout_ms, "timeout_ms", TIME_MAX_MS)
        return await self._answer(
            Question(who.tenant, sql.sql, sql.parameters, sql.limit, sql.timeout_ms, self._rows(sql.min_position))
        )

    async def _entities(self, tenant: str, asked: EntityBody) -> QueryAnswer:
        _limited(asked.limit, "limit", ROWS_MAX)
        view = await self._view(tenant, asked.entity)
        names = {column.field or column.name: column.name for column in view.columns}
        names |= {column.name: column.name for column in view.columns}
        picked = [_column(names, field, f"/fields/{n}") for n, field in enumerate(asked.fields)]
        columns = ", ".join(["id", *(each for each in picked if each != '"id"')]) if picked else "*"
        terms: list[str] = []
        parameters: list[Scalar] = []
        for field, value in asked.where.items():
            column = _column(names, field, f"/where/{field}")
            terms.append(f"{column} IS NULL" if value is None else f"{column} = ?")
            parameters += [] if value is None else [value]
        orders = [
            _column(names, each.removeprefix("-"), f"/order/{n}") + (" DESC" if each.startswith("-") else "")
            for n, each in enumerate(asked.order)
        ]
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        order = ", ".join([*orders, "id"])
        # Every name is one of the view's own columns, quoted; every value is bound. The guard still checks it.
        sql = f'SELECT {columns} FROM "{view.name}"{where} ORDER BY {order}'  # noqa: S608
        return await self._answer(
            Question(tenant, sql, parameters, asked.limit, TIME_MAX_MS, self._rows(asked.min_position))
        )

    async def _view(self, tenant: str, entity: str) -> View:
        views = [view for view in await self._serving.views(tenant) if view.kind == "entity"]
        for view in views:
            if view.of == entity:
                return view
        hint = f"there are: {', '.join(sorted(view.of for view in views)) or 'none'}"
        raise NotFound(f"no contract speaks of an entity {entity!r}", code="entity_not_found", hint=hint)

    async def _answer(self, question: Question) -> QueryAnswer:
        since = time.perf_counter()
        table = await self._serving.query(question)
        return {
            "columns": table.columns,
            "types": table.types,
            "rows": table.rows,
            "truncated": table.truncated,
            "position": self._token_of(table.read_to),
            "took_ms": round((time.perf_counter() - since) * 1_000, 3),
            "sql": table.sql,
        }

    def _rows(self, position: str) -> Rows:
        return self._rows_of(position) if position else ()


def _read(body: Mapping[str, JsonValue], shape: type[Any]) -> Any:
    try:
        return msgspec.convert(dict(body), shape)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise _wrong(path.rstrip("`").replace("[", "/").replace("]", "").replace(".", "/"), what) from None


def _column(names: Mapping[str, str], field: str, path: str) -> str:
    if field not in names:
        close = nearest(field, names)
        hint = f"do you mean {close!r}?" if close else f"there are: {', '.join(sorted(set(names.values())))}"
        raise _wrong(path, f"there is no column {field!r}", hint)
    return '"' + names[field].replace('"', '""') + '"'


def _limited(value: int, name: str, most: int) -> None:
    if not 1 <= value <= most:
        raise _wrong(f"/{name}", f"{name} is between 1 and {most}")


def _wrong(path: str, what: str, hint: str = "") -> Invalid:
    return Invalid(f"this is no query: {what}", [Problem(path, what, code="bad_query", hint=hint)], code="bad_query")


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
    overflow = len(rows) > asked.limit or any("truncated" in answer for answer in answers)
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
        by=tuple(asked.dimensions), where=asked.where, min_position=asked.min_position,
        limit=asked.limit if asked.step else ROWS_MAX,  # cut once they are joined and ordered
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


class MetricRows:
    """The loader of the view `metrics`, every metric of a tenant over its first window, in total and by its dimensions:
    call it with a tenant. Omits metrics that cannot be read now."""

    def __init__(self, reader: MetricReader, contracts_of: Callable[[str], ContractSet]) -> None:
        self._reader, self._contracts_of = reader, contracts_of

    async def __call__(self, tenant: str) -> list[Mapping[str, JsonValue]]:
        """Rows by the names of the columns of `METRICS`."""
        rows: list[Mapping[str, JsonValue]] = []
        for contract in self._contracts_of(tenant).newest_metrics():
            by = tuple(contract.dimensions)
            try:
                whole = await self._reader.read_metric(tenant, MetricQuery(contract.name))
                rows.append(_metric_row(whole, {}, whole["value"]))
                if by:
                    parts = await self._reader.read_metric(
                        tenant, MetricQuery(contract.name, by=by, limit=METRIC_ROWS_EACH_MAX)
                    )
                    rows += [_metric_row(parts, part.get("by", {}), part["value"]) for part in parts.get("rows", ())]
            except AobError:
                continue
            if len(rows) >= METRIC_ROWS_MAX:
                break
        return rows[:METRIC_ROWS_MAX]


def _metric_row(answer: JsonObject, by: Mapping[str, str], value: JsonValue) -> Mapping[str, JsonValue]:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    return {
        "name": answer["metric"],
        "version": answer["version"],
        "unit": answer["unit"],
        "span": answer["window"]["name"],
        "dimensions": dict(by),
        "value": number,
        "detail": None if number is not None else value,
        "until": answer["window"]["until"],
    }
