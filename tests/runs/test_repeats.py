"""Ids of commands and keys of starts: the same again is one; anything else under its id is told the difference."""

from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import Conflict, TooLarge
from aob.core.policy import Caller
from aob.core.run import Run, evolve
from aob.core.run.record import events as ev
from aob.core.run.state.run import COMMANDS_KEPT_MIN, COMMANDS_KEPT_MS
from aob.core.value import NULL
from tests.runs.home import chain, finished, flow, fn, ticket_of, until

ANN = Caller("default", "ann", frozenset({"admin"}))
BEN = Caller("default", "ben", frozenset({"admin"}))
ASK = {"kind": "approval", "config": {"form": {"note": "string", "n": "number"}}}
BOTH = flow("two", {"a": ASK, "b": ASK, "go": {"kind": "wait", "config": {"message": "go"}}})


async def tickets(app: App, run_id: str) -> dict[str, str]:
    await until(app, run_id, "ticket_opened", visit="b")
    return {each["visit"]: each["ticket_id"] for each in await app.views.tickets(app.who, run_id=run_id)}


async def refused(asked: Any) -> Conflict:
    with pytest.raises(Conflict) as caught:
        await asked
    return caught.value


class TestIdsOfCommands:
    async def test_one_id_is_one_command_whatever_it_is_used_for(self, app: App) -> None:
        await app.push(BOTH)
        run = (await app.start("two")).id
        at, views = await tickets(app, run), app.views
        first = await views.answer(ANN, at["a"], "approve", reason="fine", values={"n": 1}, command="c1")
        again = await views.answer(ANN, at["a"], "approve", reason="fine", values={"n": 1}, command="c1")
        assert first == again
        others: dict[str, Any] = {
            "target": views.answer(ANN, at["b"], "reject", command="c1"),
            "content": views.answer(ANN, at["a"], "approve", reason="fine", values={"n": 2}, command="c1"),
            "by": views.answer(BEN, at["a"], "approve", reason="fine", values={"n": 1}, command="c1"),
            "kind": views.message(ANN, run, "go", id="c1"),
        }
        for difference, asked in others.items():
            error = await refused(asked)
            assert (error.code, difference in error.fields["differs"]) == ("command_exists", True)
        assert "kind" in (await refused(views.cancel(ANN, run, command="c1"))).fields["differs"]
        assert (await views.ticket(ANN, at["b"]))["state"] == "open"

    async def test_an_id_counts_in_its_run(self, app: App) -> None:
        """A run keeps its ids: in another one the same id is another command, whatever came of it there."""
        await app.push(BOTH)
        one, two = [(await app.start("two")).id for _ in range(2)]
        first, second = await tickets(app, one), await tickets(app, two)
        await app.views.answer(ANN, first["a"], "approve", reason="fine", values={"n": 1}, command="c1")
        await app.views.answer(BEN, second["b"], "approve", reason="yes", command="c1")
        assert (await app.views.ticket(ANN, second["b"]))["state"] == "approve"
        assert (await app.views.ticket(ANN, second["a"]))["state"] == "open"
        assert "target" in (await refused(app.views.answer(BEN, second["a"], "reject", command="c1"))).fields["differs"]

    async def test_a_message_is_the_same_only_from_the_same_caller(self, app: App) -> None:
        await app.push(BOTH)
        run = (await app.start("two")).id
        await tickets(app, run)
        await app.views.message(ANN, run, "other", payload=[1], id="m")
        await app.views.message(ANN, run, "other", payload=[1], id="m")
        others: list[tuple[Caller, str, list[int], str]] = [
            (BEN, "other", [1], "by"), (ANN, "go", [1], "target"), (ANN, "other", [2], "content"),
        ]  # fmt: skip
        for who, name, payload, differs in others:
            error = await refused(app.views.message(who, run, name, payload=payload, id="m"))
            assert (error.code, differs in error.fields["differs"]) == ("message_exists", True)

    async def test_a_cancel_has_an_id_as_well(self, app: App) -> None:
        await app.push(BOTH)
        run = (await app.start("two")).id
        await tickets(app, run)
        await app.views.cancel(ANN, run, reason="enough", command="stop")
        await app.views.cancel(ANN, run, reason="enough", command="stop")
        error = await refused(app.views.cancel(BEN, run, reason="enough", command="stop"))
        assert set(error.fields["differs"]) == {"by"}

    async def test_a_patch_of_another_person_under_the_same_id_is_refused(self, app: App) -> None:
        await app.push(BOTH)
        run = (await app.start("two")).id
        await tickets(app, run)
        body = {"operations": [{"op": "add_node", "id": "x", "node": fn()}], "id": "p1"}
        first = await app.views.propose(ANN, run, body)
        assert (await app.views.propose(ANN, run, body))["patch_id"] == first["patch_id"]
        assert set((await refused(app.views.propose(BEN, run, body))).fields["differs"]) == {"author"}


def test_a_run_keeps_ids_for_a_day_and_at_least_the_newest() -> None:
    run = Run("run_1")
    for n in range(COMMANDS_KEPT_MIN + 100):
        run = evolve(run, ev.MessageReceived(f"m{n}", "x", "", NULL, b"", "", "ann", n))
    assert len(run.commands) == COMMANDS_KEPT_MIN + 100
    run = evolve(run, ev.MessageReceived("late", "x", "", NULL, b"", "", "ann", COMMANDS_KEPT_MS + 49))
    assert len(run.commands) == COMMANDS_KEPT_MIN + 51
    assert ("m49" in run.commands, "m50" in run.commands, "late" in run.commands) == (False, True, True)
    run = evolve(run, ev.MessageReceived("later", "x", "", NULL, b"", "", "ann", 2 * COMMANDS_KEPT_MS))
    assert len(run.commands) == COMMANDS_KEPT_MIN


class TestKeysOfStarts:
    async def test_other_labels_or_another_tag_are_told(self, app: App) -> None:
        document = chain("one", "echo")
        await app.push({**document, "labels": {"team": "blue"}})
        await app.push({**document, "labels": {"team": "blue"}}, tag="next")
        first = await app.start("one", 1, key="k", labels={"shop": "a"})
        assert (await app.start("one", 1, key="k", labels={"shop": "a"})).id == first.id
        others: list[tuple[dict[str, Any], str]] = [
            ({"labels": {"shop": "b"}}, "labels.shop"), ({}, "labels.shop"), ({"labels": None}, "labels.shop"),
            ({"labels": {"shop": "a", "team": "red"}}, "labels.team"),
            ({"labels": {"shop": "a"}, "tag": "next"}, "tag"),
        ]  # fmt: skip
        for options, differs in others:
            error = await refused(app.start("one", 1, key="k", **options))
            assert (error.code, list(error.fields["differs"])) == ("start_exists", [differs])
        error = await refused(app.start("one", 2, key="k", labels={"shop": "a"}))
        assert list(error.fields["differs"]) == ["inputs"]

    async def test_labels_that_the_workflow_has_gained_since_are_no_difference(self, app: App) -> None:
        await app.push(chain("one", "echo"))
        first = await app.start("one", 1, key="k", labels={"shop": "a"})
        await app.push({**chain("one", "echo"), "labels": {"team": "blue"}})
        assert (await app.start("one", 1, key="k", labels={"shop": "a"})).id == first.id


class TestLargeOnes:
    @pytest.mark.parametrize("size", [3_000, 5_000, 70_000, 300_000])
    async def test_a_message_of_any_size_reaches_who_waits_or_will_wait(self, app: App, size: int) -> None:
        payload = {"text": f"{size}" * (size // len(f"{size}"))}
        wait = {"kind": "wait", "config": {"message": "m"}}
        nodes = {
            "one": wait,
            "two": wait,
            "n": fn(input={"value": "[size(nodes.one.output.text), size(nodes.two.output.text)]"}),
        }
        await app.push(flow("w", nodes, "one>two", "two>n"))
        run = await app.start("w")
        await until(app, run.id, "wait_opened")
        for id in ("m1", "m2", "m1"):
            await app.views.message(app.who, run.id, "m", payload=payload, id=id)
        told = await finished(app, run.id)
        assert told["output"] == [len(payload["text"])] * 2
        error = await refused(app.views.message(app.who, run.id, "m", payload="other", id="m1"))
        assert "content" in error.fields["differs"]

    @pytest.mark.parametrize("size", [3_000, 5_000, 70_000, 300_000])
    async def test_the_values_of_a_form_of_any_size_are_checked_and_kept(self, app: App, size: int) -> None:
        await app.push(
            flow("f", {"a": ASK, "n": fn(input={"value": "size(nodes.a.output.values.note)"})}, "a>n:approved")
        )
        run = await app.start("f")
        ticket = (await ticket_of(app, run.id, "approval"))["ticket_id"]
        with pytest.raises(Exception, match="does not fit the form"):
            await app.answer(ticket, "approve", values={"note": "x" * size, "n": "no number"})
        values = {"note": "y" * size, "n": 1}
        assert (await app.answer(ticket, "approve", values=values))["values"] == values
        assert (await finished(app, run.id))["output"] == size

    async def test_more_than_a_megabyte_is_refused(self, app: App) -> None:
        await app.push(BOTH)
        run = (await app.start("two")).id
        at = await tickets(app, run)
        with pytest.raises(TooLarge, match="1,000,000"):
            await app.views.message(app.who, run, "go", payload="x" * 1_000_001)
        with pytest.raises(TooLarge, match="1,000,000"):
            await app.answer(at["a"], "approve", values={"note": "x" * 1_000_001})
