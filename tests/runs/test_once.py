"""Handlers of effect `once` on a real home: a failure that they state is one, anything else waits for a person."""

from types import SimpleNamespace
from typing import Any

import pytest

import aob
from tests.runs.home import finished, flow, fn, kinds, ticket_of
from tests.work.handlers_cpu import pay_and_die

pytestmark = pytest.mark.every_store

QUICK = {"attempts": 3, "first": "1ms", "jitter": 0}


def handlers(fault: Exception, tries: list[int], fails: int = 1) -> SimpleNamespace:
    """`pay` fails so many times."""

    @aob.node(effect="once")
    def pay() -> str:
        tries.append(1)
        if len(tries) <= fails:
            raise fault
        return "paid"

    return SimpleNamespace(pay=pay)


@pytest.mark.parametrize("fault", [ValueError("what now?"), aob.WorkError("cut off", detail={"sent": True})])
async def test_a_failure_of_which_nobody_knows_how_far_it_came_is_decided_by_a_person(
    tmp_path: Any, fault: Exception
) -> None:
    tries: list[int] = []
    async with aob.open(tmp_path, app=handlers(fault, tries)) as app:
        await app.push(flow("p", {"a": fn("pay", retry=QUICK)}))
        run = await app.start("p")
        ticket = await ticket_of(app, run.id, "uncertain")
        assert len(tries) == 1
        await app.answer(ticket["ticket_id"], "repeat")
        assert (await finished(app, run.id))["output"] == "paid"
    assert len(tries) == 2


async def test_a_failure_that_the_handler_states_is_tried_again_as_the_node_says(tmp_path: Any) -> None:
    tries: list[int] = []
    async with aob.open(tmp_path, app=handlers(aob.WorkError("not now"), tries, 2)) as app:
        await app.push(flow("p", {"a": fn("pay", retry=QUICK)}))
        run = await finished(app, (await app.start("p")).id)
        assert (run["output"], len(tries)) == ("paid", 3)
        timeline = await app.views.timeline(app.who, run["run_id"])
    assert kinds(timeline).count("intent") == 3
    assert "ticket_opened" not in kinds(timeline)


async def test_the_death_of_a_process_in_the_middle_is_decided_by_a_person(tmp_path: Any) -> None:
    ledger = tmp_path / "ledger"
    async with aob.open(tmp_path / "home", app=SimpleNamespace(pay=pay_and_die)) as app:
        await app.push(flow("p", {"a": fn("pay_and_die", retry=QUICK)}))
        run = await app.start("p", str(ledger))
        ticket = await ticket_of(app, run.id, "uncertain")
        assert ledger.read_text() == "paid\n"
        await app.answer(ticket["ticket_id"], "done", values={"output": "paid"})
        assert (await finished(app, run.id))["output"] == "paid"
    assert ledger.read_text() == "paid\n"
