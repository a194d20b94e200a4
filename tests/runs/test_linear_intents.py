"""What a handler asks of its run costs the same however much it has asked before. Counts, never times."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aob.journal import Journal
from aob.ports.workers import Fault, Job
from aob.runs.context import RunContext
from aob.runs.values import Values
from tests.core.run_desk import flow, function
from tests.core.run_work import Bare, bytecodes

MORE = 4.3
AGAIN = Fault("again", "it failed, and that is known", transient=True)
Act = Callable[[RunContext, int], Awaitable[None]]


class Asked:
    """A run of one node, and whoever hands commands to it."""

    def __init__(self) -> None:
        self.run = Bare(flow({"a": function()}))
        self.run.begin()
        job = SimpleNamespace(run="run_1", visit="a", attempt=1, key="k", tenant="default", resume=None)
        self.context = RunContext(
            cast(Journal, self), None, cast(Job, job), cast(Values, None), lambda run, visit: lambda *line: None
        )

    async def ask(self, run_id: str, command: Any, *, reads: Callable[[Any], Any] | None = None) -> Any:
        before = self.run.events
        self.run.do(command)
        decided = SimpleNamespace(
            stream=SimpleNamespace(state=self.run.run), events=self.run.events - before, said=None
        )
        decided.said = reads(decided) if reads is not None else None
        return decided


async def one_after_another(context: RunContext, n: int) -> None:
    for index in range(n):
        await context.intend("tool", {"n": index})
        await context.settle(index)


async def the_same_again_and_again(context: RunContext, n: int) -> None:
    for index in range(n):
        await context.intend("tool", {"n": 0})
        await context.settle(index)


async def each_fails_first(context: RunContext, n: int) -> None:
    for index in range(n):
        intent = await context.intend("tool", {"n": 0})
        await context.settle(None, intent=intent, error=AGAIN)
        await context.intend("tool", {"n": 0})
        await context.settle(index)


async def all_at_once(context: RunContext, n: int) -> None:
    intents = [await context.intend("tool", {"n": 0}) for _ in range(n)]
    for intent in reversed(intents):
        await context.settle(1, intent=intent)


async def each_in_a_task(context: RunContext, n: int) -> None:
    async def one(index: int) -> None:
        await context.intend("tool", {"n": index})
        await asyncio.sleep(0)
        await context.settle(index)

    await asyncio.gather(*map(one, range(n)))


@pytest.mark.parametrize(
    "act", [one_after_another, the_same_again_and_again, each_fails_first, all_at_once, each_in_a_task]
)
def test_intents_cost_the_same_however_many_came_before(act: Act) -> None:
    costs = []
    for n in (25, 100):
        asked = Asked()
        costs.append(bytecodes(lambda asked=asked, n=n: asyncio.run(act(asked.context, n))))  # type: ignore[misc]
        assert all(intent.result is not None for intent in asked.run.run.tokens["a"].intents or ())
    assert costs[1] < MORE * costs[0], costs


def test_an_intent_that_failed_and_is_asked_for_again_is_one_that_is_open() -> None:
    async def act(context: RunContext) -> None:
        first = await context.intend("tool", {"n": 0})
        await context.settle(None, error=AGAIN)
        again = await context.intend("tool", {"n": 0})
        assert again.number == first.number
        await context.settle(1)

    asked = Asked()
    asyncio.run(act(asked.context))
    (intent,) = asked.run.run.tokens["a"].intents or ()
    assert (bytes(intent.result or b""), intent.failed) == (b"1", False)
