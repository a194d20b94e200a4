"""Calls of models by agents of frameworks: an intent before each, and with its result what was asked, what was answered
and a decision record, as `ctx.model` leaves them."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.decision import DECISION, SAYS_CHARS_MAX, Call
from aob.core.value import canonical, decode, digest_of
from aob.ports.model import Brain, Message, ModelAnswer, ModelRequest, Tool
from aob.work.agent.call import asked_of, decision_of, took
from aob.work.agent.spans import told_call
from aob.work.frameworks.mapping import Foreign, jsonable
from aob.work.frameworks.recorded import ANSWER_BYTES_MAX, bounded
from aob.work.outcome import fault_of

GIVEN: Final = "given"  # the member of a recorded result that is the framework's own answer


class Given(msgspec.Struct):
    """An answer of a model: as the framework has it, as JSON from which that can be made again, in our shape, and what
    it spent by units of a budget."""

    itself: Foreign
    data: JsonValue
    answer: ModelAnswer
    spent: JsonObject


class Asking:
    """The calls of models of one handling of a record, which are one conversation, numbered from 1. `value` is what
    the agent was given."""

    def __init__(self, ctx: Foreign, value: Foreign) -> None:
        self._ctx, self._number = ctx, 0
        self._context = {"node": ctx.agent, "input": jsonable(value)}

    async def ask(
        self, request: ModelRequest, what: JsonObject, perform: Callable[[], Awaitable[Given]],
        read: Callable[[JsonValue], Foreign],
    ) -> Foreign:  # fmt: skip
        """The answer of the model, or the one that it gave before to the same: `what` says what is the same. A call
        that fails leaves a record, too. Raises WorkError `answer_too_large`, and what `perform` raises."""
        ctx, name = self._ctx, digest_of(canonical(what)).hex()
        request = msgspec.structs.replace(request, context=self._context)
        self._number += 1
        intended = await ctx.intend("model", {**what, "effect": "keyed"})
        if not intended.granted:
            return read(intended.recorded[GIVEN])
        prompt = digest_of(canonical([request.system, request.output])).hex()
        told, begun = decision_of(request, name, self._number, prompt, ""), perf_counter()
        try:
            given = await perform()
            data = bounded(given.data)
        except Exception as error:
            fault = fault_of(error)
            told = _ended(told, begun, "error", says=fault.message)
            told_call(ctx.telemetry, request, told, None, fault.code, ctx.idempotency)
            await ctx.settle(None, intent=intended, error=fault, usage={DECISION: msgspec.to_builtins(told)})
            raise
        answer = given.answer
        told = _ended(told, begun, answer.chosen, answer.text, tuple(call.name for call in answer.calls))
        told_call(ctx.telemetry, request, told, answer, conversation=ctx.idempotency)
        usage = {**given.spent, **msgspec.to_builtins(answer.usage), "brain": msgspec.to_builtins(answer.brain)}
        usage[DECISION] = msgspec.to_builtins(told)
        result = {GIVEN: data, "asked": _asked(request), "answer": msgspec.to_builtins(answer)}
        await ctx.settle(result, intent=intended, usage=usage)
        return given.itself


def _ended(told: Call, begun_s: float, chosen: str, says: str, calls: tuple[str, ...] = ()) -> Call:
    return msgspec.structs.replace(told, chosen=chosen, calls=calls, says=says[:SAYS_CHARS_MAX], took_ms=took(begun_s))


def _asked(request: ModelRequest) -> JsonObject:
    """What was asked, as it is kept with the answer; nothing if it is larger than an answer may be."""
    asked = asked_of(request)
    return asked if len(canonical(asked)) <= ANSWER_BYTES_MAX else {}


def brain_of(model: str, *, scripted: bool = False) -> Brain:
    """Who answers."""
    return Brain("scripted", "scripted", model) if scripted else Brain("live", f"live {model}", model)


def tool_of(name: str, description: str, schema: Foreign) -> Tool:
    """A tool as it is offered."""
    told = {"name": name, "description": description, "schema": jsonable(schema)}
    return Tool(name, description, told["schema"], digest_of(canonical(told)).hex())


def text_of(content: Foreign) -> str:
    """The texts of a content, which is a text or parts; what is no text as JSON."""
    if isinstance(content, list | tuple):
        return "\n".join(text_of(each) for each in content)
    if isinstance(content, str):
        return content
    plain = jsonable(content)
    text = plain.get("text", plain.get("refusal")) if isinstance(plain, dict) else None
    return text if isinstance(text, str) else canonical(plain).decode()


def json_or(text: Foreign, instead: JsonValue) -> JsonValue:
    """A text of JSON as its value, and anything else that is no text as it is."""
    try:
        return decode(text.encode()) if isinstance(text, str) else jsonable(text)
    except msgspec.DecodeError:
        return instead


def gathered(messages: list[Message]) -> tuple[Message, ...]:
    """Messages in which those of the model that follow one another are one."""
    found = list[Message]()
    for each in messages:
        if found and each.role == found[-1].role == "assistant":
            text = "\n".join(filter(None, (found[-1].text, each.text)))
            found[-1] = Message("assistant", text, (*found[-1].calls, *each.calls))
        else:
            found.append(each)
    return tuple(found)
