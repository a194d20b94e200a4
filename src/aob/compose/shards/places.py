"""Positions of a home with several shards: one (row, index) for each. A shard itself only knows its own."""

from typing import Final

from aob.core.event import Position
from aob.runs.feed import GENERATION, expired

Row = tuple[int, int]
BEGIN: Final[Row] = (0, 0)


def split(token: str, shards: int) -> list[str]:
    """The position of each shard, which itself looks whether it is of its feed. Raises CallerError `bad_position`, or
    Conflict `position_expired` for another number of them."""
    position = Position.parse(token)
    if len(position.rows) != shards:
        raise expired()
    return [Position(position.generation, (row,)).token() for row in position.rows]


def row_of(token: str) -> Row:
    """The place that a shard's own position names."""
    return Position.parse(token).rows[0]


def joined(rows: list[Row], like: str = "") -> str:
    """The position of all shards, of the generation that a position of one of them has."""
    return Position(Position.parse(like).generation if like else GENERATION, tuple(rows)).token()


def widened(token: str, shard: int, shards: int) -> str:
    """A shard's own position as one of the home: the others stand at their begin, so that nothing can be missed."""
    rows = [BEGIN] * shards
    rows[shard] = row_of(token)
    return joined(rows, token)
