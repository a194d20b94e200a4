"""The touches of one subject, in order of time: a mark and a sign in, what the history gives then out."""

from bisect import bisect_left
from collections import Counter
from typing import Final

import msgspec

from aob.core.metric.subject.touch import Contribution, Head, Law, Mark

_WHOLE_MAX: Final = 2.0**40
MARK_BYTES: Final = 250
HISTORY_BYTES: Final = 350
"""What a mark and a history take in memory, roughly."""


class History(msgspec.Struct, array_like=True, gc=False):
    """What may still change lies at or after `floor_ms`; `head` stands for what went before."""

    floor_ms: int = -(1 << 62)
    head: Head | None = None
    marks: list[tuple[Mark, int]] = []

    def put(self, mark: Mark, sign: int) -> None:
        """Count a mark `sign` times more; what comes to zero is gone."""
        index = bisect_left(self.marks, (mark,))
        if index == len(self.marks) or self.marks[index][0] != mark:
            self.marks.insert(index, (mark, sign))
        elif count := self.marks[index][1] + sign:
            self.marks[index] = (mark, count)
        else:
            del self.marks[index]

    def settle(self, law: Law, floor_ms: int) -> bool:
        """Let go of what touches from `floor_ms` on cannot change. Whether anything went."""
        if floor_ms <= self.floor_ms:
            return False
        self.floor_ms = floor_ms
        if self.head is None and (not self.marks or self.marks[0][0][0] >= floor_ms):
            return False
        before = self.head, len(self.marks)
        self.head, self.marks = law.settle(self.head, self.marks, floor_ms)
        return before != (self.head, len(self.marks))

    def shorten(self, law: Law, most: int) -> int:
        """Keep at most `most` marks by raising the floor of this subject. How many went that might yet have told."""
        middle, first = self.marks[len(self.marks) // 2][0][0], self.marks[0][0][0]
        self.settle(law, middle if middle > first else first + 1)
        gone = max(len(self.marks) - most, 0)
        del self.marks[:gone]
        return gone

    @property
    def last_ms(self) -> int:
        """When it was last touched."""
        return self.marks[-1][0][0] if self.marks else self.head.last_ms if self.head else 0

    @property
    def empty(self) -> bool:
        """Whether nothing is known of the subject."""
        return self.head is None and not self.marks


def difference(before: list[Contribution], after: list[Contribution]) -> list[Contribution]:
    """What has to be added so that `before` becomes `after`. Whole numbers of one cell are added up; others are told
    one by one, so that nothing is rounded before it reaches the cell."""
    if before == after:
        return []
    moved = Counter(after)
    moved.subtract(before)
    sums: dict[tuple[int, tuple[str, ...]], tuple[float, ...]] = {}
    found: list[Contribution] = []
    for told, times in moved.items():
        if not times:
            continue
        if all(map(_is_whole, told.values)):
            held = sums.get(told[:2]) or (0.0,) * len(told.values)
            sums[told[:2]] = tuple(old + times * value for old, value in zip(held, told.values, strict=True))
        else:
            values = told.values if times > 0 else tuple(-value for value in told.values)
            found += [Contribution(told.at_ms, told.dims, values)] * abs(times)
    return found + [Contribution(*place, values) for place, values in sums.items() if any(values)]


def _is_whole(value: float) -> bool:
    return -_WHOLE_MAX < value < _WHOLE_MAX and value.is_integer()
