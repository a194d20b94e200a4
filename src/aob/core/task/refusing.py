"""Why a command to a task or a plan is refused. Pure."""

from collections.abc import Iterable

from aob.core.errors import Conflict, Invalid, Problem
from aob.core.hint import meant
from aob.core.task.request import Kind, Request


def unknown_type(kind: Kind, type: str, known: Iterable[str]) -> Invalid:
    """The error for a type that nobody has registered."""
    why = f"no {kind} of type {type[:80]!r} is registered"
    mark = "task" if kind == "task" else "planner"
    hint = meant(type, known, f"types of {kind}s") or f'register one: @aob.{mark}("{type[:80]}")'
    return Invalid(why, [Problem(f"/{kind}_type", why, f"{kind}_type_unknown", hint=hint)],
                   code=f"{kind}_type_unknown", hint=hint)  # fmt: skip


def repeated(kind: Kind, known: Request, given: Request) -> None:
    """Raises Conflict unless a request under a known id says the same as the first one."""
    if known.digest != given.digest:
        raise Conflict(f"there is another {kind} {given.id!r}, with other content", code=f"{kind}_exists",
                       hint=f"the same {kind}_id with the same content answers again; give another one")  # fmt: skip


def closed(kind: Kind, id: str, status: str) -> Conflict:
    """The error for what has ended."""
    return Conflict(f"{kind} {id!r} has ended: {status}", code=f"{kind}_ended")
