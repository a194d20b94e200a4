"""`why` says in one sentence what a run waits for, or how it ended: one test for each sentence there is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Invalid
from aob.core.run import fold
from aob.core.run.record import events as ev
from aob.views import why
from tests.runs.home import Deed, chain, crashed, finished, flow, fn, ticket_of, until


async def sentence(app: App, run_id: str) -> str:
    told: str = (await app.views.why(app.who, run_id))["sentence"]
    return told


async def test_a_ticket_with_its_role_and_the_time_left(app: App) -> None:
    ok = {"kind": "approval", "config": {"role": "finance"}, "timeout": {"deadline": "2h", "expire": "reject"}}
    await app.push(flow("w", {"ok": ok, "b": fn()}, "ok>b:approved"))
    run = await app.start("w", 1)
    ticket = await ticket_of(app, run.id)
    told = await sentence(app, run.id)
    assert told.startswith(f"waiting for ticket {ticket['ticket_id']} of role finance, 1 h 59 m left")


async def test_what_is_uncertain_is_asked(tmp_path: Path) -> None:
    @aob.node(effect="once")
    async def pay() -> None:
        raise ValueError("nobody knows how far it came")

    async with aob.open(tmp_path, app=SimpleNamespace(pay=pay)) as app:
        await app.push(flow("w", {"a": fn("pay")}))
        run = await app.start("w")
        await ticket_of(app, run.id, "uncertain")
        assert ": a was cut off: did it happen?" in await sentence(app, run.id)


async def test_the_time_left_is_that_of_the_asking(app: App) -> None:
    ok = {"kind": "approval", "config": {}, "timeout": {"deadline": "2h", "expire": "reject"}}
    await app.push(flow("w", {"ok": ok, "b": fn()}, "ok>b:approved"))
    run = await app.start("w", 1)
    await ticket_of(app, run.id)
    state = (await app.views.core.stream(app.who, run.id)).state
    at = state.started_ms
    assert why(state, at + 600_000)["sentence"].endswith("of role approve, 1 h 50 m left")
    assert why(state, at + 7_300_000)["sentence"].endswith("due now")


async def test_a_handler_that_no_worker_has_and_then_has(app: App, tmp_path: Path, deed: Deed) -> None:
    await app.push(chain("one", "gated", "plain"))
    run = await app.start("one", 1)
    await deed.begins("a").wait()
    home = crashed(app, tmp_path / "copy")
    async with aob.open(home, app=deed.handlers("gated")) as again:
        told = await again.views.why(app.who, run.id)
        assert told["sentence"] == "a waits: no worker has handler gated (start with --app MODULE)"
        assert told["details"][0]["handler"] == "gated"
        shown = await again.run(run.id)
        assert (shown["status"], shown["nodes"]["a"]["state"]) == ("RUNNING", "ready")
    deed.release()
    async with aob.open(home, app=deed.handlers()) as again:
        assert (await finished(again, run.id))["status"] == "COMPLETED"


async def test_a_retry_with_its_number_its_time_and_the_reason(app: App, deed: Deed) -> None:
    deed.failures["a"] = 9
    await app.push(flow("r", {"a": fn("flaky", retry={"attempts": 5, "first": "1h", "jitter": 0})}))
    run = await app.start("r")
    failed = await until(app, run.id, "attempt_failed")
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(failed["due_ms"] / 1_000, UTC).strftime("%H:%M:%S")
    assert await sentence(app, run.id) == f"a: retry 2 of 5 at {at}: attempt 1 failed"


async def test_work_that_goes_on(app: App, deed: Deed) -> None:
    await app.push(chain("one", "gated"))
    run = await app.start("one")
    await deed.begins("a").wait()
    assert await sentence(app, run.id) == "a is running, attempt 1"


async def test_work_that_waits_for_its_turn(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers(), concurrency=1) as app:
        await app.push(chain("one", "gated"))
        first, second = await app.start("one", 1), await app.start("one", 2)
        await deed.begins("a").wait()
        told = {await sentence(app, first.id), await sentence(app, second.id)}
        assert told == {"a is running, attempt 1", "a waits for a free worker"}
        deed.gate("a").set()
        await finished(app, second.id)


async def test_a_message_that_came_early_and_does_not_fit(app: App, deed: Deed) -> None:
    wait = {"kind": "wait", "config": {"message": "paid", "payload": {"type": "object"}}}
    await app.push(flow("w", {"a": fn("gated"), "wait": wait}, "a>wait"))
    run = await app.start("w")
    await app.views.message(app.who, run.id, "paid", payload="bad", id="m1")
    deed.release()
    await until(app, run.id, "wait_opened")
    told = await app.views.why(app.who, run.id)
    assert told["sentence"] == "wait waits for message paid; passed over, for they do not fit: m1"
    assert told["details"][0]["passed_over"] == ["m1"]
    with pytest.raises(Invalid):
        await app.views.message(app.who, run.id, "paid", payload=[])
    await app.views.message(app.who, run.id, "paid", payload={})
    assert (await finished(app, run.id))["output"] == {}


async def test_a_message_by_name_and_key(app: App) -> None:
    wait = {"kind": "wait", "config": {"message": "paid", "key": "inputs.order"}}
    await app.push(flow("w", {"wait": wait}))
    run = await app.start("w", {"order": "o-7"})
    await until(app, run.id, "wait_opened")
    assert await sentence(app, run.id) == "wait waits for message paid with key o-7"


async def test_a_timer(app: App) -> None:
    await app.push(flow("t", {"nap": {"kind": "timer", "config": {"for": "3h"}}}))
    run = await app.start("t")
    timer = await until(app, run.id, "timer_set")
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(timer["due_ms"] / 1_000, UTC).strftime("%H:%M:%S")
    assert (await sentence(app, run.id)).startswith(f"nap waits for {at}, 2 h 59 m left")


async def test_passes_of_a_body_and_what_they_wait_for(app: App, deed: Deed) -> None:
    each = {"kind": "map", "config": {"items": "inputs"}, "body": {"nodes": {"x": fn("gated")}, "edges": {}}}
    await app.push(flow("m", {"each": each}))
    run = await app.start("m", [1, 2, 3])
    await deed.begins("each[2]/x").wait()
    told = await app.views.why(app.who, run.id)
    assert told["sentence"] == "each[0]/x is running, attempt 1 (and 3 more)"
    assert told["details"][-1]["says"] == "each: 0 of 3 passes done, 3 open"
    for index in range(3):
        deed.gate(f"each[{index}]/x").set()
    await finished(app, run.id)


async def test_a_patch_from_outside_is_told_beside(app: App, deed: Deed) -> None:
    await app.push(chain("one", "gated", "echo"))
    run = await app.start("one")
    await deed.begins("a").wait()
    once = [{"op": "add_node", "id": "c", "node": fn("once")}, {"op": "connect", "from": "b", "to": "c"}]
    patch = await app.views.propose(app.who, run.id, {"operations": once})
    told = await app.views.why(app.who, run.id)
    assert told["sentence"] == "a is running, attempt 1 (and 1 more)"
    assert (told["details"][1]["patch"], told["details"][1]["state"]) == (patch["patch_id"], "beside")


async def test_an_end_of_each_kind(app: App, deed: Deed) -> None:
    await app.push(chain("ok", "echo"))
    await app.push(chain("bad", "echo", "wrong"))
    await app.push(chain("held", "gated"))
    done, failed = await app.start("ok"), await app.start("bad")
    held = await app.start("held")
    await app.views.cancel(app.who, held.id, reason="no longer needed")
    for run in (done, failed):
        await finished(app, run.id)
    assert (await sentence(app, done.id)).startswith("completed after ")
    assert (await sentence(app, failed.id)).startswith("failed at b after ")
    assert (await sentence(app, failed.id)).endswith(": this can never work")
    assert (await sentence(app, held.id)).endswith(": no longer needed")


async def test_an_error_that_lies_beside_the_record_is_told_too(tmp_path: Path) -> None:
    class Handlers:
        @staticmethod
        @aob.node
        async def wordy() -> None:
            raise aob.WorkError("it is broken", transient=False, detail={"words": "x" * 3_900})

    async with aob.open(tmp_path, app=Handlers) as app:
        await app.push(flow("w", {"a" * 60: fn("wordy")}))
        run = await finished(app, (await app.start("w")).id)
        assert "it is broken" in await sentence(app, run["run_id"])
        assert run["error"]["message"] == "it is broken"


async def test_a_quarantine_and_its_reason(app: App, deed: Deed) -> None:
    await app.push(chain("one", "gated"))
    run = await app.start("one")
    await deed.begins("a").wait()
    stream = await app.views.core.stream(app.who, run.id)
    fold(stream.state, [ev.RunQuarantined("the law broke: KeyError")])
    assert await sentence(app, run.id) == "quarantined because the law broke: KeyError"
    assert (await app.run(run.id))["status"] == "WAITING"


async def test_ten_thousand_things_to_wait_for_are_told_quickly(app: App) -> None:
    from aob.core.run import Run
    from aob.core.run.state import Ticket, Token
    from aob.core.run.state.run import OPEN

    run = Run("run_x")
    run.workflow = "w"
    for n in range(10_000):
        visit = f"each[{n}]/ok"
        run.tokens[visit] = Token(visit, f"each[{n}]", "ok", 1, OPEN)
        run.tickets[str(n)] = Ticket(str(n), visit, "approval", "r", "", [], {}, ev.NULL, 0, "", "")
    told: dict[str, Any] = why(run, 0)
    assert told["sentence"] == "waiting for ticket 0 of role r (and 9999 more)"
    assert len(told["details"]) == 100


async def test_a_cancelled_run_says_what_the_world_was_told(app: App, deed: Deed) -> None:
    nodes = {
        "look": fn("double", input={"n": "1"}),
        "sent": fn("plain", effect="keyed"),
        "pay": fn("once", effect="once"),
    }
    await app.push(flow("w", nodes, "look>sent", "sent>pay"))
    run = await app.start("w", 1)
    await deed.begins("pay").wait()
    await app.views.cancel(app.who, run.id, reason="enough")
    told = await app.views.why(app.who, run.id)
    said = told["sentence"]
    assert "enough; the world was told before: pay intended call: it is not known whether it happened" in said
    assert "sent (function, effect keyed) was done" in said
    assert [each["visit"] for each in told["details"]] == ["pay", "sent"]


async def test_a_cancelled_run_that_told_the_world_nothing_says_no_more(app: App) -> None:
    wait = {"kind": "wait", "config": {"message": "m"}}
    await app.push(flow("w", {"look": fn("double", input={"n": "1"}), "w": wait}))
    run = await app.start("w", 1)
    await until(app, run.id, "node_completed")
    await app.views.cancel(app.who, run.id, reason="enough")
    told = await app.views.why(app.who, run.id)
    assert (told["sentence"].endswith(": enough"), told["details"]) == (True, [])
