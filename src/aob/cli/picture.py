"""Converts JSON answers of the server to lines and rows for a person. Sends and prints nothing."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue, NodeView, RunRow, RunView, TicketView
from aob.core.duration import format_duration

VALUE_MAX: Final = 160
_PLACE: Final = ("seq", "position", "at", "at_ms", "run", "run_id", "tenant", "depth")
ENTRY_HIDDEN: Final = frozenset((*_PLACE, "type", "visit", "attempt", "hash", "artifact"))
ENTRY_VALUE_MAX: Final = 60
REASON_MAX: Final = 60  # characters of a reason in a list, so that the other columns stay visible
INSTANT_MS: Final = 1_000_000_000_000  # a larger number of ms is an instant, a smaller one a duration
ALIKE_MAX: Final = 10  # up to so many equal visits of a map or a loop are listed one by one
_ANY_ITEM: Final = re.compile(r"\[\d+\]|#\d+")
NODE_COLUMNS: Final = ("node", "state", "attempt", "kind", "note")
RUN_COLUMNS: Final = ("run", "workflow", "status", "started", "took")
WAITS: Final = {
    "no_worker": "no worker has its handler", "no_label": "no worker has its labels",
    "no_build": "no worker has its build", "paused": "its handler is paused",
}  # fmt: skip
TICKET_COLUMNS: Final = ("ticket", "role", "about", "choices", "run", "left")


def short(value: JsonValue, most: int = VALUE_MAX) -> str:
    """A value in one line, cut where it is long."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def clock(ms: JsonValue) -> str:
    """An instant in this machine's local format; empty for none."""
    return datetime.fromtimestamp(ms / 1_000).astimezone().strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def took(begun_ms: JsonValue, ended_ms: JsonValue) -> str:
    """The duration; empty while it goes on."""
    return format_duration(ended_ms - begun_ms) if begun_ms and ended_ms else ""


def left(due_ms: JsonValue) -> str:
    """The time left until an instant; empty for none."""
    if not due_ms:
        return ""
    ms = due_ms - datetime.now(UTC).timestamp() * 1_000
    return format_duration(ms) if ms > 0 else "over"


def run_row(run: RunRow) -> tuple[str, ...]:
    """A run in a list."""
    begun, ended = run.get("started_at"), run.get("ended_at")
    status = run["status"] + (f" ({short(run['reason'], REASON_MAX)})" if run.get("reason") else "")
    return run["run_id"], run["workflow"], status, clock(begun), took(begun, ended)


def run_head(run: RunView) -> str:
    """A run in one line."""
    version, tag = run.get("version", ""), run.get("tag")
    name = " ".join(filter(None, (run["workflow"], version, f"({tag})" if tag else "")))
    lasted = took(run.get("started_at"), run.get("ended_at"))
    reason = f": {run['reason']}" if run.get("reason") else ""
    build = f"  build {run['build']}" if run.get("build") else ""
    return f"{run['run_id']}  {name}  {run['status']}{reason}{build}" + (f"  took {lasted}" if lasted else "")


def node_rows(run: RunView) -> Iterator[tuple[str, ...]]:
    """Every visit with its state, in the order of the graph; unreached nodes last."""
    nodes, graph = run["nodes"], run.get("graph") or {}
    for visit, node in nodes.items():
        yield visit, node["state"], str(node.get("attempt") or ""), node.get("kind", ""), _note(node)
    for name, node in graph.get("nodes", {}).items():
        if name not in nodes:
            yield name, "not begun", "", str(node.get("kind", "")), ""


def _note(node: NodeView) -> str:
    notes = ["from memory"] if node.get("memo") else []
    if waits := node.get("waits"):
        notes.append(WAITS.get(waits, waits))
    error = node.get("error")
    if error is not None:
        notes.append(short(error.get("message", error) if isinstance(error, dict) else error))
    return ", ".join(notes)


def entry_line(entry: Mapping[str, JsonValue]) -> str:
    """A timeline entry in one line: when, what, where, and its own fields."""
    attempt = entry.get("attempt")
    again = f" #{attempt}" if isinstance(attempt, int) and attempt > 1 else ""
    fields = (_field(name, value) for name, value in entry.items() if name not in ENTRY_HIDDEN)
    where = f"{entry.get('visit') or ''}{again}"
    return f"{moment(entry.get('at')):<12}  {entry['type']:<16}  {where:<12}  {' '.join(filter(None, fields))}".rstrip()


def entry_state(entry: Mapping[str, JsonValue]) -> str:
    """The state of an entry, for its colour: `completed` of node_completed, a run's status at its end."""
    return str(entry.get("status") or entry["type"].rpartition("_")[2])


def _field(name: str, value: JsonValue) -> str:
    if name == "on" and value == "success":
        return ""
    if name.endswith("_ms") and isinstance(value, int) and value > INSTANT_MS:
        return f"{name.removesuffix('_ms')}={moment(value)}"
    return f"{name}={short(value, ENTRY_VALUE_MAX)}"


def moment(ms: JsonValue) -> str:
    """The time of day of an instant, to the ms; empty for none, the number for one beyond the calendar."""
    try:
        return datetime.fromtimestamp(ms / 1_000).astimezone().strftime("%H:%M:%S.%f")[:-3] if ms else ""
    except (ValueError, OverflowError, OSError):
        return str(ms)


def _whose(ticket: TicketView) -> str:
    """The run that a ticket belongs to, the tag, or the key of an agent."""
    if "agent" in ticket:
        return f"{ticket['agent']}/{ticket.get('key', '')}"
    return ticket.get("run_id") or f"{ticket.get('workflow', '')}@{ticket.get('tag', '')}"


def ticket_row(ticket: TicketView) -> tuple[str, ...]:
    """A ticket in a list."""
    about = ticket.get("text") or ticket.get("subject") or ticket.get("visit") or ""
    choices = ", ".join(ticket.get("choices") or ("approve", "reject"))
    role, due = ticket.get("role", ""), left(ticket.get("due"))
    return ticket["ticket_id"], role, short(about, 60), choices, _whose(ticket), due


def ticket_lines(ticket: TicketView) -> Iterator[str]:
    """A ticket for the person who decides it. The diff of a patch is drawn by its own lines, not as JSON."""
    state, role = ticket.get("state", "open"), ticket.get("role", "")
    yield f"{ticket['ticket_id']}  {state}  role {role}  {_whose(ticket)}"
    if ticket.get("text"):
        yield str(ticket["text"])
    if ticket.get("shown") not in (None, {}) and not ticket.get("patch_id"):
        yield from indented(ticket["shown"])
    for name, kind in (ticket.get("form") or {}).items():
        yield f"  --value {name}=...  ({kind if isinstance(kind, str) else short(kind, 60)})"
    if ticket.get("due"):
        yield f"{left(ticket['due'])} left" if left(ticket["due"]) != "over" else "its time is over"
    if ticket.get("choice"):
        reason = f": {ticket['reason']}" if ticket.get("reason") else ""
        yield f"decided: {ticket['choice']} by {ticket.get('by', '')}{reason}"


def indented(value: JsonValue) -> Iterator[str]:
    """A value as JSON over several lines."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    yield from (f"  {line}" for line in text.splitlines())


def diff_lines(answer: Mapping[str, JsonValue]) -> list[str]:
    """The lines of a difference as the server rendered it, or its JSON."""
    lines = answer.get("lines")
    if isinstance(lines, list):
        return [str(line) for line in lines]
    return list(indented(answer["diff"])) if answer.get("diff") else []


def visit_rows(report: JsonObject) -> Iterator[tuple[str, ...]]:
    """The visits of a replay: the origin of each output. Many that differ only in their item are one row."""
    rows = [
        (str(visit.get("visit", "")), str(visit.get("how", "")), short(visit.get("why") or visit.get("on") or ""))
        for visit in report.get("visits", ())
    ]
    alike = Counter((_ANY_ITEM.sub("[*]", name), *rest) for name, *rest in rows)
    told = set[tuple[str, ...]]()
    for name, *rest in rows:
        kind = (_ANY_ITEM.sub("[*]", name), *rest)
        if alike[kind] <= ALIKE_MAX:
            yield name, *rest
        elif kind not in told:
            told.add(kind)
            yield f"{kind[0]} x {alike[kind]:,}", *rest
