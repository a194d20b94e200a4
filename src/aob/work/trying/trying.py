"""A recorded conversation with a model, as it was and as it would go on now. Nothing outside is called: tools answer
from the record, or are refused."""

from collections.abc import Sequence
from typing import Final

import msgspec

from aob.core.decision import answers
from aob.core.errors import AobError
from aob.core.value import canonical
from aob.ports.model import Json, Message, Model, ModelAnswer, ModelRequest
from aob.work.agent import refused

UNKNOWN: Final = "this call is not in the record, and a try calls nothing outside: answer without it"


def results_in(messages: Sequence[Message]) -> list[answers.RecordedResult]:
    """The results of tools that a conversation has had, in order."""
    asked = {call.id: call for message in messages for call in message.calls}
    return [
        {"name": call.name, "args": call.args, "text": message.text, "failed": message.failed}
        for message in messages if message.role == "tool" and (call := asked.get(message.call)) is not None
    ]  # fmt: skip


def step_of(answer: ModelAnswer) -> answers.TriedStep:
    """What a model chose in one call."""
    output: Json = None if answer.output is msgspec.UNSET else answer.output
    return {
        "chosen": answer.chosen, "calls": [{"name": call.name, "args": call.args} for call in answer.calls],
        "output": output, "text": "" if output is not None else answer.text, "error": None,
        "brain": answer.brain.label, "usage": msgspec.to_builtins(answer.usage),
    }  # fmt: skip


def failed_step(code: str, message: str) -> answers.TriedStep:
    """A call that failed."""
    error: Json = {"code": code, "message": message}
    return {"chosen": "error", "calls": [], "output": None, "text": "", "error": error, "brain": "", "usage": {}}


async def tried(
    model: Model, request: ModelRequest, results: Sequence[answers.RecordedResult], calls_max: int
) -> tuple[list[answers.TriedStep], int]:  # fmt: skip
    """The steps of a conversation from a request on, and how many calls of tools were not in the record."""
    known = {_key(each["name"], each["args"]): each for each in results}
    steps, unknown = list[answers.TriedStep](), 0
    while len(steps) < calls_max:
        try:
            answer = await model.ask(request)
        except AobError as error:
            steps.append(failed_step(error.code, error.detail))
            break
        steps.append(step_of(answer))
        if not answer.calls:
            break
        messages = [*request.messages, Message("assistant", answer.text, answer.calls)]
        for call in answer.calls:
            found = known.get(_key(call.name, call.args))
            unknown += found is None
            messages.append(
                refused(call, UNKNOWN) if found is None
                else Message("tool", found["text"], call=call.id, failed=found["failed"])
            )  # fmt: skip
        request = msgspec.structs.replace(request, messages=tuple(messages))
    return steps, unknown


def _key(name: str, args: Json) -> bytes:
    return canonical([name, args])
