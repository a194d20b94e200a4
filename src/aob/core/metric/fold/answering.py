"""Answers queries: values by dimension, series, previous windows, derived metrics, how long an answer is valid."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Final

import msgspec

from aob.core.contract_model import OTHER, REST
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.expression import EvalError
from aob.core.metric.cube import Cube
from aob.core.metric.fold.plan import MetricPlan, State
from aob.core.metric.fold.reading import Reading, Row, Told, Value, number_of, tell
from aob.core.metric.span import FIRST_MS, LAST_MS, Span, span_of, step_of
from aob.core.metric.tile import DAY_MS, ENDLESS_MS, HOUR_MS, MINUTE_MS, Key, NeedsScan
from aob.core.metric_query import MetricQuery

ROWS_MAX: Final = 10_000  # rows of one answer, whatever limit the query has
TIME_MIN_MS: Final = FIRST_MS - DAY_MS
TIME_MAX_MS: Final = LAST_MS + DAY_MS  # the range of a query: the years 1 to 9999
_ZERO: Final = frozenset(("count", "sum", "distinct"))


def answer(fold: State, query: MetricQuery, now_ms: int) -> Reading:
    """Answer a query at an instant."""
    plan = fold.plan.metrics.get(query.metric)
    if plan is None:
        hint = f"there are {', '.join(sorted(fold.plan.metrics)[:20])}"
        raise NotFound(f"there is no metric {query.metric}", code="metric_not_found", hint=hint)
    if query.version not in (0, plan.contract.version):
        raise NotFound(f"{query.metric} has no version {query.version} here", code="metric_not_found")
    _check(query, plan)
    query = _meant(fold, plan, query)
    as_of = now_ms if query.as_of_ms is None else query.as_of_ms
    span = span_of(query, plan.contract, as_of)
    until = ENDLESS_MS if span.kind == "all" and query.as_of_ms is None else span.until
    made = list(_made_of(fold, plan))
    cubes = [fold.cubes[id] for id in dict.fromkeys(part.cube for each in made for part in each.parts)]
    subjects = [fold.subjects[each.contract.name] for each in made if each.contract.name in fold.subjects]
    try:
        told = _tell(fold, plan, span.since, until, query.by, query.where)
    except NeedsScan:
        if query.as_of_ms is not None or not any(cube.pressed(now_ms, fold.kept_ms) for cube in cubes):
            raise
        span, told = _wider(fold, plan, span, query)
    missed = sum(each.missed for each in subjects)
    anew = any(each.waiting for each in subjects) or _recounts(fold, made, span.since, until)
    reading = Reading(
        query.metric, span.window.name, span.kind, span.since, span.until, told.total,
        exact=told.exact and not missed and not anew, error=told.error, missed=missed, restating=anew,
        restated=told.restated, overflow=told.overflow,
        watermark_ms=fold.sources.watermark(now_ms),
        newest_at_ms=_newest(fold, made, query.where),
        unmoved=_unmoved(fold, made) + sum(each.unmoved for each in subjects),
        overflowed=fold.dimensions.overflowed(plan.names, plan.contract.budget),
    )  # fmt: skip
    reading.truncated = bool(query.by) and len(told.values) > min(query.limit, ROWS_MAX)
    mark = reading.watermark_ms
    reading.complete = mark is not None and mark >= span.until
    reading.valid_until_ms = _valid_until(fold, span, told, cubes, reading, query.as_of_ms is not None, now_ms)
    if query.step:
        reading.rows = _series(fold, plan, query, span, told, reading)
    elif query.by:
        reading.rows = _rows(told, query)
    if query.compare:
        before = span.before()
        reading.previous = _previous(
            _tell(fold, plan, before.since, before.until, query.by, query.where), before, query
        )
    return reading


def _meant(fold: State, plan: MetricPlan, query: MetricQuery) -> MetricQuery:
    """The query with `__other__` replaced by the rest of a dimension, unless a value has that name."""
    where = {
        name: REST if value == OTHER and not fold.dimensions.knows(name, plan.contract.budget, OTHER) else value
        for name, value in query.where.items()
    }
    return query if where == query.where else msgspec.structs.replace(query, where=where)


def _wider(fold: State, plan: MetricPlan, span: Span, query: MetricQuery) -> tuple[Span, Told]:
    """A sliding window that starts slightly earlier (the answer says when), for cubes with so many cells that small
    tiles were rolled up early: scanning the log for each reading would cost far more."""
    if span.kind != "sliding" or span.since is None:
        raise NeedsScan
    for size_ms in (MINUTE_MS, HOUR_MS):
        since = span.since // size_ms * size_ms
        try:
            told = _tell(fold, plan, since, span.until, query.by, query.where)
        except NeedsScan:
            continue
        return msgspec.structs.replace(span, since=since), told
    raise NeedsScan


def _check(query: MetricQuery, plan: MetricPlan) -> None:
    problems = [
        Problem(f"/{place}", f"{query.metric} has no dimension {name}", "unknown_dimension",
                hint=f"it has {', '.join(plan.names) or 'none'}")
        for place, names in (("by", query.by), ("where", tuple(query.where))) for name in names
        if name not in plan.names
    ]  # fmt: skip
    if query.compare not in ("", "previous"):
        problems.append(Problem("/compare", f"{query.compare!r} is not known", hint="previous"))
    if query.step:
        try:
            step_of(query.step)
        except ValueError as error:
            problems.append(Problem("/step", str(error), hint="1m, 1h, 1d; or of the calendar: day, 2 weeks, month"))
    for name in ("since_ms", "until_ms", "as_of_ms", "known_at_ms"):
        at_ms = getattr(query, name)
        if at_ms is not None and not TIME_MIN_MS <= at_ms <= TIME_MAX_MS:
            problems.append(Problem(f"/{name}", f"{at_ms} lies outside the years 1 to 9999", "bad_time"))
    if query.limit < 1:
        problems.append(Problem("/limit", "it must be 1 at least"))
    if problems:
        raise Invalid(f"this cannot be asked of {query.metric}: {problems[0].message}", problems,
                      hint=problems[0].hint)  # fmt: skip


def _tell(
    fold: State, plan: MetricPlan, since: int | None, until: int, by: tuple[str, ...], where: Mapping[str, str]
) -> Told:
    if plan.expression is None:
        return tell(plan, fold.cubes, since, until, by, where)
    parts = {
        name: _tell(fold, fold.plan.metrics[name], since, until, by, where) for name in plan.operands
    }  # fmt: skip
    firsts = [part.first for part in parts.values() if part.first is not None]
    told = Told(
        {}, exact=all(part.exact for part in parts.values()), error=max(part.error for part in parts.values()),
        restated=any(part.restated for part in parts.values()), first=min(firsts, default=None),
    )  # fmt: skip
    told.total = _derived(plan, {name: part.total for name, part in parts.items()})
    told.overflow = told.total is None and any(part.overflow for part in parts.values())
    nothing = {name: 0 if fold.plan.metrics[name].contract.type in _ZERO else None for name in parts}
    for group in {group for part in parts.values() for group in part.values}:
        given = {name: part.values.get(group, nothing[name]) for name, part in parts.items()}
        told.values[group] = _derived(plan, given)
        if told.values[group] is None and any(group in part.over for part in parts.values()):
            told.over.add(group)
    return told


def _derived(plan: MetricPlan, values: Mapping[str, Value]) -> Value:
    """The value of a derived metric; None where a part is None, or where it cannot be computed (a division by 0)."""
    assert plan.expression is not None
    # integers as doubles, because the language does not mix them
    names = {name: float(value) if isinstance(value, int) else value for name, value in values.items()}
    try:
        found = plan.expression.eval(names)
    except (EvalError, TypeError, ValueError, ArithmeticError):
        return None
    if isinstance(found, float) and not isfinite(found):
        return None
    return found if isinstance(found, bool | int | float | None) else None


def _made_of(fold: State, plan: MetricPlan) -> Iterator[MetricPlan]:
    """A metric and, at every depth, its operands."""
    yield plan
    for name in plan.operands:
        yield from _made_of(fold, fold.plan.metrics[name])


def _newest(fold: State, made: Sequence[MetricPlan], where: Mapping[str, str]) -> int | None:
    found: list[int] = []
    for part in (part for each in made for part in each.parts):
        cube = fold.cubes[part.cube]
        newest = cube.newest.get(part.slot.when)
        if newest is None:
            continue
        if where:
            wanted = [(cube.id.names.index(name), value) for name, value in where.items()]
            latest = [at for key, at in cube.latest.items() if all(key[place] == value for place, value in wanted)]
            if max(latest, default=-1) < 0:
                continue
            newest = min(newest, max(latest) + 999)
        found.append(newest)
    return max(found, default=None)


def _unmoved(fold: State, made: Sequence[MetricPlan]) -> int:
    """Values that its cubes, or those of its operands, could not use."""
    return sum(
        fold.cubes[id].unmoved.get(each.contract.name, 0) for each in made for id in {part.cube for part in each.parts}
    )


def _recounts(fold: State, made: Sequence[MetricPlan], since: int | None, until: int) -> bool:
    """Whether tiles of this span wait for a recount from the log."""
    low = -ENDLESS_MS if since is None else since
    spans = [span for each in made for span in fold.wanted.get(each.contract.name, ())]
    return any(start < until and end > low for start, end in spans)


def _valid_until(
    fold: State, span: Span, told: Told, cubes: list[Cube], reading: Reading, fixed: bool, now_ms: int
) -> int | None:
    """When the answer changes without an event: data leaves or enters the window, or it becomes complete."""
    edges: list[int] = []
    if not fixed:
        moves_at = span.moves_at(told.first, max((cube.furthest for cube in cubes), default=0))
        edges += [] if moves_at is None else [moves_at]
    if not reading.complete and reading.watermark_ms is not None and (fixed or span.kind in ("span", "hopping")):
        edges.append(fold.sources.passes_at(span.until))
    ahead = [edge for edge in edges if edge > now_ms]
    return min(ahead, default=None)


def _rows(told: Told, query: MetricQuery) -> list[Row]:
    """Rows ordered by their dimensions; when there are too many, the largest of them."""
    pairs = sorted(told.values.items())
    limit = min(query.limit, ROWS_MAX)
    if len(pairs) > limit:
        pairs = sorted(sorted(pairs, key=lambda pair: -(number_of(pair[1]) or 0.0))[:limit])
    return [{"by": _named(query.by, group), "value": value, **_more(query.by, group, told)} for group, value in pairs]


def _named(by: tuple[str, ...], group: Key) -> dict[str, str]:
    return {name: OTHER if value == REST else value for name, value in zip(by, group, strict=True)}


def _more(by: tuple[str, ...], group: Key, told: Told) -> Row:
    """The flags of a row: `overflow`, and `other`, the dimensions of which it is the rest."""
    more: Row = {"overflow": True} if group in told.over else {}
    rest = [name for name, value in zip(by, group, strict=True) if value == REST]
    return more | {"other": rest} if rest else more


def _series(fold: State, plan: MetricPlan, query: MetricQuery, span: Span, told: Told, reading: Reading) -> list[Row]:
    since = span.since if span.since is not None else told.first
    if since is None:
        return []
    limit = min(query.limit, ROWS_MAX)
    rows: list[Row] = []
    mark = reading.watermark_ms
    for number, (start, end) in enumerate(span.buckets(step_of(query.step), since)):
        part = _tell(fold, plan, start, end, query.by, query.where)
        more = {"complete": mark is not None and mark >= end, "restated": part.restated}
        if query.by:
            rows += [{"at": start, **row, **more} for row in _rows(part, query)]
        else:
            over = {"overflow": True} if part.overflow else {}
            rows.append({"at": start, "value": part.total, **more, **over})
        if len(rows) > limit or number >= ROWS_MAX:
            why = f"the series has more than {limit} rows"
            hint = "a larger step, a shorter span, or a larger limit"
            raise Invalid(why, [Problem("/step", "too fine for this span", "too_many")], hint=hint)
    return rows


def _previous(told: Told, span: Span, query: MetricQuery) -> Row:
    found: Row = {"since": span.since, "until": span.until, "value": told.total, "restated": told.restated}
    if told.overflow:
        found["overflow"] = True
    if query.by:
        found["rows"] = _rows(told, query)
    return found
