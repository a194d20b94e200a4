"""The progress of messages between each two partitions: numbered, in flight, received. Data only; never waits. A pair
is numbered densely within a generation, which ends only by an accepted loss or a restore. Its receiver accepts exactly
the message after its mark and answers others with the mark."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, Literal

import msgspec

from aob.core.errors import AobError
from aob.core.event import Message, MessageMark
from aob.ports.store import Batch

PAIR_MAX: Final = 10_000  # undelivered messages of a pair, at which commands wait whose decision would add one
WINDOW: Final = 256  # messages of a pair in flight at once

Key = tuple[int, int]
Place = tuple[int, int]
Standing = Literal["next", "known", "gap"]


class Outgoing(msgspec.Struct, gc=False):
    """A message that a law sends: its target stream, its body (read by its law) and values by hash."""

    target: str
    body: bytes
    values: Mapping[bytes, bytes] = {}


class Delivery(msgspec.Struct, array_like=True, gc=False):
    """Messages of a pair in flight, in order. `first` is the place of the oldest not known to be received."""

    sender: int
    receiver: int
    first: Place
    messages: list[Message]


class Arrival(msgspec.Struct, eq=False):
    """A message as a command to its target. `refusal` is why it can never be decided."""

    message: Message
    first: Place
    refusal: AobError | None = None


class Mail:
    """The messages part of one commit."""

    __slots__ = ("numbered", "outbox", "reached", "received", "together")

    def __init__(self) -> None:
        self.outbox: list[Message] = []
        self.numbered: dict[Key, MessageMark] = {}
        self.received: dict[Key, MessageMark] = {}
        self.reached: dict[str, None] = {}  # streams that received a message
        self.together = 0  # messages decided in the commit that sent them


class Pair:
    """One pair on the sender's side."""

    __slots__ = ("count", "key", "last", "moving", "waiting")

    def __init__(self, key: Key, last: Place) -> None:
        self.key, self.last = key, last
        self.waiting: deque[Message] = deque()  # durable, not known to be received
        self.count = 0  # those and the ones not durable yet
        self.moving = False  # A task is delivering them

    @property
    def room(self) -> int:
        """How many more it may hold."""
        return PAIR_MAX - self.count

    def delivery(self) -> Delivery:
        """The next messages to deliver."""
        return Delivery(*self.key, self.waiting[0].place, list(islice(self.waiting, WINDOW)))

    def taken(self, place: Place) -> int:
        """Removes messages received up to a place. Returns how many were newly received."""
        before = self.count
        while self.waiting and self.waiting[0].place <= place:
            self.waiting.popleft()
            self.count -= 1
        return before - self.count


class Pairs:
    """Every pair of a shard, in memory: those it sends in and those it receives in."""

    def __init__(
        self, outbox: Iterable[Message] = (), sent: Iterable[MessageMark] = (), received: Iterable[MessageMark] = ()
    ) -> None:
        self.pairs: dict[Key, Pair] = {}
        self.received = {(mark.sender, mark.receiver): mark for mark in received}
        self._delivered: dict[Key, MessageMark] = {}
        self.arrive(outbox, sent, ())

    def arrive(
        self, outbox: Iterable[Message], sent: Iterable[MessageMark], received: Iterable[MessageMark]
    ) -> list[Pair]:
        """Adds what a partition brought with it. Returns the pairs that it sends in."""
        for mark in sent:
            self.pairs[(mark.sender, mark.receiver)] = Pair((mark.sender, mark.receiver), mark.place)
        for message in outbox:
            pair = self.pair((message.sender, message.receiver))
            pair.waiting.append(message)
            pair.count += 1
        self.received |= {(mark.sender, mark.receiver): mark for mark in received}
        return [self.pairs[(mark.sender, mark.receiver)] for mark in sent]

    def leave(self, partition: int) -> None:
        """Drops the pairs that a partition sends in: another shard has them."""
        for key in [key for key in self.pairs if key[0] == partition]:
            del self.pairs[key]
            self._delivered.pop(key, None)

    def pair(self, key: Key) -> Pair:
        """A pair on the sender's side."""
        found = self.pairs.get(key)
        if found is None:
            found = self.pairs[key] = Pair(key, (0, 0))
        return found

    def full(self, key: Key) -> bool:
        """Whether a pair is full."""
        return key in self.pairs and self.pairs[key].room <= 0

    def hold(self, message: Message) -> bool:
        """Counts one more message that is not received; returns whether the pair is over its limit."""
        pair = self.pair((message.sender, message.receiver))
        pair.count += 1
        return pair.room < 0

    def number(self, mail: Mail, key: Key, generation: int) -> Place:
        """The next number of a pair, written by this commit."""
        pair = self.pair(key)
        pair.last = (generation, pair.last[1] + 1 if pair.last[0] == generation else 1)
        mail.numbered[key] = MessageMark(*key, *pair.last)
        return pair.last

    def mark(self, key: Key) -> MessageMark:
        """The last received message of a pair."""
        return self.received.get(key) or MessageMark(*key, 0, 0)

    def delivered(self, mark: MessageMark) -> int:
        """All messages up to a mark are received, so the next commit drops them. Returns how many were newly
        received."""
        pair = self.pairs.get((mark.sender, mark.receiver))
        count = pair.taken(mark.place) if pair is not None else 0
        if count and pair is not None:
            self._delivered[pair.key] = mark
        return count

    def fill(self, batch: Batch, mail: Mail | None) -> None:
        """Adds messages to a batch: those of its own commit, and the marks of earlier ones. What is there came with a
        partition, and stays."""
        if self._delivered:
            batch.delivered, self._delivered = [*batch.delivered, *self._delivered.values()], {}
        if mail is not None:
            batch.outbox = [*batch.outbox, *mail.outbox]
            batch.sent = [*batch.sent, *mail.numbered.values()]
            batch.received = [*batch.received, *mail.received.values()]


def standing(mark: MessageMark, message: Message, first: Place, generation: int) -> Standing:
    """Whether a message is the next to receive. `generation` is the receiver's own. The sender's oldest message is also
    next if it begins a generation of the sender, or if the mark is of an earlier generation: the messages in between
    were received and then lost, and the loss was accepted."""
    if message.place <= mark.place:
        return "known"
    if message.generation == mark.generation and message.number == mark.number + 1:
        return "next"
    begins = message.place == first and (message.number == 1 or mark.under < generation)
    return "next" if begins else "gap"
