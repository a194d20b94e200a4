"""Errors that only HTTP has, and errors of msgspec and the decoders, as AobErrors."""

import math
import re
from collections.abc import Iterable
from typing import Final, get_type_hints

import msgspec

from aob.core.errors import Busy, CallerError, Invalid, Malformed, Problem
from aob.core.hint import nearest

SEE_DOCS: Final = "GET /docs says what each route takes"
_AT: Final = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")


class MethodUnknown(CallerError):
    """The path exists, with other methods."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, method: str, path: str, allowed: Iterable[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"{path} does not take {method}", hint=f"it takes {', '.join(self.allowed)}")


class SlowCaller(CallerError):
    """The body did not arrive in time."""

    code = "slow_request"
    status = 408


class ReadsSpent(Busy):
    """A key or its tenant has used up its reads. `headers` say how many and when more are available."""

    code = "rate_limited"

    def __init__(
        self, per_minute: int, reset_s: float, headers: tuple[tuple[bytes, bytes], ...], whose: str = "key"
    ) -> None:
        self.headers = headers
        super().__init__(
            f"this {whose} has spent its {per_minute} units of reads of a minute",
            retry_after_s=reset_s,
            hint=f"come again in {math.ceil(reset_s)} s, read single numbers (100 of them are one list), or follow "
            "GET /v1/stream/events, which is not counted",
        )


class MediaUnknown(CallerError):
    """The body is of a type that this route does not read."""

    code = "unsupported_media_type"
    status = 415


def decode_error(error: Exception, what: str, shape: object = None) -> CallerError:
    """Converts a decoder's error: 400 for bytes that are not JSON, 422 with the place for JSON
    of another shape. `what` names the input in the message; `shape` is the expected type."""
    if isinstance(error, msgspec.ValidationError):
        return Invalid(f"{what} is not what this route takes", [problem_in(str(error), shape)], hint=SEE_DOCS)
    if isinstance(error, RecursionError):
        return Malformed(f"{what} is nested too deeply", code="too_deep", hint="at most about 900 levels are read")
    if isinstance(error, UnicodeError):
        return Malformed(f"{what} is not UTF-8: {error}", hint="send UTF-8")
    return Malformed(f"{what} is not JSON: {error}", hint="send one JSON value; numbers may not be NaN or infinite")


def problem_in(message: str, shape: object = None) -> Problem:
    """A Problem of a msgspec message such as ``Expected `int`, got `str` - at `$.limit` ``: path as JSON pointer."""
    found = _AT.search(message)
    path = re.sub(r"\.|\[", "/", found.group(1).replace("]", "")) if found else ""
    text = message[: found.start()] if found else message
    unknown = _UNKNOWN.search(text)
    hint = ""
    if unknown and isinstance(shape, type) and not path:
        names = [field.encode_name for field in msgspec.structs.fields(shape)] if _is_struct(shape) else _keys(shape)
        near = nearest(unknown.group(1), names)
        hint = f"did you mean {near}?" if near else f"known: {', '.join(names) or 'none'}"
    return Problem(path, text.replace("`", ""), hint=hint)


def _is_struct(shape: type) -> bool:
    return issubclass(shape, msgspec.Struct)


def _keys(shape: type) -> list[str]:
    return list(get_type_hints(shape))
