"""The sequence numbers each producer has sent, exact for ever, as spans: numbers arrive nearly in order. A skipped
number is still new when it arrives later."""

from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import Final

import msgspec

PRODUCERS_MAX: Final = 100_000  # producers that are kept; above, the oldest one is known by its ids only
SPANS_MAX: Final = 1_000  # spans of one producer; above, its oldest gap is closed: ids decide there


class Producers:
    """The sequence numbers of all producers of a tenant."""

    def __init__(self) -> None:
        self._spans: dict[str, list[list[int]]] = {}
        self._closed: dict[str, int] = {}
        self.changed = False

    def claim(self, producer: str, sequence: int) -> bool:
        """Claim a number; whether it was new."""
        spans = self._spans.get(producer)
        self.changed = True
        if spans is None:
            if len(self._spans) >= PRODUCERS_MAX:
                first = next(iter(self._spans))
                del self._spans[first]
                self._closed.pop(first, None)
            self._spans[producer] = [[sequence, sequence]]
            return True
        last = spans[-1]
        if sequence == last[1] + 1:
            last[1] = sequence
            return True
        if sequence > last[1]:
            spans.append([sequence, sequence])
            if len(spans) > SPANS_MAX:
                spans[0][1] = spans[1][1]
                self._closed[producer] = spans[1][0]
                del spans[1]
            return True
        return self._late(producer, spans, sequence)

    def _late(self, producer: str, spans: list[list[int]], sequence: int) -> bool:
        at = _place(spans, sequence)
        if at >= 0 and spans[at][1] >= sequence:
            return sequence < self._closed.get(producer, -1) and not at  # in a closed gap: ids decide
        spans.insert(at + 1, [sequence, sequence])
        _join(spans, at + 1)
        return True

    def forget(self, producer: str, sequence: int) -> None:
        """Release a claimed number that was not written."""
        spans = self._spans.get(producer, [])
        at = _place(spans, sequence)
        if at < 0 or spans[at][1] < sequence:
            return
        low, high = spans[at]
        spans[at : at + 1] = [span for span in ([low, sequence - 1], [sequence + 1, high]) if span[0] <= span[1]]
        if not spans:
            del self._spans[producer]
        self.changed = True

    def dump(self) -> bytes:
        self.changed = False
        return msgspec.msgpack.encode((self._spans, self._closed))

    def load(self, data: bytes) -> None:
        """Restore from a dump. Raises MsgspecError for anything else."""
        self._spans, self._closed = msgspec.msgpack.decode(data, type=tuple[dict[str, list[list[int]]], dict[str, int]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)


def _place(spans: list[list[int]], sequence: int) -> int:
    """The last span that begins at or before a number; -1 for none."""
    return bisect_right(spans, sequence, key=itemgetter(0)) - 1


def _join(spans: list[list[int]], at: int) -> None:
    """Merge a new span with adjacent ones."""
    if at + 1 < len(spans) and spans[at][1] + 1 == spans[at + 1][0]:
        spans[at][1] = spans[at + 1][1]
        del spans[at + 1]
    if at and spans[at - 1][1] + 1 == spans[at][0]:
        spans[at - 1][1] = spans[at][1]
        del spans[at]
