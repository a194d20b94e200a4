"""Converts decoded event times to ms since 1970, truncated. The decoder rounds to microseconds, which may carry into
the next ms; lines with such times are found by their text."""

import re
from typing import Final

from aob.core.expression.library import Value
from aob.core.instant import cut_ms, cut_seconds

_NO_COLON: Final = re.compile(rb'[+-]\d{4}"')
_CARRIES: Final = re.compile(rb"\.\d{3}999[5-9]")


def at_ms_of(time: Value) -> int:
    """The ms of a time: seconds since 1970, or a datetime with a zone."""
    return cut_seconds(time) if time.__class__ is float else cut_ms(time)


def rounded_ms(time: Value) -> int:
    """The ms of a time as in the first release: rounded to the nearest."""
    seconds = time if time.__class__ is float else time.timestamp()
    return int(seconds * 1000.0 + 0.5)


def carrying(lines: bytes) -> list[int]:
    """The indexes of lines that may contain a time that the decoder rounds up to another ms."""
    if _CARRIES.search(lines) is None:
        return []
    return [place for place, line in enumerate(lines.split(b"\n")) if _CARRIES.search(line)]


def loosely(lines: bytes, places: list[int]) -> list[int]:
    """Those indexes whose line may contain a UTC offset that RFC 3339 does not allow: `+0200`."""
    parts = lines.split(b"\n") if places else []
    return [place for place in places if _NO_COLON.search(parts[place])]
