"""Converts answers of the metrics layer to rows and lines for people, and typed text to instants and dimensions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aob.cli.picture import clock, moment, short
from aob.cli.values import named
from aob.core.answers import JsonObject, JsonValue
from aob.core.duration import format_duration, parse_duration
from aob.core.metric_answers import DeadLetterRow, MetricAnswer, MetricInfo

INSTANT_HELP: Final = "2026-01-31T12:00:00Z, ms since 1970, or how long ago: 2h"
METRIC_COLUMNS: Final = ("metric", "type", "unit", "dimensions", "windows", "state")
DEAD_COLUMNS: Final = ("number", "at", "type", "source", "why", "state")


def instant(text: str | None) -> str | int | None:
    """An instant as the server reads it; a duration is relative to now."""
    if text is None:
        return None
    try:
        ago_ms = parse_duration(text)
    except ValueError:
        return text
    return int(datetime.now(UTC).timestamp() * 1_000) - ago_ms


def dimensions(texts: Sequence[str]) -> dict[str, str]:
    """The dimensions of `--where`."""
    return named(texts, "--where", "region=north")


def value_text(value: JsonValue, unit: str = "") -> str:
    """A value of a metric with its unit."""
    if value is None:
        return "none"
    if isinstance(value, float):
        text = f"{value:,.4f}".rstrip("0").rstrip(".")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}"
    elif isinstance(value, dict):  # of several numbers: quantiles, steps of a funnel
        return "  ".join(f"{name} {value_text(each)}" for name, each in value.items()) + f"  {unit}".rstrip()
    elif isinstance(value, list):  # the most frequent ones
        items = (each if isinstance(each, dict) else {"item": each} for each in value)
        ranked = ((short(item.get("item")), value_text(item.get("count", item.get("sum")))) for item in items)
        return ", ".join(f"{item} {weight}" for item, weight in ranked) or "none"
    else:
        text = short(value)
    return f"{text} {unit}".rstrip()


def metric_row(row: MetricInfo) -> tuple[str, ...]:
    """A metric in a list."""
    windows = " ".join(str(window.get("name", "")) for window in row["windows"])
    return row["name"], row["type"], row["unit"], " ".join(row["dimensions"]), windows, row["state"]


def metric_lines(answer: MetricAnswer) -> Iterator[str]:
    """A number and what is needed to trust it."""
    window = answer["window"]
    span = window["name"] or f"{clock(window['since'])} to {clock(window['until'])}"
    yield f"{answer['metric']}  {value_text(answer['value'], answer['unit'])}  ({span})"
    if answer.get("previous"):
        yield f"before    {value_text(answer['previous'].get('value'), answer['unit'])}"
    notes = [f"as of {clock(window['until'])}"]
    if answer["freshness_ms"] is not None:
        notes.append(f"newest event {format_duration(answer['freshness_ms'])} old")
    notes += ["complete" if answer["complete"] else "still coming in"]
    notes += ["restated"] * answer["restated"]
    notes += [] if answer["exact"] else [f"estimated within {answer.get('error', 0):.1%}"]
    notes += [f"scanned by {answer['contract']}"] if answer["path"] == "scan" else []
    notes += [f"{name}: more values than its budget" for name in answer.get("overflowed", ())]
    notes += ["only the largest rows: --limit takes more"] * answer.get("truncated", False)
    if "filling" in answer:
        notes.append(f"back-filled to {answer['filling']:.0%}")
    yield ", ".join(notes)


def metric_rows(answer: MetricAnswer) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns and rows of an answer by dimensions or steps."""
    rows = answer.get("rows", [])
    names = sorted({name for row in rows for name in row.get("by", {})})
    steps = any("at" in row for row in rows)
    found = [
        (
            *((clock(row.get("at")),) if steps else ()),
            *(row.get("by", {}).get(name, "") for name in names),
            value_text(row["value"], answer["unit"]),
        )
        for row in rows
    ]
    return (*(("from",) if steps else ()), *names, "value"), found


def delta_line(data: Mapping[str, JsonValue]) -> str:
    """An arriving delta of a metric."""
    unit = str(data.get("unit", ""))
    parts = [f"{data.get('metric', '')}  {value_text(data.get('value'), unit)}"]
    for row in data.get("rows") or ():
        by = " ".join(f"{name}={value}" for name, value in row.get("by", {}).items())
        parts.append(f"{by}: {value_text(row.get('value'), unit)}")
    if data.get("restated"):
        parts.append("restated")
    return "  ".join(parts)


def event_line(data: Mapping[str, JsonValue]) -> str:
    """An arriving accepted event."""
    inner = data.get("event")
    event: Mapping[str, JsonValue] = inner if isinstance(inner, dict) else data
    at = event.get("time")
    when = moment(int(at * 1_000)) if isinstance(at, int | float) else str(at or "")
    who = f"{event.get('source', '')}/{event.get('id', '')}"
    return "  ".join(filter(None, (when, str(event.get("type", "")), who, short(event.get("data"), 100))))


def dead_row(row: DeadLetterRow) -> tuple[str, ...]:
    """A dead letter in a list."""
    return str(row["number"]), clock(row["at"]), row["type"], row["source"], reason_text(row["reasons"]), row["state"]


def reason_text(reasons: Sequence[JsonObject]) -> str:
    """Why an event was refused, in one line."""
    return short("; ".join(f"{each.get('pointer') or '/'} {each.get('message', '')}" for each in reasons), 90)
