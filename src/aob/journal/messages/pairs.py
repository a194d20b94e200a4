"""How far the messages between each two partitions are: numbers given, not yet taken, taken. Data; nothing here waits.

A pair is numbered densely within a generation, which only an accepted loss or a restore ends. Its receiver takes
exactly the one after its mark; what it does not take it answers with the mark.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, Literal

import msgspec

from aob.core.errors import AobError
from aob.core.event import Message, MessageMark
from aob.ports.store import Batch

PAIR_MAX: Final = 10_000
"""Messages of a pair that may be undelivered: then commands wait whose decision would add one."""
WINDOW: Final = 256
"""Messages of a pair that are on their way at once."""

Key = tuple[int, int]
Place = tuple[int, int]
Standing = Literal["next", "known", "gap"]


class Outgoing(msgspec.Struct, gc=False):
    """What a law sends: to which stream, and with which values, by their hashes. Its law reads the body."""

    target: str
    body: bytes
    values: Mapping[bytes, bytes] = {}


class Delivery(msgspec.Struct, array_like=True, gc=False):
    """Some messages of a pair on their way, in order. `first` is the place of the oldest that is not known to be
    taken."""

    sender: int
    receiver: int
    first: Place
    messages: list[Message]


class Arrival(msgspec.Struct, eq=False):
    """A message as a command to its target. `refusal` is why it can never be decided on."""

    message: Message
    first: Place
    refusal: AobError | None = None


class Mail:
    """What one commit writes of messages."""

    __slots__ = ("numbered", "outbox", "reached", "received", "together")

    def __init__(self) -> None:
        self.outbox: list[Message] = []
        self.numbered: dict[Key, MessageMark] = {}
        self.received: dict[Key, MessageMark] = {}
        self.reached: dict[str, None] = {}
        """Streams that took one."""
        self.together = 0
        """Those that were decided where they were sent."""


class Pair:
    """One pair as its sender has it."""

    __slots__ = ("count", "key", "last", "moving", "waiting")

    def __init__(self, key: Key, last: Place) -> None:
        self.key, self.last = key, last
        self.waiting: deque[Message] = deque()
        """Durable, and not known to be taken."""
        self.count = 0
        """Those and the ones that are not durable yet."""
        self.moving = False
        """Somebody delivers them."""

    @property
    def room(self) -> int:
        """How many more it may hold."""
        return PAIR_MAX - self.count

    def delivery(self) -> Delivery:
        """The next ones to deliver."""
        return Delivery(*self.key, self.waiting[0].place, list(islice(self.waiting, WINDOW)))

    def taken(self, place: Place) -> int:
        """Those up to a place are taken; how many were not known to be."""
        before = self.count
        while self.waiting and self.waiting[0].place <= place:
            self.waiting.popleft()
            self.count -= 1
        return before - self.count


class Pairs:
    """Every pair of a shard, in memory: the ones it sends in and the ones it receives in."""

    def __init__(
        self,
        outbox: Iterable[Message] = (),
        sent: Iterable[MessageMark] = (),
        received: Iterable[MessageMark] = (),
    ) -> None:
        self.pairs: dict[Key, Pair] = {}
        self.received = {(mark.sender, mark.receiver): mark for mark in received}
        self._delivered: dict[Key, MessageMark] = {}
        for mark in sent:
            self.pairs[(mark.sender, mark.receiver)] = Pair((mark.sender, mark.receiver), mark.place)
        for message in outbox:
            pair = self.pair((message.sender, message.receiver))
            pair.waiting.append(message)
            pair.count += 1

    def pair(self, key: Key) -> Pair:
        """A pair as its sender has it."""
        found = self.pairs.get(key)
        if found is None:
            found = self.pairs[key] = Pair(key, (0, 0))
        return found

    def full(self, key: Key) -> bool:
        """Whether a pair holds as many as it may."""
        return key in self.pairs and self.pairs[key].room <= 0

    def hold(self, message: Message) -> bool:
        """One more that is not taken; whether that is beyond what the pair may hold."""
        pair = self.pair((message.sender, message.receiver))
        pair.count += 1
        return pair.room < 0

    def number(self, mail: Mail, key: Key, generation: int) -> Place:
        """The next number of a pair, which this commit writes."""
        pair = self.pair(key)
        pair.last = (generation, pair.last[1] + 1 if pair.last[0] == generation else 1)
        mail.numbered[key] = MessageMark(*key, *pair.last)
        return pair.last

    def mark(self, key: Key) -> MessageMark:
        """The last message of a pair that was taken."""
        return self.received.get(key) or MessageMark(*key, 0, 0)

    def delivered(self, mark: MessageMark) -> int:
        """All up to a mark are taken, so the next commit drops them; how many were not known to be."""
        pair = self.pairs.get((mark.sender, mark.receiver))
        count = pair.taken(mark.place) if pair is not None else 0
        if count and pair is not None:
            self._delivered[pair.key] = mark
        return count

    def fill(self, batch: Batch, mail: Mail | None) -> None:
        """What a batch writes of messages: those of its own commit, and the ends of earlier ones."""
        if self._delivered:
            batch.delivered, self._delivered = list(self._delivered.values()), {}
        if mail is not None:
            batch.outbox, batch.sent = mail.outbox, list(mail.numbered.values())
            batch.received = list(mail.received.values())


def standing(mark: MessageMark, message: Message, first: Place, generation: int) -> Standing:
    """Whether a message is the one to take. `generation` is the receiver's own.

    The oldest that the sender still has is taken too when it begins a generation of the sender, and when the mark is of
    a generation before: what lies between was taken, and lost since, and the loss was accepted.
    """
    if message.place <= mark.place:
        return "known"
    if message.generation == mark.generation and message.number == mark.number + 1:
        return "next"
    begins = message.place == first and (message.number == 1 or mark.under < generation)
    return "next" if begins else "gap"
