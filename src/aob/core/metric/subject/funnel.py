"""Attempts at a funnel: the history of one subject in, for each attempt how many steps it reached out.

An attempt begins with the first touch of step 0 after the one before has ended, and ends `within_ms` later. It reaches
a step by the first touch of it at or after the step before. An event that may stand for several steps stands for one.
All steps count at its beginning, under its dimensions.
"""

from itertools import groupby

from aob.core.metric.subject.touch import Contribution, Head, Marks


class Funnel:
    """The law of funnels of `steps` steps."""

    def __init__(self, steps: int, within_ms: int) -> None:
        self.unmoved = 0
        self._steps = steps
        self._within_ms = within_ms

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """A contribution for each attempt: 1 for each step that it reached."""
        return [
            Contribution(each.at_ms, each.dims, tuple(float(step < each.count) for step in range(self._steps)))
            for each in self._attempts(head, marks)
        ]

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """Only an attempt that still runs at the floor stays of what lies before it."""
        attempts = self._attempts(head, [each for each in marks if each[0][0] < floor_ms])
        last = attempts[-1] if attempts and attempts[-1].at_ms + self._within_ms >= floor_ms else None
        return last, [each for each in marks if each[0][0] >= floor_ms]

    def _attempts(self, head: Head | None, marks: Marks) -> list[Head]:
        found = [] if head is None else [head]
        if any(mark[3] for mark, _ in marks):
            return self._one_by_one(found, marks)
        for (at_ms, step, dims, _), count in marks:
            if count < 1:
                continue
            if found and at_ms <= found[-1].at_ms + self._within_ms:
                if step == found[-1].count:
                    found[-1] = Head(found[-1].at_ms, found[-1].dims, step + 1, at_ms)
            elif step == 0:
                found.append(Head(at_ms, dims, 1, at_ms))
        return found

    def _one_by_one(self, found: list[Head], marks: Marks) -> list[Head]:
        """Where events may stand for several steps: of those of one instant, each takes the next step that is wanted,
        one that can stand for few others first, whatever the order in which they came."""
        for at_ms, together in groupby(marks, key=lambda each: each[0][0]):
            left = {mark: count for mark, count in together if count > 0}
            while left:
                running = bool(found) and at_ms <= found[-1].at_ms + self._within_ms
                wanted = found[-1].count if running else 0
                ready = [mark for mark in left if mark[1] == wanted or wanted in mark[3]]
                if not ready or wanted >= self._steps:
                    break
                mark = min(ready, key=lambda each: (sum(step > wanted for step in (each[1], *each[3])), each))
                left[mark] -= 1
                if not left[mark]:
                    del left[mark]
                if running:
                    found[-1] = Head(found[-1].at_ms, found[-1].dims, wanted + 1, at_ms)
                else:
                    found.append(Head(at_ms, mark[2], 1, at_ms))
        return found
