"""One act of a subject, what a history of such acts adds to a metric, and the shape of that history. Data only."""

from typing import Final, NamedTuple, Protocol

import msgspec

Mark = tuple[int, int, tuple[str, ...], bytes]
"""What of a touch stays in a history: its time in ms, step, dimensions and, for joins, data as canonical JSON; for
funnels the further steps that the same event may stand for, a byte each."""
BOTH: Final = 255
"""The step of an event that is on both sides of a join."""


class Touch(NamedTuple):
    """An act of the subject `key` at `at_ms` (event time): which step of a funnel or side of a join, its dimensions.

    A `sign` below zero takes back a touch with the same time, step, dimensions and data. `seen_ms` is the time of the
    event that tells of it, which the gate has checked: it moves the horizon. `data` is the event's data; only joins
    that have a `value` look at it. `also` are further steps of a funnel that the event may stand for: it counts for one
    of them only.
    """

    key: str
    at_ms: int
    seen_ms: int
    step: int = 0
    dims: tuple[str, ...] = ()
    sign: int = 1
    data: object = None
    also: tuple[int, ...] = ()


class Contribution(NamedTuple):
    """To be added to the cell of `dims` at `at_ms`: sums, as wide as `width_of` says, and negative when taken back."""

    at_ms: int
    dims: tuple[str, ...]
    values: tuple[float, ...]


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An attempt or session that began before the horizon and may go on: when, where, how far (steps or events), and
    when it was last touched."""

    at_ms: int
    dims: tuple[str, ...]
    count: int
    last_ms: int


Marks = list[tuple[Mark, int]]
"""Marks in order of time, each with how often it is there."""


class Law(Protocol):
    """What a history means. Both are pure; marks with a count below 1 are not there (yet). `unmoved` counts the values
    that were no finite number."""

    unmoved: int

    def tell(self, head: Head | None, marks: Marks) -> list[Contribution]:
        """What a history adds to the metric."""
        ...

    def settle(self, head: Head | None, marks: Marks, floor_ms: int) -> tuple[Head | None, Marks]:
        """The least history that tells the same of all that touches at or after `floor_ms` can still change."""
        ...
