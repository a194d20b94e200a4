"""Positions of feeds: opaque, URL-safe tokens that only the server compares, and the places they encode. A feed refuses
the tokens of another feed, and of another life of the home."""

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar, Final, Self

import msgspec

from aob.core.errors import CallerError, Conflict

LIFE: Final = 2_000
"""Distance between the generations of one feed in two lives of a home: an accepted loss or a restored copy begins a new
life, and older tokens are refused."""
WHOLE: Final = 1 << 62  # The index of a place after its whole row.
Place = tuple[int, int]  # A row of a feed, and the index in it up to which a reader has read.
_RUNS: Final = 1
_TOPICS: Final = 501
_EVENTS: Final = 1_001
_EXPIRED: Final = {
    _RUNS: ("this position is of another feed, or of another generation of this one",
           "begin again without a position, or at the start of the run"),
    _TOPICS: ("this position is none of a topic", "use a position that a read of a topic gave you; or none"),
    _EVENTS: ("this position is none of business events",
             "use a position of an ingest, of a metric, or of /v1/stream/events; or none"),
}  # fmt: skip


def text_of(data: bytes) -> str:
    """Base64url of RFC 4648 section 5, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: str) -> bytes:
    """Decode base64url without padding. Raises ValueError for any invalid character: none is skipped."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Generation of the feed, and per shard the journal row and the index in it up to which a reader has read."""

    generation: int
    rows: tuple[Place, ...]

    def token(self) -> str:
        """The token that APIs return."""
        return text_of(msgspec.msgpack.encode(self))

    @classmethod
    def parse(cls, token: str) -> Self:
        """Parse a token. Raises CallerError `bad_position` for anything that we did not issue."""
        try:
            return msgspec.msgpack.decode(bytes_of(token), type=cls)
        except (ValueError, msgspec.MsgspecError) as error:
            hint = "use a position that an answer of this server gave you, or leave it out to begin at the start"
            raise CallerError(f"{token[:40]!r} is not a position", code="bad_position", hint=hint) from error

    # -- of a home with several shards: a place for each; a shard itself only knows its own ---------------------------

    BEGIN: ClassVar[Place] = (0, 0)

    @staticmethod
    def split(token: str, shards: int) -> list[str]:
        """The position of each shard, which itself checks that it is of its feed; a shard added after the token starts
        from the beginning. Raises CallerError `bad_position`, or Conflict `position_expired` for more shards."""
        position = Position.parse(token)
        if len(position.rows) > shards:
            raise _expired()
        rows = (*position.rows, *[Position.BEGIN] * (shards - len(position.rows)))
        return [_token(position.generation, *row) for row in rows]

    @staticmethod
    def row_of(token: str) -> Place:
        """The place of a shard's own position."""
        return Position.parse(token).rows[0]

    @staticmethod
    def joined(rows: Sequence[Place], like: str = "") -> str:
        """The position of all shards, with the generation of `like`."""
        return Position(Position.parse(like).generation if like else _RUNS, tuple(rows)).token()

    @staticmethod
    def widened(token: str, shard: int, shards: int, passed: Mapping[int, Place] | None = None) -> str:
        """A shard's own position as one of the home: the other shards are where they were passed, or at their
        beginning, so that no event is missed."""
        rows = [Position.BEGIN] * shards
        for number, place in (passed or {}).items():
            rows[number] = place
        rows[shard] = Position.row_of(token)
        return Position.joined(rows, token)


class Positions:
    """The positions of one feed in one life of its home, encoded and parsed by one shard: of the journals of runs, of
    the topics that nodes of kind `emit` append to, of the log of business events."""

    RUNS: ClassVar[int] = _RUNS
    TOPICS: ClassVar[int] = _TOPICS
    EVENTS: ClassVar[int] = _EVENTS

    def __init__(self, feed: int, life: int = 1, partitions: int = 1) -> None:
        self.life, self.generation = life, feed + LIFE * (life - 1)
        self._feed, self._partitions = feed, partitions

    def token(self, row: int, index: int = WHOLE, partition: int = 0) -> str:
        """The position after an event of a row, or after the whole row; as `written` for other partitions."""
        if self._partitions == 1:
            return _token(self.generation, row, index)
        places = [(row, index) if each == partition else Position.BEGIN for each in range(self._partitions)]
        return Position(self.generation, tuple(places)).token()

    def written(self, rows: Mapping[int, int]) -> str:
        """The position after rows of the written partitions; other partitions are left out, and a reader that continues
        from it reads those from the beginning."""
        if self._partitions == 1:
            return _token(self.generation, rows.get(0, 0), WHOLE)
        places = [(rows[each], WHOLE) if each in rows else Position.BEGIN for each in range(self._partitions)]
        return Position(self.generation, tuple(places)).token()

    def vector(self, places: Sequence[Place]) -> str:
        """The position of a reader, with its place in each partition."""
        if len(places) == 1:
            return _token(self.generation, *places[0])
        return Position(self.generation, tuple(places)).token()

    def places(self, token: str) -> tuple[Place, ...]:
        """The place in each partition. Raises CallerError `bad_position`, Conflict `position_expired`."""
        position = Position.parse(token)
        if position.generation != self.generation or len(position.rows) != self._partitions:
            raise _expired(self._feed)
        if not all(0 <= row < WHOLE and 0 <= index <= WHOLE for row, index in position.rows):
            raise CallerError("this is no position of this feed", code="bad_position",
                              hint="use a position that an answer of this server gave you")  # fmt: skip
        return position.rows

    def rows(self, token: str) -> tuple[int, ...]:
        """The rows that a read waits for, one per partition; raises as `places`."""
        return tuple([row for row, _ in self.places(token)])

    def place(self, token: str) -> Place:
        """The place in the only partition; raises as `places`."""
        return self.places(token)[0]


@lru_cache(256)  # a commit is named in each of its answers and deltas
def _token(generation: int, row: int, index: int) -> str:
    return Position(generation, ((row, index),)).token()


def _expired(feed: int = _RUNS) -> Conflict:
    """The error for a position of another feed or another life of the home."""
    said, hint = _EXPIRED[feed]
    return Conflict(said, code="position_expired",
                    hint=f"a loss was accepted since, a copy put back, or it is of another feed: {hint}")  # fmt: skip
