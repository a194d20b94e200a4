"""Runs where HTTP differs from the verb: lists by label, waits, pages of a timeline, instants."""

import re
from typing import Annotated, Final, Literal

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, Problem
from aob.core.instant import EXAMPLE, MS_MAX, MS_MIN, ms_of
from aob.core.verbs import run_verbs
from aob.server.http.answer import Answer, json_answer, run_answer
from aob.server.http.call import AnyCall, Call
from aob.server.http.route import takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.http.waits import Wait

PAGE_MAX: Final = 500
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX, description="Rows of a page.")]


class RunsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs to list."""

    status: Literal["RUNNING", "WAITING", "COMPLETED", "FAILED", "CANCELLED"] | None = None
    workflow: str | None = None
    label: Annotated[tuple[str, ...], msgspec.Meta(description="`name=value`; several must all hold.")] = ()
    limit: Limit = 50
    cursor: Annotated[str | None, msgspec.Meta(description="`next` of the page before.")] = None


class WaitQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fresh the answer must be, and whether it waits for the end of the run."""

    min_position: run_verbs.Fresh = None
    wait: Wait = None


class PruneBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ended runs to remove: those that ended before an instant (RFC 3339, a date in UTC, or ms), of a `workflow`,
    in a `status`. `reason` is recorded. `cursor` is `next` of the previous step."""

    before: str | int
    workflow: str | None = None
    status: Literal["COMPLETED", "FAILED", "CANCELLED"] | None = None
    reason: run_verbs.Text = ""
    dry_run: bool = False
    cursor: str | None = None


async def list_runs(call: Call[RunsQuery, None], fields: Fields) -> Answer:
    """A page of runs."""
    asked = msgspec.structs.asdict(call.query)
    asked["labels"] = dict(_label(text) for text in asked.pop("label")) or None
    return json_answer(await call.act("runs")(call.who, **asked))


async def show_run(call: Call[WaitQuery, None], fields: Fields) -> Answer:
    """A whole run, at its end when the caller waits for it."""
    within_ms = call.wait_ms(call.query.wait)
    if within_ms:
        return run_answer(await call.ended(fields["run_id"], within_ms))
    return json_answer(await call.act("run")(call.who, fields["run_id"], min_position=call.query.min_position))


async def show_timeline(call: AnyCall, fields: Fields) -> Answer:
    """A page of a run's events: reads one more, to know whether another page follows."""
    limit: int = fields.pop("limit")
    events = await call.act("timeline")(call.who, **fields, limit=limit + 1)
    page = events[:limit]
    return json_answer({"events": page, "next": page[-1]["seq"] if len(events) > limit else None})


async def fork_run(call: AnyCall, fields: Fields) -> Answer:
    """A new run from a node of this one, with its location."""
    forked = await call.act("fork")(call.who, **fields)
    return json_answer(forked, status=201, headers=((b"location", b"/v1/runs/" + forked["run_id"].encode()),))


async def prune_runs(call: Call[object, PruneBody], fields: Fields) -> Answer:
    """One step of removing ended runs."""
    asked: JsonObject = msgspec.structs.asdict(call.body)
    before_ms = _before_ms(asked.pop("before"))
    return json_answer(await call.act("prune")(call.who, before_ms, **asked))


def _before_ms(given: str | int) -> int:
    """An instant of a body, in ms since 1970; a date means its start in UTC."""
    if isinstance(given, int) and MS_MIN <= given <= MS_MAX:
        return given
    try:
        return ms_of(f"{given}T00:00:00Z" if DATE.fullmatch(str(given)) else str(given))
    except ValueError as error:
        raise Invalid(f"before is no instant: {error}", [
            Problem("/before", str(error), "bad_value", hint=f"{EXAMPLE}, or {EXAMPLE[:10]}")
        ]) from None  # fmt: skip


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Invalid("the query is not what this route takes", [Problem("?label", "is not name=value")])
    return name, value


ODD: Final = {
    "list_runs": Odd(list_runs, query=RunsQuery),
    "show_run": Odd(show_run, query=WaitQuery),
    "show_timeline": Odd(show_timeline),
    "fork_run": Odd(fork_run),
    "prune_runs": Odd(prune_runs, takes(PruneBody)),
}
