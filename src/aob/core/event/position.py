"""A position is an opaque, URL-safe token of a place in a feed; only the server compares two of them."""

from typing import Final, Self

import msgspec

from aob.core.base64url import bytes_of, text_of
from aob.core.errors import CallerError

LIFE: Final = 2_000
"""Between the generations of one feed in two lives of a home."""


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Generation of the feed, then per shard the journal row and the index in it up to which a reader has read."""

    generation: int
    rows: tuple[tuple[int, int], ...]

    def token(self) -> str:
        """The token that APIs give out."""
        return text_of(msgspec.msgpack.encode(self))

    @staticmethod
    def generation_in(feed: int, life: int) -> int:
        """The generation of a feed in a life of its home: a loss that was accepted, or a copy that was put back, begins
        the next one, and tokens of before are refused then."""
        return feed + LIFE * (life - 1)

    @classmethod
    def parse(cls, token: str) -> Self:
        """Read a token back. Raises CallerError `bad_position` for anything that we did not give out."""
        try:
            return msgspec.msgpack.decode(bytes_of(token), type=cls)
        except (ValueError, msgspec.MsgspecError) as error:
            raise CallerError(
                f"{token[:40]!r} is not a position",
                code="bad_position",
                hint="use a position that an answer of this server gave you, or leave it out to begin at the start",
            ) from error
