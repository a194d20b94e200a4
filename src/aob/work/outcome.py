"""Converts a handler's return value to a result: canonical JSON within a limit, or a fault naming the place."""

import functools
import math
import signal
import traceback
from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import AobError, Busy, OurError, said, shown
from aob.core.items import Items
from aob.core.value import canonical
from aob.ports.workers import Done, Fault, Result
from aob.work.job import OUR_ENDS, STOPPED, WorkError, permanent

OUTPUT_MAX: Final = 16 * 1024 * 1024  # bytes of canonical JSON of one output; larger values belong in an object store

DEPTH_MAX: Final = 200
TRACE_LINES: Final = 12
TRACE_CHARS: Final = 4_000


def finished(value: object, *, usage: JsonObject | None = None, patch: str = "") -> Done:
    """The result of an attempt that returned `value`. Raises WorkError `output_not_json` (with the JSON pointer of the
    culprit) or `output_too_large`; both permanent."""
    if value is None:
        return Done(b"null", False, usage, patch)
    try:
        data = _encode(value)
    except Exception as error:  # an object of the handler's own may raise anything when it is read
        path, what = next(culprits(value), ("", said(error)))
        raise _not_json(path, what) from error
    if b"null" in data:
        # The encoder writes NaN and infinity as null: an output must not change its value in the record.
        for path, what in culprits(_plain(value)):
            raise _not_json(path, what)
    if len(data) > OUTPUT_MAX:
        why = f"the output has {len(data)} bytes, at most {OUTPUT_MAX} are kept"
        hint = "put it into an object store and return its key"
        raise permanent(why, code="output_too_large", bytes=len(data), limit=OUTPUT_MAX, hint=hint)
    return Done(data, False, usage, patch)


def result_of(raw: object) -> Result:
    """Convert a handler's return value to a result."""
    if type(raw) is Done:
        return raw
    try:
        return finished(raw)
    except BaseException as error:  # an object of the handler's own may raise anything when it is read
        if by_a_person(error):
            raise
        return fault_of(error)


def culprits(value: object) -> Iterator[tuple[str, str]]:
    """Places of a value that JSON cannot hold: JSON pointer and reason. Walks without recursion, so depth is safe."""
    stack: list[tuple[str, object, int]] = [("", value, 0)]
    while stack:
        path, here, depth = stack.pop()
        if depth > DEPTH_MAX:
            yield path[:200], f"nested deeper than {DEPTH_MAX}, or holds itself"
            return
        if isinstance(here, dict):
            for key, child in here.items():
                if not isinstance(key, str):
                    yield path, f"has the key {shown(key, 40)}, which is not a string"
                else:
                    stack.append((f"{path}/{key.replace('~', '~0').replace('/', '~1')}", child, depth + 1))
        elif isinstance(here, list | tuple):
            stack.extend((f"{path}/{n}", child, depth + 1) for n, child in enumerate(here))
        elif isinstance(here, float) and not math.isfinite(here):
            yield path, f"is {here}, which JSON cannot hold"
        elif not isinstance(here, str | int | float | None):
            yield from _leaf(path, here)
        elif isinstance(here, str) and not _is_text(here):
            yield path, "holds half a surrogate pair, which UTF-8 cannot hold"


def by_a_person(error: BaseException) -> bool:
    """Whether this is Ctrl-C, in a program without another SIGINT handler: then the program must end."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    heard = signal.getsignal(signal.SIGINT)
    return heard is signal.default_int_handler or isinstance(heard, functools.partial)  # that of asyncio.run


def fault_of(error: BaseException) -> Fault:
    """The fault of an exception: a WorkError gives its own, an AobError its code; any other is transient and shows its
    last lines. Never raises, for any exception."""
    try:
        return _fault_of(error)
    except BaseException as own:
        if by_a_person(own):
            raise
        name = type(error).__name__
        return Fault("exception", f"{name}, of which nothing can be told: {type(own).__name__}", True, {"type": name})


def _fault_of(error: BaseException) -> Fault:
    fault = getattr(error, "fault", None) if isinstance(error, WorkError) else None
    if isinstance(fault, Fault):
        return Fault(_text(fault.code), _text(fault.message), bool(fault.transient), _json(fault.detail))
    if isinstance(error, AobError):
        if error.code in OUR_ENDS and isinstance(error, OurError):
            return Fault(STOPPED, _text(error.detail), True, {"code": error.code})
        return Fault(error.code, _text(error.detail), isinstance(error, OurError | Busy), {"hint": error.hint})
    name = type(error).__name__
    message = said(error)
    lines = _text("".join(traceback.format_exception(error))).splitlines()[-TRACE_LINES:]
    return Fault(
        "exception",
        f"{name}: {message}" if message else name,
        True,
        {"type": name, "message": message, "traceback": "\n".join(lines)[-TRACE_CHARS:]},
    )


def _json(detail: object) -> object:
    """A detail in a form that a record can hold."""
    try:
        canonical(detail)  # as the journal encodes it: a model is no record
    except Exception:
        return shown(detail)
    return detail


def _text(text: object) -> str:
    """A text in a form that UTF-8 can hold."""
    return str.encode(text if isinstance(text, str) else shown(text), "utf-8", "backslashreplace").decode()


def _model(value: object) -> object:
    """The JSON of a pydantic model or of the items of a map; imports no library for this."""
    if type(value) is Items:
        return list(value)
    dump = getattr(type(value), "model_dump", None)  # of the class: an instance may do anything when asked
    if not callable(dump):
        raise TypeError(f"a {type(value).__name__} is no JSON")
    return dump(value, mode="json")


_encode: Final = msgspec.json.Encoder(order="deterministic", enc_hook=_model).encode


def _plain(value: object) -> object:
    """A value with dataclasses and the like expanded, so that its numbers can be checked."""
    try:
        return msgspec.to_builtins(value, enc_hook=_model)
    except Exception:
        return value


def _leaf(path: str, leaf: object) -> Iterator[tuple[str, str]]:
    try:
        _encode(leaf)
    except Exception:
        yield path, f"is a {type(leaf).__name__}, which JSON cannot hold"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_json(path: str, what: str) -> WorkError:
    where = path or "/"
    return permanent(f"the output at {where} {what}", code="output_not_json", path=where, reason=what)
