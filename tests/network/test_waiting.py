"""Requests that wait for an owner: how long and how many, what is asked again, and that nobody is counted for ever."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from aob.compose.api import DirectHome
from aob.compose.api.remote import RemoteHome
from aob.compose.wire import Waiting, waiting
from aob.compose.wire.asks import UNTIL
from aob.core.errors import Unavailable
from aob.core.policy import LOCAL
from aob.testing.world.loop import VirtualLoop, run_virtual
from tests.compose.virtual_time import passes


def now_s() -> float:
    return asyncio.get_running_loop().time()


def near(seconds: float) -> Any:
    """Virtual time passes by a tiny bit with each turn of the loop."""
    return pytest.approx(seconds, abs=0.001)


def virtual(work: Coroutine[Any, Any, None]) -> None:
    run_virtual(VirtualLoop(), work)


def test_a_turn_is_short_ends_with_the_time_of_its_caller_and_is_counted_while_it_lasts() -> None:
    async def life() -> None:
        one = Waiting()
        assert await one.turn(now_s() + 60.0, 10)
        assert now_s() == near(waiting.AGAIN_S)
        begun = now_s()
        assert await one.turn(begun + 0.01, 10)
        assert now_s() == near(begun + 0.01)
        assert not await one.turn(now_s(), 10)
        waits = asyncio.create_task(one.turn(now_s() + 60.0, 10))
        await passes(0.01)
        assert (one.number, one.bytes) == (1, 10)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert (one.number, one.bytes) == (0, 0)

    virtual(life())


def test_who_waits_for_a_change_goes_on_with_it() -> None:
    async def life() -> None:
        one, changed = Waiting(), asyncio.Event()
        waits = asyncio.create_task(one.turn(now_s() + 60.0, 0, changed=changed))
        await passes(0.01)
        changed.set()
        assert await waits
        assert now_s() == near(0.01)

    virtual(life())


def test_those_that_are_too_many_or_carry_too_much_do_not_wait_at_all() -> None:
    async def life() -> None:
        one = Waiting()
        waits = [asyncio.create_task(one.turn(now_s() + 60.0, size, 2, 100)) for size in (10, 80)]
        await passes(0.0)
        assert not await one.turn(now_s() + 60.0, 0, 2, 100), "two wait"
        assert not await one.turn(now_s() + 60.0, 11, 3, 100), "they carry 90"
        assert await one.turn(now_s() + 60.0, 10, 3, 100)
        assert await asyncio.gather(*waits) == [True, True]
        assert (one.number, one.bytes) == (0, 0)

    virtual(life())


def test_the_more_wait_the_less_often_each_is_asked_again() -> None:
    async def life() -> None:
        one = Waiting()
        one.number = 4 * waiting.FEW
        assert await one.turn(60.0, 0)
        assert now_s() == near(5 * waiting.AGAIN_S)

    virtual(life())


def test_nobody_waits_longer_than_its_caller() -> None:
    async def life() -> None:
        assert waiting.until(15.0) == near(15.0)
        for told, end in ((4.0, 4.0), (40.0, 15.0)):
            UNTIL.set(told)
            assert waiting.until(15.0) == near(end)
        UNTIL.set(None)

    virtual(life())


@pytest.mark.parametrize(
    ("code", "fields", "clustered", "again"),
    [
        ("shard_unowned", {"repeatable": True}, True, True), ("shard_unowned", {"repeatable": True}, False, False),
        ("shard_unowned", {}, True, False), ("shard_lost", {"repeatable": True}, True, False),
        ("store_away", {}, True, False),
    ],
)  # fmt: skip
def test_only_what_found_no_owner_is_asked_of_the_main_process_again_and_only_so_long(
    code: str, fields: dict[str, Any], clustered: bool, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[float]()

    async def at_home(self: Any, verb: str, who: Any, args: Any) -> Any:
        asked.append(now_s())
        raise Unavailable("it is not there", code=code, **fields)

    async def life() -> None:
        home: Any = DirectHome.__new__(DirectHome)
        home._clustered, home._waiting = clustered, Waiting()
        with pytest.raises(Unavailable) as told:
            await home._at_home("runs", LOCAL, {})
        assert told.value.code == code
        assert (len(asked) > 10) == again
        assert now_s() == near(waiting.UNOWNED_S if again else 0.0)

    monkeypatch.setattr(RemoteHome, "_at_home", at_home)
    virtual(life())


def test_an_answer_of_the_main_process_that_comes_later_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float]()

    async def at_home(self: Any, verb: str, who: Any, args: Any) -> Any:
        asked.append(now_s())
        if len(asked) < 5:
            raise Unavailable("nobody", code="shard_unowned", repeatable=True)
        return args

    async def life() -> None:
        home: Any = DirectHome.__new__(DirectHome)
        home._clustered, home._waiting = True, Waiting()
        assert await home._at_home("runs", LOCAL, {"limit": 3}) == {"limit": 3}
        assert home._waiting.number == home._waiting.bytes == 0

    monkeypatch.setattr(RemoteHome, "_at_home", at_home)
    virtual(life())
