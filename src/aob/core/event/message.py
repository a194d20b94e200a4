"""Messages between streams, and the delivery progress of each pair of partitions. Data only."""

from typing import Final

import msgspec

HOME: Final = -1  # The partition of the streams that belong to the home as a whole. They are in the first shard.


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A message from one stream to another. It stays in the sender's outbox until the receiver is known to have taken
    it. `sender` and `receiver` are partitions or `HOME`; `number` is dense for each pair of them within a generation.
    `refused`: the message returns the body of an earlier one with the reason why it was not accepted. `values` are sent
    along, by their hashes."""

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
        """Its position among the messages of its pair."""
        return self.generation, self.number


class MessageMark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The progress of a pair of partitions: numbered, delivered or taken, in generation `under` of the receiver."""

    sender: int
    receiver: int
    generation: int
    number: int
    under: int = 1

    @property
    def place(self) -> tuple[int, int]:
        """The position of the last message it covers."""
        return self.generation, self.number
