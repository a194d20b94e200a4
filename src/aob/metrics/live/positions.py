"""Positions in the feed of business events: a row of the event log and an index in it, as an opaque token.

It is a feed of its own: a position of runs is refused here, and one of events there.
"""

from functools import lru_cache
from typing import Final

from aob.core.errors import CallerError, Conflict
from aob.core.event import Position

GENERATION: Final = 1_001
"""The generation of the embedded event log in the first life of a home; those of runs are small numbers."""
WHOLE: Final = 1 << 62
"""The index of a place that has all of its row behind it."""


@lru_cache(256)  # a commit is told by each of its answers and deltas
def token(row: int, index: int = WHOLE, life: int = 1) -> str:
    """The position after an event of a row, or after the whole row."""
    return Position(Position.generation_in(GENERATION, life), ((row, index),)).token()


def place(position: str, life: int = 1) -> tuple[int, int]:
    """The row and index of a position. Raises CallerError `bad_position`, Conflict `position_expired`."""
    parsed = Position.parse(position)
    if parsed.generation != Position.generation_in(GENERATION, life) or len(parsed.rows) != 1:
        raise Conflict(
            "this position is none of business events", code="position_expired",
            hint="a loss was accepted since, a copy put back, or it is of another feed: use a position of an ingest, "
            "of a metric, or of /v1/stream/events; or none",
        )  # fmt: skip
    row, index = parsed.rows[0]
    if not (0 <= row < WHOLE and 0 <= index <= WHOLE):
        raise CallerError("this is no position of this feed", code="bad_position",
                          hint="use a position that an answer of this server gave you")  # fmt: skip
    return row, index
