"""SEMANTICS 2.5: an answer says what its own decision has made, also when later ones of the same commit changed it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aob.compose import App
from aob.core.run.record import commands as cmd
from tests.runs.home import Deed, chain, finished, flow, fn, ticket_of

pytestmark = pytest.mark.every_store


async def together(app: App, run_id: str, first: Any, *then: Any) -> Any:
    """The answer of a verb, where other commands to the run are decided right behind it, in the same commit."""
    journal = app.views.core.journal
    ask = journal.ask

    def asks(stream: str, command: Any, **more: Any) -> Any:
        future = ask(stream, command, **more)
        if stream == run_id:
            journal.ask = ask  # type: ignore[method-assign]
            for each in then:
                ask(stream, each).add_done_callback(lambda done: done.exception())
        return future

    journal.ask = asks  # type: ignore[method-assign,assignment]
    return await first


CANCEL = cmd.Cancel("local", "enough")


@pytest.fixture
async def held(app: App, deed: Deed) -> str:
    """A run whose only branch waits for a gate, and that asks a person beside it."""
    nodes = {"a": fn("gated"), "ask": {"kind": "approval", "config": {"text": "May it?"}}, "b": fn()}
    await app.push(flow("one", nodes, "a>b"))
    run = await app.start("one")
    await deed.begins("a").wait()
    return run.id


async def test_of_a_start_that_is_cancelled_at_once(app: App) -> None:
    await app.push(chain("one", "gated"))
    app.views.core.ids.next = lambda: "run_1"  # type: ignore[method-assign]
    told = await together(app, "run_1", app.start("one"), CANCEL)
    assert (told.status, told.created) == ("RUNNING", True)
    assert (await finished(app, "run_1"))["status"] == "CANCELLED"


async def test_of_a_patch_that_is_rolled_back_at_once(app: App, held: str) -> None:
    add = [{"op": "add_node", "id": "c", "node": fn()}, {"op": "connect", "from": "b", "to": "c"}]
    told = await together(app, held, app.views.propose(app.who, held, {"operations": add}), CANCEL)
    assert (told["state"], told["version"], "c" in told["diff"]["nodes"]["added"]) == ("applied", "v1.1", True)


async def test_of_a_ticket_whose_run_goes_on_at_once(app: App, held: str, deed: Deed) -> None:
    ticket = (await ticket_of(app, held))["ticket_id"]
    told = await together(app, held, app.views.answer(app.who, ticket, "approve", reason="why not"), CANCEL)
    assert (told["state"], told["choice"], told["reason"]) == ("approve", "approve", "why not")


async def test_of_a_cancel_is_as_it_was_decided(app: App, held: str) -> None:
    told = await together(app, held, app.views.cancel(app.who, held, reason="first"), CANCEL)
    assert (told["status"], told["reason"]) == ("CANCELLED", "first")


READS: dict[str, Callable[[App, str, str, str], Any]] = {
    "a run": lambda app, run, ticket, patch: app.run(run),
    "its patches": lambda app, run, ticket, patch: app.views.patches(app.who, run),
    "a patch": lambda app, run, ticket, patch: app.views.patch(app.who, patch),
    "its tickets": lambda app, run, ticket, patch: app.views.tickets(app.who, run_id=run),
    "a ticket": lambda app, run, ticket, patch: app.views.ticket(app.who, ticket),
}


async def test_who_looks_is_told_nothing_that_is_not_durable(app: App, held: str) -> None:
    ticket = (await ticket_of(app, held))["ticket_id"]
    add = [{"op": "add_node", "id": "c", "node": fn()}, {"op": "connect", "from": "b", "to": "c"}]
    patch = (await app.views.propose(app.who, held, {"operations": add}))["patch_id"]
    journal, gate = app.views.core.journal, asyncio.Event()
    commit = journal.store.commit

    async def gated(batch: Any) -> Any:
        await gate.wait()
        return await commit(batch)

    journal.store.commit = gated  # type: ignore[method-assign]
    asking = {"the cancel": app.views.cancel(app.who, held)}
    asking |= {name: read(app, held, ticket, patch) for name, read in READS.items()}
    told = []
    for each in asking.values():
        told.append(asyncio.ensure_future(each))
        for _ in range(20):
            await asyncio.sleep(0)
    early = [name for name, task in zip(asking, told, strict=True) if task.done()]
    gate.set()
    answers = await asyncio.gather(*told)
    assert not early
    assert answers[1]["status"] == "CANCELLED", "what is told is what was seen, once it is durable"
