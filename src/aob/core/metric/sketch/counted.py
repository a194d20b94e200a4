"""Values counted one by one: a value and a sign in, how often each is there out; never more values than a cap.

A count may be below zero for a while: a retraction can be folded before what it takes back.
"""

from typing import Final, Protocol, Self, TypeVar

from aob.core.event.value import canonical, decode
from aob.core.ingest.shape import INT_MAX, INT_MIN

EXACT_MAX: Final = 65_536
"""Values that a cell keeps one by one when its metric asks for `exact`."""
ENTRY_BYTES: Final = 140
"""What one counted value takes in memory, roughly."""
_MARK: Final = "\0"

K = TypeVar("K", str, float)


class Sketch(Protocol):
    """What each of them can do.

    `exact` says whether `value` is true to the last value; if not, `error` is relative (two standard deviations, or the
    bound that the sketch promises). `merge` takes another in and leaves that one as it is; in which order and how they
    are grouped makes no difference. `load(dump())` is the same sketch. `size` is bytes of memory, roughly.
    """

    @property
    def exact(self) -> bool: ...
    @property
    def error(self) -> float: ...
    @property
    def empty(self) -> bool: ...
    def merge(self, other: Self, /) -> None: ...
    def dump(self) -> bytes: ...
    @classmethod
    def load(cls, data: bytes, /) -> Self: ...
    def size(self) -> int: ...


def shift(counts: dict[K, int], key: K, sign: int) -> None:
    """Count a value `sign` times more; what comes to zero is forgotten."""
    now = counts.get(key, 0) + sign
    if now:
        counts[key] = now
    else:
        counts.pop(key, None)


def token(value: object) -> str:
    """A JSON value as text: equal values have equal texts (1 and 1.0 are equal, true and 1 are not)."""
    if type(value) is str:
        return value if not value.startswith(_MARK) else _MARK + canonical(value).decode()
    if type(value) is float and value.is_integer():
        value = int(value)
    return _MARK + canonical(value).decode()


def untoken(text: str) -> object:
    """The value of a text that `token` gave."""
    if not text.startswith(_MARK):
        return text
    found: object = decode(text[1:])
    if type(found) is int and not INT_MIN <= found <= INT_MAX:
        return float(found)  # integers have 64 bits: it was a double
    return found
