"""Intents of one attempt, as its context counts them: which count a request gets, and which intents have no result yet.
The context of this process and that of a worker behind a stream ask with the same counts, so both find the same
records."""

from contextvars import ContextVar
from heapq import heappop, heappush
from typing import Final

from aob.core.value import digest_of
from aob.work.job import WorkError

Key = tuple[str, bytes]
"""The kind of an intent, and the digest of its content."""


class _Counts:
    """Counts taken by one attempt for one kind and digest; the lowest free count is given next."""

    def __init__(self) -> None:
        self._next, self._free = 1, list[int]()

    def take(self) -> int:
        if self._free:
            return heappop(self._free)
        self._next += 1
        return self._next - 1

    def give(self, count: int) -> None:
        heappush(self._free, count)


class _Asked:
    """An intent that a task requested, linked to the previous one of this task or of its parent task."""

    def __init__(self, of: "Intents", number: int, key: Key, count: int, before: "_Asked | None") -> None:
        self.of, self.number, self.key, self.count, self.before = of, number, key, count, before


def _open(asked: _Asked | None) -> _Asked | None:
    """The newest intent of this chain that has no result yet."""
    while asked is not None and not asked.of.has_open(asked):
        asked = asked.before
    return asked


_MINE: Final[ContextVar[_Asked | None]] = ContextVar("intents", default=None)
"""Intents that this task requested, so that `settle` finds its own among those of concurrent tasks."""


class Intents:
    """The intents of one attempt. The k-th request of a kind and content in this attempt matches the k-th of the visit,
    independent of order."""

    def __init__(self, visit: str) -> None:
        self._visit = visit
        self._counts: dict[Key, _Counts] = {}
        self._open: dict[int, _Asked] = {}

    def next(self, kind: str, data: bytes) -> tuple[Key, int]:
        """The key and count of the next request with this kind and canonical content."""
        key = (kind, digest_of(data))
        return key, self._counts.setdefault(key, _Counts()).take()

    def granted(self, number: int, key: Key, count: int) -> None:
        """The intent is committed, and has no result yet."""
        asked = self._open[number] = _Asked(self, number, key, count, _open(_MINE.get()))
        _MINE.set(asked)

    def settled(self, number: int, *, failed: bool) -> None:
        """The result is committed. After a failure the next request takes the place of this one."""
        known = self._open.pop(number, None)
        if known is not None and failed:
            self._counts[known.key].give(known.count)

    def has_open(self, asked: _Asked) -> bool:
        """Whether an intent has no result yet."""
        return self._open.get(asked.number) is asked

    def only_open(self) -> int:
        """The number of the only intent that this task has open, or that any task has open if it has none; 0 if there
        is none. Raises WorkError `intent_unnamed` when there are several."""
        mine, asked = list[int](), _open(_MINE.get())
        while asked is not None:
            if asked.of is self:
                mine.append(asked.number)
            asked.before = _open(asked.before)
            asked = asked.before
        found = mine or list(self._open)
        if len(found) > 1:
            why = f"{self._visit} has {len(found)} intents open: settle says which of them it speaks of"
            hint = "i = await ctx.intend(...), then await ctx.settle(result, intent=i)"
            raise WorkError(why, code="intent_unnamed", transient=False, detail={"hint": hint})
        return found[0] if found else 0
