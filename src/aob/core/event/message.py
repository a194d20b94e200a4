"""Messages between streams, and how far those between two partitions are. Data only."""

from typing import Final

import msgspec

HOME: Final = -1
"""In place of a partition: that of the streams which belong to the home as a whole. They live in the first shard."""


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A message from one stream to another. It lies in the sender's outbox until the receiver is known to have taken
    it.

    `sender` and `receiver` are partitions or `HOME`; `number` is dense for each pair of them within a generation. With
    `refused` it says why a message of its target's, whose body it brings back, was not accepted. `values` are those
    that travel with it, by their hashes.
    """

    sender: int
    receiver: int
    generation: int
    number: int
    source: str
    target: str
    body: bytes
    refused: str = ""
    values: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among those of its pair."""
        return self.generation, self.number


class MessageMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far the messages of a pair of partitions are: numbered, delivered or taken. `under` is the generation of the
    receiver in which it was written."""

    sender: int
    receiver: int
    generation: int
    number: int
    under: int = 1

    @property
    def place(self) -> tuple[int, int]:
        """The place of the last message that it covers."""
        return self.generation, self.number
