"""Many starts of one tenant wait for their turn, and keep no other tenant waiting."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.compose import App
from aob.core.errors import Busy
from aob.runs import starts
from aob.runs.queue import Turns
from tests.runs.home import BOB, chain

OPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["give", "cancel"]), st.sampled_from("ab"), st.integers(0, 5)),
    ),
    max_size=40,
)


async def turn_of(given: Turns, tenant: str, count: int) -> int:
    await given.take(tenant, count)
    return count


@given(ops=OPS)
def test_each_tenant_has_its_own_turns_in_order_and_nothing_is_left(ops: list[Any]) -> None:
    async def live() -> None:
        given, waiting = Turns(6, 12), {"a": list[asyncio.Task[int]](), "b": list[asyncio.Task[int]]()}
        taken = Counter[str]()
        going: dict[str, list[int]] = {"a": [], "b": []}

        async def settle() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
            for tenant, tasks in waiting.items():
                for task in [task for task in tasks if task.done()]:
                    assert tasks[0] is task, "out of turn"
                    tasks.pop(0)
                    if not task.exception():
                        going[tenant].append(task.result())
                assert sum(going[tenant]) <= 6
                assert not tasks or sum(going[tenant]) + taken[tasks[0].get_name()] > 6, "there is room, and one waits"

        for number, (what, tenant, at) in enumerate(ops):
            tasks = waiting[tenant]
            if what == "take":
                full = sum(taken[task.get_name()] for task in tasks) + at > 12
                task = asyncio.create_task(turn_of(given, tenant, at), name=str(number))
                taken[str(number)] = at
                if full:
                    with pytest.raises(Busy):
                        await task
                else:
                    tasks.append(task)
            elif what == "cancel" and at < len(tasks):
                task = tasks.pop(at)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            elif what == "give" and going[tenant]:
                given.give(tenant, going[tenant].pop(at % len(going[tenant])))
            await settle()
        while any(going.values()) or any(waiting.values()):
            for tenant, counts in going.items():
                while counts:
                    given.give(tenant, counts.pop())
            await settle()
        assert (given._under_way, given._waiting) == ({}, {})

    asyncio.run(live())


async def test_one_that_leaves_before_its_turn_holds_up_nobody_behind_it() -> None:
    turns = Turns(under_way=10, waiting=20)
    await turns.take("t", 8)
    large, small = (asyncio.create_task(turns.take("t", count)) for count in (6, 2))
    await asyncio.sleep(0)
    large.cancel()
    await asyncio.wait_for(small, 20)
    last = asyncio.create_task(turns.take("t", 1))
    await asyncio.sleep(0)
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    turns.give("t", 10)
    await asyncio.wait_for(turns.take("t", 10), 20)  # as if nobody had ever waited


async def test_a_turn_that_comes_while_its_caller_leaves_goes_to_the_next() -> None:
    given = Turns(6, 12)
    await given.take("a", 6)
    leaves, stays = (asyncio.create_task(turn_of(given, "a", 6)) for _ in range(2))
    await asyncio.sleep(0)
    given.give("a", 6)
    leaves.cancel()
    assert await stays == 6
    assert leaves.cancelled()


async def test_one_tenant_with_many_starts_fills_the_inbox_for_no_other(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.views.core, "turns", Turns(20))
    monkeypatch.setattr(starts, "AT_ONCE", 10)
    journal, most, asked = app.views.core.journal, 0, app.views.core.journal.ask

    def counting(*args: Any, **named: Any) -> Any:
        nonlocal most
        future = asked(*args, **named)
        most = max(most, len(journal._inbox))
        return future

    monkeypatch.setattr(journal, "ask", counting)
    await app.push(chain("one", "echo"))
    await app.views.push(BOB, chain("one", "echo"))
    many = [asyncio.create_task(app.views.start_many(app.who, [{"workflow": "one"}] * 100)) for _ in range(5)]
    await asyncio.sleep(0)
    (other,) = await app.views.start_many(BOB, [{"workflow": "one"}])
    assert other["created"]
    assert not any(task.done() for task in many)
    found = [verdict for verdicts in await asyncio.gather(*many) for verdict in verdicts]
    assert (len({verdict["run_id"] for verdict in found}), most <= 21) == (500, True)


async def test_starts_whose_caller_left_count_until_they_are_decided(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, journal = asyncio.Event(), app.views.core.journal
    asked = journal.ask

    def asking(*args: Any, **named: Any) -> Any:
        begun.set()
        return asked(*args, **named)

    await app.push(chain("one", "echo"))
    monkeypatch.setattr(journal, "ask", asking)
    task = asyncio.create_task(app.views.start_many(app.who, [{"workflow": "one"}] * 5))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    under_way = app.views.core.turns._under_way
    assert under_way == {app.who.tenant: 5}
    await app.views.start_many(app.who, [{"workflow": "one"}])
    assert under_way == {}
