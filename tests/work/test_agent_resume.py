"""An agent that is killed and started again: nothing that was recorded is asked, called or proposed a second time."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from aob.ports.model import ModelAnswer, ModelRequest
from aob.ports.workers import Done
from aob.work.handlers import HandlerTable, node, scan
from tests.work.agent_run import RISK, AgentRun, Crash, says

ANSWERS = (
    says(UNSET, ("lookup", {"id": 1}), ("lookup", {"id": 2})),
    says({"risk": "not a number"}),
    says({"risk": 0.5, "patch": {"reason": "tell them", "operations": [{"op": "bad"}]}}),
    says({"risk": 0.5, "patch": {"reason": "tell them", "operations": [{"op": "add_node"}]}}),
)
VERDICTS = (
    {"patch_id": "patch_1", "state": "invalid", "problems": [{"path": "/operations/0", "message": "no"}]},
    {"patch_id": "patch_2", "state": "applied", "version": "v1.1"},
)


class Stateless:
    """Answers by how far the conversation is, as a provider does, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def name_of(self, name: str) -> str:
        return name

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        turn = sum(message.role == "assistant" for message in request.messages)
        self.asked[turn] += 1
        return ANSWERS[turn]


class World:
    """One run with an agent that uses all it may; the journal survives its crashes."""

    def __init__(self) -> None:
        self.model = Stateless()
        self.called: Counter[int] = Counter()
        self.run = AgentRun(self.model, output=RISK, tools=["lookup"], patch=True, cache=False)
        self.run.handlers = self._handlers()
        self.run.verdicts.extend(msgspec.to_builtins(VERDICTS))

    def _handlers(self) -> HandlerTable:
        @node(version="1")
        async def lookup(id: int) -> dict[str, int]:
            self.called[id] += 1
            return {"total": id}

        return scan(lookup)

    async def until_done(self, crash_at: list[int]) -> Done:
        for at in crash_at:
            self.run.journal.crash_at = self.run.journal.commits + at
            try:
                return await self.run.perform()
            except Crash:
                self.run.graph["state"] = {"other": f"moved on after {at}"}
        self.run.journal.crash_at = 0
        return await self.run.perform()


async def quiet() -> tuple[Done, World]:
    world = World()
    return await world.until_done([]), world


async def test_without_a_crash_everything_happens_once() -> None:
    done, world = await quiet()
    assert done.output == {
        "risk": 0.5,
        "patch": {"patch_id": "patch_2", "state": "applied", "version": "v1.1", "reason": "tell them"},
    }
    assert done.patch == "patch_2"
    assert set(world.model.asked.values()) == set(world.called.values()) == {1}
    assert world.run.journal.kinds() == ["model", "tool", "tool", "model", "model", "model"]


@given(st.lists(st.integers(1, 14), max_size=6))
async def test_a_crash_at_any_commit_changes_neither_the_answer_nor_what_is_recorded(crashes: list[int]) -> None:
    """A call is made again only where its own intent was open when the process died."""
    expected, calm = await quiet()
    world = World()
    done = await world.until_done(crashes)
    assert (done.output, done.usage, done.patch) == (expected.output, expected.usage, expected.patch)
    assert [e.result for e in world.run.journal.entries if e.kind == "tool"] == [
        e.result for e in calm.run.journal.entries if e.kind == "tool"
    ]
    made = sum(world.model.asked.values()) + sum(world.called.values())
    assert made <= len(world.run.journal.entries) + len(crashes)
    assert len(world.run.journal.proposals) == 2


@pytest.mark.parametrize("at", range(1, 15))
async def test_killed_at_each_commit_in_turn(at: int) -> None:
    expected, _ = await quiet()
    world = World()
    assert (await world.until_done([at])).output == expected.output
    repeated = [*world.model.asked.values(), *world.called.values()]
    assert sorted(repeated)[:-1] == [1] * (len(repeated) - 1)
    assert max(repeated) <= 2


async def test_what_was_recorded_is_used_although_the_graph_has_moved_on() -> None:
    world = World()
    world.run.journal.crash_at = 3
    with pytest.raises(Crash):
        await world.run.perform()
    world.run.journal.crash_at = 0
    world.run.graph["document"]["nodes"]["new"] = {"kind": "timer"}
    await world.run.perform()
    assert world.model.asked[0] == 1


async def test_what_was_recorded_is_used_although_a_tool_has_another_version_now() -> None:
    world = World()
    world.run.journal.crash_at = 5
    with pytest.raises(Crash):
        await world.run.perform()
    world.run.journal.crash_at = 0

    @node(version="2", effect="keyed")
    async def lookup(id: int) -> dict[str, int]:
        """A newer one."""
        world.called[id] += 1
        return {"total": -id}

    world.run.handlers = scan(lookup)
    await world.run.perform()
    assert world.model.asked[0] == world.called[1] == 1
    assert world.run.journal.entries[1].result == {"result": {"total": 1}}


async def test_tokens_of_an_earlier_attempt_count_for_the_limit_of_the_visit() -> None:
    world = World()
    world.run.config = msgspec.structs.replace(world.run.config, calls_max=4)
    world.run.journal.crash_at = 9
    with pytest.raises(Crash):
        await world.run.perform()
    world.run.journal.crash_at = 0
    done: Any = await world.run.perform()
    assert done.usage["calls"] == 4
    assert done.usage["tokens_in"] == 40
