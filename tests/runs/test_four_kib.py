"""Where a value lies is decided by its bytes: up to 4 KiB in its record, up to 64 KiB in a row, larger in a blob."""

from collections.abc import Callable
from typing import Any

import pytest

from aob.compose import App
from aob.core.errors import NotFound
from aob.core.value import INLINE_MAX, ROW_MAX, canonical, decode, digest_of, ref_in
from tests.runs.home import finished, flow, fn, ticket_of

SIZES = [INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1, ROW_MAX - 1, ROW_MAX, ROW_MAX + 1]


def sized(size: int, wrap: Callable[[str], Any]) -> Any:
    """A value whose canonical JSON has so many bytes."""
    value = wrap("x" * (size - len(canonical(wrap("")))))
    assert len(canonical(value)) == size
    return value


async def lies_where_it_should(app: App, cell: Any, value: Any) -> None:
    """A cell holds the value, or refers to a row or a blob that does; and neither of them is there for nothing."""
    core, data = app.views.core, canonical(value)
    digest = digest_of(data)
    row = await core.store.value("default", digest)
    try:
        blob: bytes | None = await core.blobs.get("default", digest)
    except NotFound:
        blob = None
    inside, beside = len(data) <= INLINE_MAX, INLINE_MAX < len(data) <= ROW_MAX
    assert (bytes(cell) == data) == inside
    assert (ref_in(decode(cell)) is None) == inside
    assert (row, blob) == (data if beside else None, None if inside or beside else data)


@pytest.mark.parametrize("size", SIZES)
async def test_every_value_of_a_run_lies_where_its_size_says(app: App, size: int) -> None:
    given = sized(size, lambda text: {"in": text})
    made = sized(size, lambda text: text)
    computed = sized(size, lambda text: {"n": text})
    said = sized(size, lambda text: {"paid": text})
    nodes = {
        "a": fn("sized", input={"n": str(size - 2)}),
        "b": fn(disabled=True, input={"n": f"nodes.a.output.substring(0, {size - len(canonical({'n': ''}))})"}),
        "w": {"kind": "wait", "config": {"message": "paid"}},
    }
    if size > ROW_MAX:  # an expression may not make so much
        nodes["b"] = fn(disabled=True, input={"n": "'x'"})
        computed = {"n": "x"}
    await app.push(flow("sizes", nodes, "a>b", "b>w"))
    run = await app.start("sizes", given)
    await app.views.message(app.who, run.id, "paid", payload=said)
    told = await finished(app, run.id)
    assert (told["status"], told["output"]) == ("COMPLETED", said)
    state = app.views.core.journal.streams[run.id].state
    await lies_where_it_should(app, state.inputs, given)
    await lies_where_it_should(app, state.scopes[""].done["a"].output, made)
    await lies_where_it_should(app, state.scopes[""].done["b"].output, computed)
    await lies_where_it_should(app, state.scopes[""].done["w"].output, said)


@pytest.mark.parametrize("size", SIZES)
async def test_the_values_of_an_answer_lie_where_their_size_says(app: App, size: int) -> None:
    values = sized(size, lambda text: {"note": text})
    ask = {"kind": "approval", "config": {"form": {"note": "string"}}}
    await app.push(flow("ask", {"ask": ask, "z": fn()}, "ask>z:approved"))
    run = await app.start("ask")
    ticket = await ticket_of(app, run.id)
    await app.answer(ticket["ticket_id"], "approve", values=values)
    assert (await finished(app, run.id))["output"]["values"] == values
    state = app.views.core.journal.streams[run.id].state
    await lies_where_it_should(app, state.tickets[ticket["ticket_id"]].values, values)
