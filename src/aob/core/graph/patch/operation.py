"""Reads RFC 6902 operations within their size limits, and applies them to a JSON value: all or nothing; the input
is not changed."""

import json
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Final, NoReturn, TypeAlias, overload

import msgspec

from aob.core.errors import Invalid, Malformed, Problem, TooLarge
from aob.core.graph.patch.draft import ABSENT, Absent, Draft, Unresolved
from aob.core.graph.patch.pointer import Document, Json, Tokens, parse_pointer, same

Operation: TypeAlias = dict[str, Json]  # one operation of a patch body

OPERATIONS_MAX: Final = 256
PATCH_BYTES_MAX: Final = 256 * 1024
BODY_BYTES_MAX: Final = PATCH_BYTES_MAX + 16 * 1024
"""Bytes of a patch body: its operations, white space, and the reason."""
DEPTH_MAX: Final = 64  # levels of nesting of a patch, its list of operations included

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_encode: Final = msgspec.json.Encoder().encode

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
    """The document after all operations, in order; shares unchanged parts with `document`. Raises PatchError at the
    first operation that cannot be applied."""
    draft = Draft(document)
    for index, operation in enumerate(steps_of(operations)):
        perform(draft, Step(operation, index))
    return draft.root


def steps_of(operations: object) -> Sequence[Json]:
    """The operations if they are a list; else raises PatchError."""
    if not isinstance(operations, list | tuple):
        why = "a patch is a list of operations"
        raise PatchError(why, (Problem("/operations", "a patch is a list of operations"),))
    return operations


def perform(draft: Draft, step: Step) -> Json | Absent:
    """Apply one operation to a draft. Returns the previous value at its path, ABSENT if there was none. Raises
    PatchError with the operation; the draft is then unusable."""
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
        message = f"the test failed: found {_short(found)}, not {_short(step.value)}"
        refuse(f"{step.index}/value", message, "the document has changed: read it again", code="test_failed")
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


def _check_bounds(operations: Sequence[Operation], size: int) -> None:
    if len(operations) > OPERATIONS_MAX:
        why = f"{len(operations)} operations in one patch, at most {OPERATIONS_MAX}"
        raise TooLarge(why, hint="split it into several patches")
    try:
        if depth_of(list(operations)) > DEPTH_MAX:
            raise TooLarge(f"a patch is nested at most {DEPTH_MAX} levels deep", hint="flatten the values")
        size = size or len(_encode(operations))
    except (TypeError, ValueError, UnicodeError) as error:
        refuse("", f"the patch is not JSON: {error}")
    if size > PATCH_BYTES_MAX:
        why = f"a patch of {size:,} bytes, at most {PATCH_BYTES_MAX:,}"
        raise TooLarge(why, hint="store the value as a blob and name its hash")


def depth_of(value: Json) -> int:
    """Levels of nesting, 0 for a scalar; stops at DEPTH_MAX + 1. Raises ValueError for non-JSON values."""
    level: list[Json] = [value]
    for depth in range(DEPTH_MAX + 1):
        inner: list[Json] = []
        containers = False
        for item in level:
            if isinstance(item, dict):
                containers = True
                if not all(isinstance(name, str) for name in item):
                    raise ValueError("names of members are strings")
                inner.extend(item.values())
            elif isinstance(item, list):
                containers = True
                inner.extend(item)
            elif isinstance(item, float) and not isfinite(item):
                raise ValueError("a number is finite")
            elif type(item) not in _SCALARS:
                raise ValueError(f"{type(item).__name__} is no JSON value")
        if not containers:
            return depth
        level = inner
    return DEPTH_MAX + 1


def read_operations(source: bytes | str | Json, *, size: int = 0) -> list[Operation]:
    """The operations of a patch, within the limits, from the JSON text of its body or a decoded value. The body is an
    object with `operations`, or the list of operations alone. Raises Malformed for invalid JSON and for duplicate
    members, which RFC 6902 (A.13) refuses; TooLarge over 256 operations, 256 KiB of JSON or 64 levels; PatchError
    for non-JSON values. `size` is that of their JSON without white space, if known."""
    value = _parsed(source) if isinstance(source, bytes | str) else source
    operations = steps_of(value.get("operations") if isinstance(value, dict) else value)
    checked: list[Operation] = []
    for index, item in enumerate(operations):
        if not isinstance(item, dict):
            refuse(str(index), "an operation is an object", 'write {"op": …, "path": …}')
        checked.append(item)
    _check_bounds(checked, size)
    return checked


def _parsed(text: bytes | str) -> Json:
    if len(text) > BODY_BYTES_MAX:
        raise TooLarge(f"a patch of {len(text):,} bytes, at most {PATCH_BYTES_MAX:,}")
    try:
        value: Json = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the patch is not JSON: {error}", hint='write {"operations": [{"op": …}]}') from error
    return value


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has two members {name[:80]!r}")
    return made
