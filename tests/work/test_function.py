"""`function` nodes: arguments by name or by position, async handlers on the loop, plain ones in threads."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from aob.ports.workers import Done, Fault, Job
from aob.work import WorkError, node
from aob.work.kinds import barer, performer, placer
from aob.work.pool import Pool, Threads
from tests.work.jobs import Asked, Told, calls, tools_of


async def result_of(job: Job, *handlers: Callable[..., Any], ctx: Asked | None = None, **more: Any) -> Done | Fault:
    """What is reported for a job, with real threads and a real pool."""
    told = Told()
    async with Threads() as threads:
        tools = tools_of(*handlers, threads=threads, **more)
        perform = performer(tools, lambda asked: ctx or Asked(asked))
        async with Pool(4, perform, told, place=placer(tools), bare=barer(tools)) as pool:
            pool.submit(job)
            (result,) = await told.first()
            return result


async def output_of(job: Job, *handlers: Callable[..., Any], **more: Any) -> Any:
    result = await result_of(job, *handlers, **more)
    assert isinstance(result, Done), result
    return result.output


async def fault_of(job: Job, *handlers: Callable[..., Any], **more: Any) -> Fault:
    result = await result_of(job, *handlers, **more)
    assert isinstance(result, Fault), result
    return result


@node
async def price(order: str, amount: int = 1, *, rate: float = 2.0) -> list[Any]:
    return [order, amount, rate]


@node
def price_in_thread(order: str, amount: int = 1) -> list[Any]:
    return [order, amount, threading.current_thread().name.startswith("aob-handler")]


@node
async def nothing() -> str:
    return "nothing"


@node
async def with_ctx(ctx: Any, order: str = "none") -> list[Any]:
    ctx.log("looked", order=order)
    await ctx.heartbeat({"at": 1})
    return [ctx.run_id, ctx.key, order]


@node
def with_ctx_in_thread(order: str, ctx: Any) -> list[Any]:
    ctx.log("looked", order=order)
    ctx.heartbeat({"at": 1})
    granted = ctx.intend("pay", {"order": order}).granted
    ctx.settle("paid")
    return [ctx.run_id, ctx.key, order, granted, ctx.propose([], "because")["state"], sorted(ctx.graph())]


async def test_the_names_of_the_input_are_the_arguments() -> None:
    assert await output_of(calls("price", {"order": "a", "rate": 3.0}), price) == ["a", 1, 3.0]
    assert await output_of(calls("price_in_thread", {"order": "a", "amount": 2}), price_in_thread) == ["a", 2, True]


async def test_without_an_input_map_the_value_is_the_one_argument() -> None:
    assert await output_of(calls("price", "a", named=False), price) == ["a", 1, 2.0]


async def test_a_handler_that_takes_nothing_is_called_with_nothing() -> None:
    assert await output_of(calls("nothing", "ignored"), nothing) == "nothing"


async def test_ctx_is_given_to_who_asks_for_it_and_the_value_to_the_other_parameter() -> None:
    job = calls("with_ctx", "a", named=False)
    ctx = Asked(job)
    assert await output_of(job, with_ctx, ctx=ctx) == ["run_1", job.key, "a"]
    assert ctx.asked == [("heartbeat", {"at": 1})]


async def test_ctx_beside_named_arguments() -> None:
    job = calls("with_ctx", {"order": "a"})
    ctx = Asked(job)
    assert await output_of(job, with_ctx, ctx=ctx) == ["run_1", job.key, "a"]
    assert ctx.lines == [("looked", {"order": "a"})]


async def test_in_a_thread_ctx_has_the_same_words_and_waits_for_their_answers() -> None:
    job = calls("with_ctx_in_thread", {"order": "a"})
    ctx = Asked(job)
    answer = await output_of(job, with_ctx_in_thread, ctx=ctx)
    assert answer == ["run_1", job.key, "a", True, "applied", ["document", "state"]]
    assert ctx.asked == [("heartbeat", {"at": 1}), ("intend pay", {"order": "a"}), ("settle", "paid")]


@pytest.mark.parametrize(
    ("value", "named", "words"),
    [
        ({"amount": 1}, True, "missing a required argument: 'order'"),
        ({"order": "a", "colour": "red"}, True, "unexpected keyword argument 'colour'"),
    ],
)
@pytest.mark.parametrize("handler", [price, price_in_thread], ids=["loop", "thread"])
async def test_arguments_that_do_not_fit_are_a_permanent_fault_that_names_the_parameter(
    handler: Callable[..., Any], value: Any, named: bool, words: str
) -> None:
    fault = await fault_of(calls(handler.__name__, value, named=named), handler)
    assert (fault.code, fault.transient) == ("call_mismatch", False)
    assert words in fault.message
    assert fault.detail["parameters"][0] == "order"
    assert "test_function" in fault.detail["where"]
    assert fault.detail["hint"]


async def test_a_handler_of_several_parameters_says_that_it_wants_them_by_name() -> None:
    @node
    async def ship(order: str, address: str) -> None: ...

    fault = await fault_of(calls("ship", "a", named=False), ship)
    assert "missing a required argument: 'address'" in fault.message
    assert "name the arguments in the node's `input`: order, address" in fault.detail["hint"]


async def test_a_type_error_of_the_handler_itself_is_transient_as_any_other() -> None:
    @node
    async def add(a: Any) -> Any:
        return a + 1

    @node
    def add_in_thread(a: Any) -> Any:
        return a + 1

    for handler in (add, add_in_thread):
        fault = await fault_of(calls(handler.__name__, "x", named=False), handler)
        assert (fault.code, fault.transient, fault.detail["type"]) == ("exception", True, "TypeError")


async def test_a_handler_that_is_not_there_is_said_with_those_that_are() -> None:
    fault = await fault_of(calls("price_list"), price, nothing)
    assert (fault.code, fault.transient) == ("handler_missing", False)
    assert "nothing, price" in fault.detail["hint"]


async def test_a_plain_function_that_returns_a_coroutine_is_told_to_be_async() -> None:
    @node
    def forgot() -> Any:
        return nothing()

    assert (await fault_of(calls("forgot"), forgot)).code == "handler_not_async"


async def test_an_async_handler_behind_a_plain_wrapper_is_awaited() -> None:
    class Later:
        def __await__(self) -> Any:
            return asyncio.sleep(0, "later").__await__()

    async def typed() -> None: ...

    @node
    async def plain() -> str:
        return "x"

    plain_table = tools_of(plain)
    handler = plain_table.handlers["plain"]
    from aob.work.calling import call

    for answer, expected in ((Later(), "later"), ("at once", "at once")):
        odd = type(handler)(
            handler.name,
            lambda answer=answer: answer,
            handler.facts,
            "loop",
            False,
            False,
            "",
            handler.signature,
            handler.parameters,
        )
        assert await call(odd, (), {}, None, plain_table) == expected


async def test_exceptions_of_a_thread_are_those_of_the_handler() -> None:
    @node
    def refuse() -> None:
        raise WorkError("no stock", code="no_stock", transient=False)

    @node
    def leave() -> None:
        raise SystemExit(3)

    @node
    def stop() -> None:
        raise StopIteration

    assert (await fault_of(calls("refuse"), refuse)).code == "no_stock"
    assert (await fault_of(calls("leave"), leave)).detail["type"] == "SystemExit"
    assert (await fault_of(calls("stop"), stop)).code == "exception"


async def test_a_node_of_a_kind_that_nobody_performs_is_a_permanent_fault() -> None:
    job = calls("x")
    job.task = replace(job.task, kind="teleport")
    fault = await fault_of(job)
    assert (fault.code, fault.transient) == ("kind_unknown", False)
