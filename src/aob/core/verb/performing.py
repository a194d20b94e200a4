"""Makes a callable verb of a function: this is the only place that checks the role, before anything is loaded."""

from collections.abc import AsyncIterator, Callable, Iterable
from functools import update_wrapper
from typing import Concatenate, ParamSpec, TypeVar, cast

from aob.core.policy import Caller
from aob.core.rights import ANY, may
from aob.core.verb.entry import Verb

Given = ParamSpec("Given")
Room = TypeVar("Room")
Args = TypeVar("Args")
Gives = TypeVar("Gives")


def performs(
    verb: Verb[Given, Args],
) -> Callable[[Callable[[Room, Caller, Args], Gives]], Callable[Concatenate[Room, Caller, Given], Gives]]:
    """The function of a verb: defined with its argument struct, called with its fields."""
    args, action, refused = verb.args, verb.action, _refused_stream if verb.streams else _refused
    open_to_all = action == ANY

    def of(function: Callable[[Room, Caller, Args], Gives]) -> Callable[Concatenate[Room, Caller, Given], Gives]:
        def perform(self: Room, who: Caller, /, *given: Given.args, **named: Given.kwargs) -> Gives:
            if action in who.roles or open_to_all or who.may(action):
                return function(self, who, args(*given, **named))
            return cast("Gives", refused(who, action))

        update_wrapper(perform, function)
        return perform

    return of


async def _refused(who: Caller, action: str) -> None:
    may(who, action)


async def _refused_stream(who: Caller, action: str) -> AsyncIterator[None]:
    may(who, action)
    yield


def having(names: Iterable[str], *rooms: object) -> dict[str, object]:
    """The room that implements each verb, by name. Omits verbs without a room."""
    wanted = tuple(names)
    return {name: room for room in reversed(rooms) for name in wanted if hasattr(room, name)}
