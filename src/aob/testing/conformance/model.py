"""Tests for every `Model`: subclass `ModelSuite` and return the brain that plays a scene."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec
import pytest

from aob.core.errors import AobError, CallerError, Unavailable
from aob.ports.model import Json, Message, Model, ModelAnswer, ModelRequest, Tool, ToolCall, request_hash

RISK: Final = {
    "type": "object",
    "properties": {"risk": {"type": "number"}},
    "required": ["risk"],
    "additionalProperties": False,
}
LOOKUP: Final = Tool(
    "lookup",
    "Looks an order up.",
    {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": False},
    "f" * 64,
)
WAIT_S: Final = 10.0


class Can(Enum):
    """Abilities that not every brain has."""

    FAIL = auto()
    HANG = auto()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a brain under test. `output` is structured, `calls` are (tool, args). `status` other than 200 is an
    error instead (with this `code`), `hang` no answer at all, `garbage` an answer that breaks the protocol; `raw` is
    the body itself, JSON or bytes."""

    text: str = ""
    output: Json = msgspec.UNSET
    calls: tuple[tuple[str, dict[str, Json]], ...] = ()
    tokens_in: int = 11
    tokens_out: int = 7
    status: int = 200
    retry_after_s: int = 0
    hang: bool = False
    garbage: bool = False
    cut: bool = False
    measured: bool = True
    raw: Json = msgspec.UNSET
    code: str = ""


@dataclass(frozen=True)
class Scene:
    """The requests of one conversation, and the turn that answers each. `name` is the tested model's name."""

    turns: Sequence[Turn]
    requests: Sequence[ModelRequest] = field(default_factory=tuple)


class Played(NamedTuple):
    """A brain that is ready, and the name under which it answers."""

    model: Model
    name: str


def request(text: str = "How risky is order 7?", **more: object) -> ModelRequest:
    """A request with a schema; `more` replaces fields."""
    asked = ModelRequest("", (Message("user", text),), system="Be brief.", output=RISK)
    return msgspec.structs.replace(asked, **more)


def after_tool(asked: ModelRequest, calls: tuple[ToolCall, ...]) -> ModelRequest:
    """The request after the calls were made."""
    results = tuple(Message("tool", "total: 12", call=call.id) for call in calls)
    return msgspec.structs.replace(asked, messages=(*asked.messages, Message("assistant", "", calls), *results))


class ModelSuite:
    """Subclass it in a test module and return your brain from `play`."""

    can: frozenset[Can] = frozenset(Can)

    def play(self, scene: Scene) -> AbstractAsyncContextManager[Played]:
        """A model that answers the requests of the scene with its turns, in order."""
        raise NotImplementedError

    async def ask(self, turn: Turn, asked: ModelRequest) -> ModelAnswer:
        """One request answered by one turn."""
        async with self.play(Scene([turn], [asked])) as (model, name), asyncio.timeout(WAIT_S):
            return await model.ask(msgspec.structs.replace(asked, model=name))

    def needs(self, what: Can) -> None:
        """Skip with the reason when the brain cannot."""
        if what not in self.can:
            pytest.skip(f"this brain cannot be told to {what.name.lower()}")

    async def test_a_structured_answer_comes_as_a_value(self) -> None:
        answer = await self.ask(Turn(output={"risk": 0.5}), request())
        assert answer.output == {"risk": 0.5}
        assert msgspec.json.decode(answer.text) == {"risk": 0.5}
        assert answer.calls == ()

    async def test_an_answer_that_is_no_object_comes_as_itself(self) -> None:
        asked = request(output={"type": "array", "items": {"type": "integer"}})
        assert (await self.ask(Turn(output=[1, 2]), asked)).output == [1, 2]

    async def test_text_comes_as_text(self) -> None:
        answer = await self.ask(Turn(text="hello"), request(output=None))
        assert answer.text == "hello"
        assert answer.output is msgspec.UNSET

    async def test_text_where_json_was_asked_for_is_kept_and_is_no_output(self) -> None:
        answer = await self.ask(Turn(text="I would rather not."), request())
        assert answer.text == "I would rather not."
        assert answer.output is msgspec.UNSET

    async def test_a_tool_is_called_and_its_result_leads_to_the_answer(self) -> None:
        asked = request(tools=(LOOKUP,))
        rehearsed = after_tool(asked, (ToolCall("c1", "lookup", {"id": 7}),))
        turns = [Turn(calls=(("lookup", {"id": 7}),)), Turn(output={"risk": 0.1})]
        async with self.play(Scene(turns, [asked, rehearsed])) as (model, name), asyncio.timeout(WAIT_S):
            asked = msgspec.structs.replace(asked, model=name)
            first = await model.ask(asked)
            second = await model.ask(after_tool(asked, first.calls))
        assert [(call.name, call.args) for call in first.calls] == [("lookup", {"id": 7})]
        assert first.output is msgspec.UNSET
        assert second.output == {"risk": 0.1}

    async def test_two_calls_of_one_answer_have_ids_of_their_own(self) -> None:
        turn = Turn(calls=(("lookup", {"id": 1}), ("lookup", {"id": 2})))
        answer = await self.ask(turn, request(tools=(LOOKUP,)))
        assert [call.args for call in answer.calls] == [{"id": 1}, {"id": 2}]
        assert len({call.id for call in answer.calls}) == 2
        assert all(call.id for call in answer.calls)

    async def test_usage_is_counted_or_said_to_be_unknown(self) -> None:
        usage = (await self.ask(Turn(output={"risk": 1}, tokens_in=21, tokens_out=9), request())).usage
        assert (usage.tokens_in, usage.tokens_out) == (21, 9)
        assert usage.cost_usd is None or usage.cost_usd >= 0

    async def test_the_badge_says_which_brain_answered(self) -> None:
        brain = (await self.ask(Turn(output={"risk": 1}), request())).brain
        assert brain.label.startswith(brain.kind)
        assert brain.model
        assert bool(brain.recorded_on) is (brain.kind == "recorded")

    async def test_an_answer_cut_at_the_limit_says_so(self) -> None:
        answer = await self.ask(Turn(text='{"ris', cut=True), request())
        assert answer.cut
        assert not (await self.ask(Turn(output={"risk": 1}), request())).cut

    async def test_an_answer_survives_the_journal(self) -> None:
        answer = await self.ask(Turn(output={"risk": 0.5}), request())
        assert msgspec.convert(msgspec.to_builtins(answer), ModelAnswer) == answer
        assert msgspec.json.decode(msgspec.json.encode(answer), type=ModelAnswer) == answer

    async def test_asking_changes_nothing_in_the_request(self) -> None:
        asked = request(tools=(LOOKUP,), temperature=0.0, tokens_max=100)
        before = request_hash(asked), msgspec.to_builtins(asked)
        await self.ask(Turn(output={"risk": 1}), asked)
        assert (request_hash(asked), msgspec.to_builtins(asked)) == before

    async def test_asks_at_the_same_time_do_not_mix(self) -> None:
        asked = [request(f"order {n}") for n in range(5)]
        turns = [Turn(output={"risk": 0.5})] * 5
        async with self.play(Scene(turns, asked)) as (model, name), asyncio.timeout(WAIT_S):
            named = [msgspec.structs.replace(one, model=name) for one in asked]
            answers = await asyncio.gather(*(model.ask(one) for one in named))
        assert [answer.output for answer in answers] == [{"risk": 0.5}] * 5

    async def test_what_may_pass_is_unavailable(self) -> None:
        self.needs(Can.FAIL)
        for status, kind in ((429, "rate_limited"), (500, "server"), (503, "overloaded")):
            with pytest.raises(Unavailable) as caught:
                await self.ask(Turn(status=status, retry_after_s=3), request())
            assert caught.value.code == "model_unavailable"
            assert caught.value.fields["kind"] in {kind, "server", "overloaded"}
            assert caught.value.fields["retry_after_s"] == 3

    async def test_what_asking_again_cannot_mend_is_refused(self) -> None:
        self.needs(Can.FAIL)
        with pytest.raises(CallerError) as caught:
            await self.ask(Turn(status=400), request())
        assert caught.value.code == "model_refused"

    async def test_a_fault_is_not_repeated_by_the_model_itself(self) -> None:
        self.needs(Can.FAIL)
        asked = request()
        async with self.play(Scene([Turn(status=500), Turn(output={"risk": 1})], [asked])) as (model, name):
            with pytest.raises(Unavailable):
                await model.ask(msgspec.structs.replace(asked, model=name))

    async def test_a_model_that_does_not_exist_is_unknown(self) -> None:
        async with self.play(Scene([], [])) as (model, name), asyncio.timeout(WAIT_S):
            scheme = name.partition(":")[0]
            with pytest.raises(AobError) as caught:
                await model.ask(request(model="nowhere:nothing" if scheme not in _OURS else f"{scheme}:nothing"))
        assert caught.value.code == "model_unknown"

    async def test_an_ask_can_be_cancelled(self) -> None:
        self.needs(Can.HANG)
        asked = request()
        async with self.play(Scene([Turn(hang=True)], [asked])) as (model, name), asyncio.timeout(WAIT_S):
            asking = asyncio.create_task(model.ask(msgspec.structs.replace(asked, model=name)))
            await asyncio.wait({asking}, timeout=0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking


_OURS: Final = frozenset({"script", "recorded"})
