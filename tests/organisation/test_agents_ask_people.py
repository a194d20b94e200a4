"""Questions of agents to people: the inbox, answers, deadlines, escalation, tickets whose record is gone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Conflict, Invalid, NotFound, Refused
from aob.core.policy import LOCAL, Caller
from aob.work import WorkError
from tests.organisation.test_agents_at_work import home, records, send, values

ANN = Caller("default", "ann", frozenset({"view", "approve"}), "key_ann")


@aob.agent(consumes=["orders"], produces=["out"])
async def refunds(record: Any, ctx: Any) -> None:
    answer = await ctx.interrupt(
        f"refund {record.data} to {ctx.key}?", form={"limit": "integer"}, shown={"amount": record.data}
    )
    ctx.emit("out", "decided", {"key": ctx.key, "of": record.data, **answer})


async def tickets(app: App, count: int) -> list[Any]:
    """The open tickets, once there are so many."""
    async for _ in app.views.core.feed.commits(0):
        found = await app.views.tickets(LOCAL)
        if len(found) == count:
            return sorted(found, key=lambda each: str(each["text"]))
    raise AssertionError


async def test_a_person_is_asked_and_the_answer_is_the_result_also_after_a_restart(tmp_path: Path) -> None:
    async with home(tmp_path, refunds) as app:
        await send(app, "ann", 40)
        (asked,) = await tickets(app, 1)
        assert (asked["agent"], asked["key"], asked["subject"]) == ("refunds", "ann", "interrupt")
        assert (asked["text"], asked["shown"], asked["role"]) == ("refund 40 to ann?", {"amount": 40}, "approve")
    async with home(tmp_path, refunds) as app:
        (asked,) = await tickets(app, 1)
        id = asked["ticket_id"]
        with pytest.raises(Invalid, match="form"):
            await app.views.answer(ANN, id, "approve", values={"limit": "many"})
        with pytest.raises(Refused):
            await app.views.answer(Caller("default", "bob", frozenset({"view"})), id, "approve")
        with pytest.raises(NotFound):
            await app.views.answer(Caller("other", "eve", frozenset({"admin"})), id, "approve")
        told = await app.views.answer(ANN, id, "approve", reason="ok", values={"limit": 5})
        assert (told["state"], told["by"]) == ("approve", "ann")
        (found,) = values(await records(app, "out", 1))
        assert found == {
            "key": "ann", "of": 40, "choice": "approve", "by": "ann", "reason": "ok", "values": {"limit": 5},
        }  # fmt: skip
        assert (await app.views.answer(ANN, id, "approve", values={"limit": 5}))["state"] == "approve"
        with pytest.raises(Conflict, match="already decided"):
            await app.views.answer(ANN, id, "reject")
        assert not await app.views.tickets(LOCAL)
        assert [each["state"] for each in await app.views.tickets(LOCAL, open=False)] == ["approve"]


async def test_two_questions_at_once_are_two_tickets_and_each_has_its_own_answer(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def both(record: Any, ctx: Any) -> None:
        answers = await asyncio.gather(ctx.interrupt("one?"), ctx.interrupt("two?"))
        ctx.emit("out", "decided", [each["choice"] for each in answers])

    async with home(tmp_path, both) as app:
        await send(app, "ann", 1)
        one, two = (each["ticket_id"] for each in sorted(await tickets(app, 2), key=lambda each: each["text"]))
        await app.views.answer(ANN, two, "reject")
        await app.views.answer(ANN, one, "approve")
        assert values(await records(app, "out", 1)) == [["approve", "reject"]]


async def test_an_agent_that_catches_what_ends_its_attempt_waits_all_the_same(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def catches(record: Any, ctx: Any) -> None:
        try:
            answer = await ctx.interrupt("may I?")
        except Exception:
            answer = {"choice": "nobody said"}
        ctx.emit("out", "decided", answer["choice"])

    async with home(tmp_path, catches) as app:
        await send(app, "ann", 1)
        (asked,) = await tickets(app, 1)
        await app.views.answer(ANN, asked["ticket_id"], "reject")
        assert values(await records(app, "out", 1)) == ["reject"]


@pytest.mark.parametrize("policy", ["rollback", "interrupt"])
async def test_a_ticket_whose_record_was_given_up_is_obsolete_and_says_so(tmp_path: Path, policy: Any) -> None:
    @aob.agent(consumes=["orders"], produces=["out"], while_waiting=policy)
    async def gives_up(record: Any, ctx: Any) -> None:
        if record.data == "new":
            ctx.emit("out", "left", ctx.left)
            return
        await ctx.heartbeat({"at": 1})
        await ctx.interrupt("may I?")

    async with home(tmp_path, gives_up) as app:
        await send(app, "ann", "old")
        (asked,) = await tickets(app, 1)
        await send(app, "ann", "new")
        assert values(await records(app, "out", 1)) == [{"at": 1} if policy == "interrupt" else None]
        with pytest.raises(Conflict, match="obsolete") as closed:
            await app.views.answer(ANN, asked["ticket_id"], "approve")
        assert closed.value.code == "ticket_closed"
        assert (await app.views.ticket(LOCAL, asked["ticket_id"]))["state"] == "obsolete"
    async with home(tmp_path, gives_up) as app:
        with pytest.raises(Conflict, match="obsolete"):
            await app.views.answer(ANN, asked["ticket_id"], "approve")


async def test_a_question_expires_is_escalated_and_one_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def waits(record: Any, ctx: Any) -> None:
        try:
            answer = await ctx.interrupt("may I?", **record.data)
            ctx.emit("out", "decided", {"by": answer["by"], "choice": answer["choice"]})
        except WorkError as error:
            if error.fault.code == "suspended":
                raise
            ctx.emit("out", "failed", error.fault.code)

    async with home(tmp_path, waits) as app:
        await send(app, "ann", {"deadline": "1ms"})
        await send(app, "bob", {"escalate": [{"after": "1ms", "do": "reject"}]})
        await send(app, "cid", {"form": {"limit": "many"}, "to": ""})
        found = [str(each) for each in values(await records(app, "out", 3))]
        assert sorted(found) == ["bad_question", "expired", "{'by': 'timer', 'choice': 'reject'}"]
        await send(app, "dan", {"escalate": [{"after": "1ms", "do": "reassign", "role": "boss"}], "to": "clerk"})
        async for _ in app.views.core.feed.commits(0):
            if [each["role"] for each in await app.views.tickets(LOCAL, role="boss")] == ["boss"]:
                return


async def test_over_its_budget_people_are_asked_and_allow_as_much_again(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"], budget={"usd": 1}, over_budget="ask")
    async def spends(record: Any, ctx: Any) -> None:
        if (await ctx.intend("buy", {"n": record.data})).granted:
            await ctx.settle(1, usage={"usd": 1.0})
        ctx.emit("out", "bought", record.data)

    async with home(tmp_path, spends) as app:
        await send(app, "ann", 1, 2)
        (asked,) = await tickets(app, 1)
        assert (asked["subject"], asked["choices"]) == ("budget", ["allow", "deny"])
        await app.views.answer(ANN, asked["ticket_id"], "allow")
        assert values(await records(app, "out", 2)) == [1, 2]


async def test_tickets_of_all_shards_are_in_one_inbox_and_are_answered_by_their_id(tmp_path: Path) -> None:
    async with home(tmp_path, refunds, settings={"processes": "one", "shards": 3}) as app:
        for number in range(6):
            await app.produce("orders", "order", number, subject=f"key-{number}")
        while len(found := await app.views.tickets(ANN)) < 6:  # noqa: ASYNC110  # the turns of the loop bring them
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            for each in found:
                await app.views.answer(ANN, each["ticket_id"], "approve", values={"limit": 1})
            left = 6
            async for record in app.follow("out"):
                assert record.data["choice"] == "approve"
                left -= 1
                if not left:
                    break
        with pytest.raises(Conflict, match="already decided"):
            await app.views.answer(ANN, found[0]["ticket_id"], "reject")
        with pytest.raises(NotFound):
            await app.views.answer(ANN, found[0]["ticket_id"] + "0", "approve")
