"""Effects of `once`: intent before, result after, nothing twice, and the truth about what is not known."""

from collections.abc import Callable
from typing import Any

import pytest

from aob.ports.workers import Job
from aob.work import UNCERTAIN, WorkError, node
from aob.work.effect import acted
from aob.work.kinds import performer
from tests.work.jobs import Asked, calls, tools_of


class World:
    """Something that happens."""

    def __init__(self, error: WorkError | None = None) -> None:
        self.times = 0
        self._error = error

    async def __call__(self) -> str:
        self.times += 1
        if self._error is not None:
            raise self._error
        return "done"


async def act(world: World, effect: str, recorded: dict[int, Any] | None = None) -> tuple[Any, list[Any]]:
    job = calls("x", effect=effect)
    ctx = Asked(job, recorded)
    try:
        return await acted(job, ctx, "pay", {"amount": 1}, world), ctx.asked
    except WorkError as error:
        return error.fault, ctx.asked


@pytest.mark.parametrize("effect", ["none", "keyed"])
async def test_what_may_be_repeated_asks_for_no_intent(effect: str) -> None:
    assert await act(World(), effect) == ("done", [])


async def test_a_once_effect_is_intended_before_and_settled_after() -> None:
    assert await act(World(), "once") == ("done", [("intend pay", {"amount": 1}), ("settle", "done")])


async def test_what_an_earlier_attempt_recorded_is_not_done_again() -> None:
    world = World()
    output, asked = await act(world, "once", {1: "done before"})
    assert (output, world.times, asked) == ("done before", 0, [("intend pay", {"amount": 1})])


async def test_a_failure_before_anything_was_sent_is_settled_as_one() -> None:
    world = World(WorkError("refused", code="connect_failed", detail={"sent": False}))
    fault, asked = await act(world, "once")
    assert fault.code == "connect_failed"
    assert asked[-1] == ("settle", "connect_failed")


@pytest.mark.parametrize("detail", [{"sent": True}, None, {}])
async def test_a_failure_of_which_the_world_may_know_is_uncertain_and_stays_open(detail: Any) -> None:
    fault, asked = await act(World(WorkError("cut off", code="http_timeout", detail=detail)), "once")
    assert (fault.code, fault.transient) == (UNCERTAIN, False)
    assert fault.detail["cause"]["code"] == "http_timeout"
    assert [what for what, _ in asked] == ["intend pay"]


# -- verify


@node(effect="once")
async def pay() -> str:
    return "paid now"


async def verified(verify: Callable[..., Any], intents: list[Any] | None) -> Any:
    tools = tools_of(pay, verify)
    job: Job = calls("pay", {}, effect="once", on_uncertain="verify", verify="look")
    perform = performer(tools, Asked, lambda asked: intents)
    output: Any = await perform(job)
    return getattr(output, "output", output)


async def test_a_verify_handler_that_finds_the_effect_gives_the_output() -> None:
    @node(name="look")
    async def look(intents: list[Any], key: str) -> Any:
        return {"happened": True, "output": [intents, key]}

    intents = [{"kind": "pay", "what": {"amount": 1}}]
    assert await verified(look, intents) == [intents, "key-run_1-n"]


async def test_a_verify_handler_that_finds_nothing_lets_the_work_be_done() -> None:
    @node(name="look")
    async def look() -> bool:
        return False

    assert await verified(look, []) == "paid now"


async def test_without_open_intents_nobody_is_asked() -> None:
    @node(name="look")
    async def look() -> bool:
        raise AssertionError

    assert await verified(look, None) == "paid now"


@pytest.mark.parametrize("answer", [None, "yes", {"happened": "yes"}, {"output": 1}])
async def test_a_verify_handler_that_does_not_say_is_a_permanent_fault(answer: Any) -> None:
    @node(name="look")
    async def look() -> Any:
        return answer

    with pytest.raises(WorkError) as refused:
        await verified(look, [])
    assert (refused.value.fault.code, refused.value.fault.transient) == ("verify_invalid", False)


async def test_a_verify_handler_that_is_not_there_is_a_permanent_fault() -> None:
    @node(name="other")
    async def other() -> None: ...

    with pytest.raises(WorkError, match="no worker has the handler 'look'"):
        await verified(other, [])
