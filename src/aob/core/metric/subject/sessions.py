"""Sessions: the history of one subject in, for each stretch without a longer gap how many events and how long out.

A session ends when nothing comes for more than `gap_ms`. It counts at its first event, under the dimensions of that.
"""

from aob.core.metric.subject.touch import Contribution, Head, Marks


class Sessions:
    """The law of sessions that are `gap_ms` apart."""

    def __init__(self, gap_ms: int) -> None:
        self.unmoved = 0
        self._gap_ms = gap_ms

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """A contribution for each session: 1, its events, and its length in ms."""
        return [
            Contribution(each.at_ms, each.dims, (1.0, float(each.count), float(each.last_ms - each.at_ms)))
            for each in self._sessions(head, marks)
        ]

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """Only a session that may go on at the floor stays of what lies before it."""
        sessions = self._sessions(head, [each for each in marks if each[0][0] < floor_ms])
        last = sessions[-1] if sessions and sessions[-1].last_ms + self._gap_ms >= floor_ms else None
        return last, [each for each in marks if each[0][0] >= floor_ms]

    def _sessions(self, head: Head | None, marks: Marks) -> list[Head]:
        found = [] if head is None else [head]
        for (at_ms, _, dims, _), count in marks:
            if count < 1:
                continue
            if found and at_ms - found[-1].last_ms <= self._gap_ms:
                last = found[-1]
                found[-1] = Head(last.at_ms, last.dims, last.count + count, at_ms)
            else:
                found.append(Head(at_ms, dims, count, at_ms))
        return found
