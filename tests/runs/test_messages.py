"""Verbs of messages and waiting for time: a message reaches who waits for it, once; timers are durable."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, Conflict, Refused, TooLarge
from tests.runs.home import BOB, VIEWER, Deed, chain, finished, flow, fn, kinds, until


def waits(key: str = "", **node: Any) -> dict[str, Any]:
    """A workflow that waits for the message `paid`."""
    config = {"message": "paid", **({"key": key} if key else {})}
    return flow("w", {"wait": {"kind": "wait", "config": config, **node}, "b": fn()}, "wait>b")


async def test_a_message_reaches_who_waits_and_is_its_output(app: App) -> None:
    await app.push(waits())
    run = await app.start("w")
    await until(app, run.id, "wait_opened")
    assert (await app.run(run.id))["status"] == "WAITING"
    told = await app.views.message(app.who, run.id, "paid", payload={"n": 1})
    assert told["visit"] == "wait"
    assert (await finished(app, run.id))["output"] == {"n": 1}


async def test_a_message_that_comes_early_is_kept(app: App, deed: Deed) -> None:
    document = flow("w", {"a": fn("gated"), "wait": {"kind": "wait", "config": {"message": "paid"}}}, "a>wait")
    await app.push(document)
    run = await app.start("w")
    assert (await app.views.message(app.who, run.id, "paid", payload=7))["visit"] == ""
    deed.gate("a").set()
    assert (await finished(app, run.id))["output"] == 7


async def test_only_the_right_name_and_key_reach_it(app: App) -> None:
    await app.push(waits(key="inputs.order"))
    run = await app.start("w", {"order": "7"})
    await until(app, run.id, "wait_opened", key="7")
    for name, key in (("other", "7"), ("paid", "8"), ("paid", "")):
        assert (await app.views.message(app.who, run.id, name, key=key, payload="no"))["visit"] == ""
    await app.views.message(app.who, run.id, "paid", key="7", payload="yes")
    assert (await finished(app, run.id))["output"] == "yes"


async def test_an_id_makes_it_count_once(app: App) -> None:
    document = flow(
        "w", {"one": {"kind": "wait", "config": {"message": "m"}}, "two": {"kind": "wait", "config": {"message": "m"}}},
        "one>two",
    )  # fmt: skip
    await app.push(document)
    run = await app.start("w")
    await app.views.message(app.who, run.id, "m", payload=1, id="x")
    await app.views.message(app.who, run.id, "m", payload=1, id="x")
    assert kinds(await app.views.timeline(app.who, run.id)).count("message_received") == 1
    with pytest.raises(Conflict) as caught:
        await app.views.message(app.who, run.id, "m", payload=2, id="x")
    assert caught.value.code == "message_exists"
    await app.views.message(app.who, run.id, "m", payload=2, id="y")
    assert (await finished(app, run.id))["output"] == 2


async def test_nothing_reaches_a_run_that_is_over(app: App) -> None:
    await app.push(chain("one", "echo"))
    run = await finished(app, (await app.start("one")).id)
    with pytest.raises(Conflict) as caught:
        await app.views.message(app.who, run["run_id"], "m")
    assert caught.value.code == "run_finished"


async def test_bounds_are_kept(app: App) -> None:
    await app.push(waits())
    run = await app.start("w")
    send = app.views.message
    with pytest.raises(TooLarge):
        await send(app.who, run.id, "m", payload="x" * 1_000_001)
    wrong: list[tuple[Any, dict[str, Any]]] = [
        ("", {}), ("x" * 300, {}), (7, {}), ("m", {"key": "x" * 300}), ("m", {"key": 7}), ("m", {"id": ""}),
        ("m", {"payload": float("nan")}), ("m\n", {}),
    ]  # fmt: skip
    for name, options in wrong:
        with pytest.raises(CallerError):
            await send(app.who, run.id, name, **options)
    with pytest.raises(Refused):
        await send(VIEWER, run.id, "m")


async def test_a_thousand_messages_that_nobody_wants_are_enough(app: App) -> None:
    await app.push(waits())
    run = await app.start("w")
    await asyncio.gather(*(app.views.message(app.who, run.id, "m", payload=n) for n in range(1_000)))
    with pytest.raises(CallerError) as caught:
        await app.views.message(app.who, run.id, "m")
    assert caught.value.code == "too_many_messages"
    await app.views.message(app.who, run.id, "paid", payload="still")
    assert (await finished(app, run.id))["output"] == "still"


async def test_a_deadline_ends_the_waiting(app: App) -> None:
    waiting = {"kind": "wait", "config": {"message": "m"}, "timeout": {"deadline": "20ms"}}
    document = flow("w", {"wait": waiting, "late": fn(), "b": fn()}, "wait>b", "wait>late:expired")
    await app.push(document)
    run = await finished(app, (await app.start("w")).id)
    assert (run["nodes"]["late"]["state"], run["nodes"]["b"]["state"]) == ("completed", "skipped")


async def test_what_a_run_waits_for_stands_over_a_restart(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(waits())
        run = await app.start("w")
        await until(app, run.id, "wait_opened")
        await app.views.message(app.who, run.id, "other", payload="kept", id="o")
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        with pytest.raises(Conflict):
            await app.views.message(app.who, run.id, "other", payload="changed", id="o")
        await app.views.message(app.who, run.id, "paid", payload=1)
        assert (await finished(app, run.id))["output"] == 1


class TestATimer:
    async def test_goes_on_when_its_time_has_come(self, app: App) -> None:
        await app.push(flow("t", {"wait": {"kind": "timer", "config": {"for": "30ms"}}, "b": fn()}, "wait>b"))
        run = await finished(app, (await app.start("t", {"n": 1})).id)
        assert run["output"] == {"n": 1}
        assert run["ended_at"] - run["started_at"] >= 30

    async def test_until_an_instant_may_be_an_expression(self, app: App) -> None:
        config = {"until": 'now + duration("20ms")'}
        await app.push(flow("t", {"wait": {"kind": "timer", "config": config}}))
        run = await finished(app, (await app.start("t")).id)
        assert (run["status"], run["ended_at"] - run["started_at"] >= 20) == ("COMPLETED", True)

    async def test_fires_after_a_restart_also_when_its_time_passed_meanwhile(self, tmp_path: Path, deed: Deed) -> None:
        nodes = {"wait": {"kind": "timer", "config": {"for": "50ms"}}, "b": fn()}
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            await app.push(flow("t", nodes, "wait>b"))
            run = await app.start("t", 1)
            await until(app, run.id, "timer_set")
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            assert (await finished(app, run.id))["status"] == "COMPLETED"
            assert deed.calls == [("echo", 1)]

    async def test_goes_with_its_run(self, app: App) -> None:
        await app.push(flow("t", {"wait": {"kind": "timer", "config": {"for": "1h"}}}))
        run = await app.start("t")
        await until(app, run.id, "timer_set")
        await app.views.cancel(app.who, run.id)
        assert len(app.views.core.journal.timers) == 0
        assert await app.views.core.store.timers(2**62) == []


async def test_a_message_of_another_tenant_reaches_nothing(app: App) -> None:
    await app.push(waits())
    run = await app.start("w")
    with pytest.raises(CallerError, match="there is no run"):
        await app.views.message(BOB, run.id, "paid")
