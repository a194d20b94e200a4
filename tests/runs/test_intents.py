"""Intents of one handler, side by side and in any order: each finds its own record, and nothing is done again."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from tests.runs.home import crashed, finished, flow, fn, kinds, ticket_of

pytestmark = pytest.mark.every_store

ANN, BOB = {"to": "ann", "effect": "none"}, {"to": "bob", "effect": "none"}
AGAIN = {"attempts": 6, "first": "1ms", "jitter": 0}


async def open_intents(app: Any, run_id: str) -> dict[str, list[Any]]:
    """What each intent of a run got, by what was intended."""
    found: dict[str, list[Any]] = {}
    by_number: dict[int, str] = {}
    for entry in await app.views.timeline(app.who, run_id):
        if entry["type"] == "intent":
            by_number[entry["number"]] = entry["what"]["to"]
        elif entry["type"] == "intent_settled":
            found.setdefault(by_number[entry["number"]], []).append(entry.get("result"))
    return found


def paying(act: Any, name: str = "pay") -> SimpleNamespace:
    return SimpleNamespace(**{name: aob.node(name=name)(act)})


async def test_two_side_by_side_get_their_own_results(tmp_path: Path) -> None:
    first_asked = asyncio.Event()

    async def one(ctx: Any, name: str, wait: asyncio.Event | None) -> Any:
        i = await ctx.intend("pay", {"to": name})
        if wait is not None:
            await wait.wait()
        else:
            first_asked.set()
        if i.granted:
            await ctx.settle(f"paid {name}")  # unnamed: the one that this task has open
        return i.recorded

    async def pay(ctx: Any) -> Any:
        return await asyncio.gather(one(ctx, "ann", first_asked), one(ctx, "bob", None))

    async with aob.open(tmp_path, app=paying(pay)) as app:
        await app.push(flow("p", {"a": fn("pay", retry=AGAIN)}))
        run = await finished(app, (await app.start("p")).id)
        assert run["status"] == "COMPLETED"
        assert await open_intents(app, run["run_id"]) == {"ann": ["paid ann"], "bob": ["paid bob"]}


@pytest.mark.parametrize("threads", [False, True])
async def test_in_one_task_settle_must_name_which(tmp_path: Path, threads: bool) -> None:
    async def pay(ctx: Any, named: bool) -> None:
        a, b = await ctx.intend("pay", ANN), await ctx.intend("pay", BOB)
        await ctx.settle("for ann", **({"intent": a} if named else {}))
        await ctx.settle("for bob", intent=b)

    def pay_in_a_thread(ctx: Any, named: bool) -> None:
        a, _ = ctx.intend("pay", ANN), ctx.intend("pay", BOB)
        ctx.settle("for ann", **({"intent": a} if named else {}))
        ctx.settle("for bob")  # the only one left

    async with aob.open(tmp_path, app=paying(pay_in_a_thread if threads else pay)) as app:
        await app.push(flow("p", {"a": fn("pay", input={"named": "inputs"}, retry={"attempts": 1})}))
        good = await finished(app, (await app.start("p", True)).id)
        assert good["status"] == "COMPLETED", good["error"]
        assert await open_intents(app, good["run_id"]) == {"ann": ["for ann"], "bob": ["for bob"]}
        bad = await finished(app, (await app.start("p", False)).id)
        assert bad["error"]["code"] == "intent_unnamed"
        assert "intent=i" in str(bad["error"]["detail"])


@pytest.mark.parametrize("seed", range(12))
async def test_attempts_in_another_order_do_nothing_twice(tmp_path: Path, seed: int) -> None:
    """Effects of which some say the same, side by side, in a new order each attempt, cut off anywhere."""
    dice = random.Random(seed)
    wanted = [dice.choice(["ann", "bob", "cid"]) for _ in range(6)]
    done: Counter[str] = Counter()
    tries: list[int] = []

    async def one(ctx: Any, name: str, stops: bool) -> str:
        i = await ctx.intend("pay", {"to": name})
        if not i.granted:
            return str(i.recorded)
        if stops:
            await ctx.settle(None, intent=i, error=aob.WorkError("no money").fault)
            raise aob.WorkError("no money")
        done[name] += 1
        paid = f"{name} {done[name]}"
        await asyncio.sleep(0)
        await ctx.settle(paid)
        return paid

    async def pay(ctx: Any) -> list[str]:
        tries.append(1)
        names = list(wanted)
        dice.shuffle(names)
        stop = dice.randrange(len(names)) if len(tries) < 5 else -1
        payments = [one(ctx, name, at == stop) for at, name in enumerate(names)]
        said = await asyncio.gather(*payments, return_exceptions=True)
        failed = [each for each in said if isinstance(each, Exception)]
        if failed:
            raise failed[0]
        return sorted(str(each) for each in said)

    async with aob.open(tmp_path, app=paying(pay)) as app:
        await app.push(flow("p", {"a": fn("pay", retry=AGAIN)}))
        run = await finished(app, (await app.start("p")).id)
        assert run["status"] == "COMPLETED", run["error"]
    assert done == Counter(wanted), "an effect was made too often, or not at all"
    assert run["output"] == sorted(f"{name} {n}" for name, many in done.items() for n in range(1, many + 1))


async def test_a_settled_effect_is_not_repeated_after_a_crash_that_turns_the_order_round(tmp_path: Path) -> None:
    done: list[str] = []
    hold, held = asyncio.Event(), asyncio.Event()

    @aob.node(effect="once")
    async def pay(ctx: Any) -> list[Any]:
        got = []
        for name in ("ann", "bob") if not done else ("bob", "ann"):
            i = await ctx.intend("pay", {"to": name})
            if i.granted:
                done.append(name)
                await ctx.settle(f"receipt of {name}", intent=i)
            got.append(i.recorded or f"receipt of {name}")
            if len(done) == 1:
                held.set()
                await hold.wait()
        return got

    async with aob.open(tmp_path / "home", app=SimpleNamespace(pay=pay)) as app:
        await app.push(flow("p", {"a": fn("pay", on_uncertain="repeat")}))
        run = await app.start("p")
        await held.wait()
        copy = crashed(app, tmp_path / "copy")
        hold.set()
    done[:] = ["ann"]
    async with aob.open(copy, app=SimpleNamespace(pay=pay)) as app:
        told = await finished(app, run.id)
        assert told["output"] == ["receipt of bob", "receipt of ann"]
        assert kinds(await app.views.timeline(app.who, run.id)).count("ticket_opened") == 0
    assert done == ["ann", "bob"]


@pytest.mark.parametrize("own", ["none", "keyed"])
async def test_a_node_cannot_talk_down_what_its_handler_does(tmp_path: Path, own: str) -> None:
    calls = 0

    @aob.node(name="pay", effect="once")
    def pay() -> None:
        nonlocal calls
        calls += 1
        raise OSError("the line went dead")

    async with aob.open(tmp_path, app=SimpleNamespace(pay=pay)) as app:
        await app.push(flow("p", {"a": fn("pay", retry=AGAIN, effect=own)}))
        run_id = (await app.start("p")).id
        await ticket_of(app, run_id, "uncertain")
        assert calls == 1
