"""Runs: list, show, cancel, timeline, graph, why, messages, replay, fork, prune."""

import re
from typing import Annotated, Final, Literal

import msgspec

from aob.core.answers import (
    Accepted,
    Forked,
    JsonObject,
    JsonValue,
    Pruned,
    RunGraph,
    RunPage,
    RunView,
    Timeline,
    Why,
)
from aob.core.errors import Invalid, Problem
from aob.core.instant import EXAMPLE, MS_MAX, MS_MIN, ms_of
from aob.core.verb import LIVE, Gives
from aob.server.http.answer import Answer, json_answer, run_answer
from aob.server.http.call import Call, CommandId, Nothing
from aob.server.http.route import NO_BODY, Route, may_take, takes
from aob.server.http.waits import Wait

PAGE_MAX: Final = 500
EVENTS_MAX: Final = 10_000
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX, description="Rows of a page.")]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class RunsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs to list."""

    status: Literal["RUNNING", "WAITING", "COMPLETED", "FAILED", "CANCELLED"] | None = None
    workflow: str | None = None
    label: Annotated[tuple[str, ...], msgspec.Meta(description="`name=value`; several must all hold.")] = ()
    limit: Limit = 50
    cursor: Annotated[str | None, msgspec.Meta(description="`next` of the page before.")] = None


class RunQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How fresh the answer must be."""

    min_position: Annotated[
        str | None, msgspec.Meta(description="A position; the answer is at least as fresh, or it waits.")
    ] = None


class WaitQuery(RunQuery, frozen=True, forbid_unknown_fields=True):
    """How fresh the answer must be, and whether it waits for the end of the run."""

    wait: Wait = None


class TimelineQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which stretch of a timeline."""

    after: Annotated[int, msgspec.Meta(ge=-1, description="Only events with a greater `seq`.")] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=EVENTS_MAX)] = EVENTS_MAX


class CancelBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is cancelled; people read it in the timeline."""

    reason: Text = ""


class MessageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message by name and correlation `key`; `id` makes it count once."""

    name: str
    key: str = ""
    payload: JsonValue = None
    id: CommandId | None = None


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to replay from. `assume` gives outputs to visits that may not be performed; `patches` stand in for the
    run's own."""

    from_: str = msgspec.field(name="from")
    mode: Literal["freeze"] = "freeze"
    patches: list[JsonValue] | None = None
    assume: dict[str, JsonValue] | None = None


class ForkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The node from which the new run acts for real. `patches` are put on top of the run's own, `assume` gives copied
    visits another output; what depends on either is not copied."""

    from_: str = msgspec.field(name="from")
    patches: list[JsonValue] | None = None
    assume: dict[str, JsonValue] | None = None


class PruneBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ended runs to remove: those that ended before an instant (RFC 3339, a date in UTC, or ms), of a `workflow`,
    in a `status`. `reason` stands in the record. `cursor` is `next` of the step before."""

    before: str | int
    workflow: str | None = None
    status: Literal["COMPLETED", "FAILED", "CANCELLED"] | None = None
    reason: Text = ""
    dry_run: bool = False
    cursor: str | None = None


async def list_runs(call: Call[RunsQuery, None]) -> Answer:
    """A page of runs."""
    query = call.query
    labels = dict(_label(text) for text in query.label) or None
    page = await call.verbs.runs(
        call.who,
        status=query.status,
        workflow=query.workflow,
        limit=query.limit,
        cursor=query.cursor,
        labels=labels,
    )
    return json_answer(page)


async def show_run(call: Call[WaitQuery, None]) -> Answer:
    """A whole run, at its end when the caller waits for it."""
    within_ms = call.wait_ms(call.query.wait)
    if within_ms:
        return run_answer(await call.ended(call.params["run_id"], within_ms))
    return json_answer(await _run(call, call.query.min_position))


async def cancel_run(call: Call[Nothing, CancelBody]) -> Answer:
    """Cancel a run."""
    verdict = await call.verbs.cancel(
        call.who, call.params["run_id"], reason=call.body.reason, command=call.command_id()
    )
    return json_answer(verdict)


async def release_run(call: Call[Nothing, None]) -> Answer:
    """Let a run that was set aside go on."""
    return json_answer(await call.verbs.release(call.who, call.params["run_id"]))


async def show_timeline(call: Call[TimelineQuery, None]) -> Answer:
    """A stretch of a run's events."""
    after, limit = call.query.after, call.query.limit
    events = await call.verbs.timeline(call.who, call.params["run_id"], after=after, limit=limit + 1)
    page = events[:limit]
    return json_answer({"events": page, "next": page[-1]["seq"] if len(events) > limit else None})


async def show_why(call: Call[Nothing, None]) -> Answer:
    """What a run waits for."""
    return json_answer(await call.verbs.why(call.who, call.params["run_id"]))


async def show_graph(call: Call[RunQuery, None]) -> Answer:
    """The graph of a run as it stands now."""
    run = await _run(call, call.query.min_position)
    return json_answer({name: run.get(name) for name in ("run_id", "status", "version", "graph", "nodes")})


async def send_message(call: Call[Nothing, MessageBody]) -> Answer:
    """Hand a message to a run."""
    body = call.body
    verdict = await call.verbs.message(
        call.who,
        call.params["run_id"],
        body.name,
        key=body.key,
        payload=body.payload,
        id=call.command_id(body.id),
    )
    return json_answer(verdict)


async def replay_run(call: Call[Nothing, ReplayBody]) -> Answer:
    """Replay a run in a shadow."""
    body = call.body
    report = await call.verbs.replay(
        call.who, call.params["run_id"], from_node=body.from_, mode=body.mode, patches=body.patches, assume=body.assume
    )
    return json_answer(report)


async def fork_run(call: Call[Nothing, ForkBody]) -> Answer:
    """A new run from a node of this one."""
    body = call.body
    forked = await call.verbs.fork(
        call.who, call.params["run_id"], from_node=body.from_, patches=body.patches, assume=body.assume
    )
    return json_answer(forked, status=201, headers=((b"location", b"/v1/runs/" + forked["run_id"].encode()),))


async def prune_runs(call: Call[Nothing, PruneBody]) -> Answer:
    """One step of removing ended runs."""
    body = call.body
    told = await call.verbs.prune(
        call.who, _before_ms(body.before), workflow=body.workflow, status=body.status, reason=body.reason,
        dry_run=body.dry_run, cursor=body.cursor,
    )  # fmt: skip
    return json_answer(told)


async def _run(call: Call[RunQuery, None] | Call[WaitQuery, None], min_position: str | None) -> JsonObject:
    return await call.verbs.run(call.who, call.params["run_id"], min_position=min_position)


def _before_ms(given: str | int) -> int:
    """An instant of a body, in ms since 1970; a date is its begin in UTC."""
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


ROUTES: Final = (
    Route(
        "GET",
        "/v1/runs",
        list_runs,
        name="list_runs",
        summary="List runs, newest first, a page at a time.",
        verb="runs",
        query=RunsQuery,
        body=NO_BODY,
        gives=(Gives(200, RunPage, "A page of runs."),),
    ),
    Route(
        "GET",
        "/v1/runs/{run_id}",
        show_run,
        name="show_run",
        summary="Show a run: its visits, tickets, timers, patches, graph and cost.",
        verb="run",
        query=WaitQuery,
        body=NO_BODY,
        headers=("Prefer",),
        gives=(
            Gives(200, RunView, "The run; when the request waits, with its end."),
            Gives(202, RunView, "The time has passed: the run as it stands."),
        ),
        cost=LIVE,
    ),
    Route(
        "POST",
        "/v1/runs/{run_id}/cancel",
        cancel_run,
        name="cancel_run",
        summary="Cancel a run. After the answer no later result of it counts.",
        verb="cancel",
        query=Nothing,
        body=may_take(CancelBody),
        headers=("Idempotency-Key",),
        gives=(Gives(200, Accepted, "The cancel is committed."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/runs/{run_id}/release",
        release_run,
        name="release_run",
        summary="Let a run that was set aside go on, once what it lacked is there again.",
        verb="release",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Accepted, "The run goes on, or had not been set aside."),),
        refuses=(409,),
    ),
    Route(
        "GET",
        "/v1/runs/{run_id}/timeline",
        show_timeline,
        name="show_timeline",
        summary="List the events of a run in their order.",
        verb="timeline",
        query=TimelineQuery,
        body=NO_BODY,
        gives=(Gives(200, Timeline, "Events after `after`."),),
    ),
    Route(
        "GET",
        "/v1/runs/{run_id}/why",
        show_why,
        name="explain_run",
        summary="Say in one sentence what a run waits for.",
        verb="why",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Why, "The sentence and its details."),),
    ),
    Route(
        "GET",
        "/v1/runs/{run_id}/graph",
        show_graph,
        name="show_run_graph",
        summary="Show the graph of a run as it stands now, patches included, with the state of each visit.",
        verb="run",
        query=RunQuery,
        body=NO_BODY,
        gives=(Gives(200, RunGraph, "The graph."),),
    ),
    Route(
        "POST",
        "/v1/runs/{run_id}/messages",
        send_message,
        name="send_message",
        summary="Hand a message to a run that waits for it, or will.",
        verb="message",
        query=Nothing,
        body=takes(MessageBody),
        headers=("Idempotency-Key",),
        gives=(Gives(200, Accepted, "The message is committed."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/runs/{run_id}/replay",
        replay_run,
        name="replay_run",
        summary="Replay a run from a node in a shadow: recorded outputs stand, nothing outside is called.",
        verb="replay",
        query=Nothing,
        body=takes(ReplayBody),
        gives=(Gives(200, JsonObject, "The report: what was taken, computed, or is unknown."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/runs/{run_id}/fork",
        fork_run,
        name="fork_run",
        summary="Start a new run that copies what completed before a node and then acts for real.",
        verb="fork",
        query=Nothing,
        body=takes(ForkBody),
        gives=(Gives(201, Forked, "The new run."),),
        refuses=(409,),
    ),
    Route(
        "POST",
        "/v1/runs:prune",
        prune_runs,
        name="prune_runs",
        summary="Remove runs that ended before an instant, a step at a time; or say what would go.",
        verb="prune",
        query=Nothing,
        body=takes(PruneBody),
        gives=(Gives(200, Pruned, "What this step removed, and the cursor of the next."),),
    ),
)
