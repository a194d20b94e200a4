"""How a record becomes the input of an agent of another framework, and what comes out the output of the record."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import Invalid, Problem

Foreign: TypeAlias = Any  # an object of a framework, which need not be installed, or what an application gives for one
Made: TypeAlias = tuple[Callable[..., Foreign], str]
"""The function of `(record, ctx)`, and a text that differs when what it does differs."""


class Mapped(msgspec.Struct, frozen=True):
    """`input(record)` makes the input, by default the record's data. `output` is the topic that gets what comes out, of
    type `AGENT.output`, or a function of `(value, record, ctx)` that sends what it wants. Who asked gets it, too."""

    input: Callable[[Foreign], Foreign] | None = None
    output: str | Callable[..., Foreign] | None = None

    def given(self, record: Foreign) -> Foreign:
        """The input for a record."""
        return record.data if self.input is None else self.input(record)

    async def give(self, value: Foreign, record: Foreign, ctx: Foreign) -> None:
        """Sends what came out."""
        if callable(self.output):
            told = self.output(value, record, ctx)
            if inspect.isawaitable(told):
                await told
            return
        plain = jsonable(value)
        if self.output:
            ctx.emit(self.output, f"{ctx.agent}.output", plain)
        ctx.reply(plain)


def jsonable(value: Foreign) -> JsonValue:
    """A value as JSON has it: models, messages and dataclasses as objects; what is none of these as its text."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if isinstance(value, Mapping):
        return {str(name): jsonable(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    try:
        return msgspec.to_builtins(value)
    except (TypeError, msgspec.MsgspecError):
        return str(value)


def refused(why: str, hint: str) -> Invalid:
    """Why an object is no agent."""
    return Invalid("not an agent", [Problem("@aob.agent", why, "bad_agent", hint=hint)])
