"""Applies RFC 6902 operations to a JSON value. All or nothing; the input is not changed."""

from collections.abc import Sequence
from typing import Final, NoReturn, TypeAlias, overload

from aob.core.errors import Invalid, Problem
from aob.core.graph.patch.draft import ABSENT, Absent, Draft, Unresolved
from aob.core.graph.patch.pointer import Document, Json, Tokens, parse_pointer, same

Operation: TypeAlias = dict[str, Json]  # one operation of a patch body

VERBS: Final = ("add", "remove", "replace", "move", "copy", "test")
_WITH_VALUE: Final = frozenset({"add", "replace", "test"})
_WITH_FROM: Final = frozenset({"move", "copy"})


class PatchError(Invalid):
    """A patch that cannot be applied; `problems` give the operation (`/operations/3/path`), the reason and a fix."""

    code = "invalid_patch"


def refuse(place: str, message: str, hint: str = "", code: str = "invalid_patch") -> NoReturn:
    """Raises PatchError with one problem at `/operations/PLACE`."""
    problem = Problem(f"/operations/{place}", message, code=code, hint=hint)
    raise PatchError(f"the patch cannot be applied: {message}", (problem,))


class Step:
    """One checked operation: its verb, its tokens, and its value if the verb has one."""

    __slots__ = ("index", "source", "target", "value", "verb")

    def __init__(self, operation: Json, index: int) -> None:
        if not isinstance(operation, dict):
            refuse(str(index), "an operation is an object", 'write {"op": …, "path": …}')
        verb = operation.get("op")
        if not isinstance(verb, str) or verb not in VERBS:
            refuse(f"{index}/op", f"{verb!r} is no operation", f"use one of {', '.join(VERBS)}")
        self.index = index
        self.verb = verb
        self.target = _tokens(operation, "path", index)
        self.source: Tokens = _tokens(operation, "from", index) if verb in _WITH_FROM else ()
        if verb in _WITH_VALUE and "value" not in operation:
            refuse(f"{index}/value", f"`{verb}` needs a `value`", "null is a value: write it out")
        self.value: Json = operation.get("value")


def _tokens(operation: dict[str, Json], member: str, index: int) -> Tokens:
    text = operation.get(member)
    if not isinstance(text, str):
        refuse(f"{index}/{member}", f"`{member}` is missing or no string", "write a JSON Pointer such as /nodes/email")
    try:
        return parse_pointer(text)
    except ValueError as error:
        refuse(f"{index}/{member}", f"{text[:200]!r} is no JSON Pointer: {error}")


@overload
def apply(document: Document, operations: Sequence[Operation]) -> Document: ...
@overload
def apply(document: Json, operations: Sequence[Operation]) -> Json: ...
def apply(document: Json, operations: Sequence[Operation]) -> Json:
    """The document after all operations, in order; shares unchanged parts with `document`.

    Raises PatchError at the first operation that cannot be applied."""
    draft = Draft(document)
    for index, operation in enumerate(steps_of(operations)):
        perform(draft, Step(operation, index))
    return draft.root


def steps_of(operations: object) -> Sequence[Json]:
    """The operations if they are a list; else raises PatchError."""
    if not isinstance(operations, list | tuple):
        raise PatchError(
            "a patch is a list of operations", (Problem("/operations", "a patch is a list of operations"),)
        )
    return operations


def perform(draft: Draft, step: Step) -> Json | Absent:
    """Apply one operation to a draft. Returns the previous value at its path, ABSENT if there was none.

    Raises PatchError with the operation; the draft is then unusable."""
    try:
        if step.verb == "add":
            return draft.put(step.target, step.value)
        if step.verb == "replace":
            return draft.replace(step.target, step.value)
        if step.verb == "remove":
            return draft.take(step.target)
        if step.verb == "test":
            return _test(draft, step)
        return _carry(draft, step)
    except Unresolved as error:
        refuse(f"{step.index}/path", error.message, error.hint)


def _test(draft: Draft, step: Step) -> Json | Absent:
    found = draft.get(step.target)
    if not same(found, step.value):
        refuse(
            f"{step.index}/value",
            f"the test failed: found {_short(found)}, not {_short(step.value)}",
            "the document has changed: read it again",
            code="test_failed",
        )
    return ABSENT


def _carry(draft: Draft, step: Step) -> Json | Absent:
    inside = step.verb == "move" and len(step.source) < len(step.target)
    if inside and step.target[: len(step.source)] == step.source:
        refuse(f"{step.index}/path", "a value cannot be moved into itself")
    try:
        value = draft.get(step.source)
        if step.verb == "copy":
            draft.share()
        elif step.source == step.target:
            return ABSENT
        else:
            draft.take(step.source)
    except Unresolved as error:
        refuse(f"{step.index}/from", error.message, error.hint)
    return draft.put(step.target, value)


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
