"""One partition of a topic as an agent reads it: how far it has read, which records its group has passed, and how many
are being handled. Data only."""

from typing import Final

from aob.core.agent.record import Input
from aob.ports.log import Logged

AHEAD_MAX: Final = 256  # records that are read ahead of the first that is not done


class Waiting:
    """A record that waits for its key, and where it comes from."""

    __slots__ = ("given", "lane", "logged")

    def __init__(self, lane: "Lane", given: Input, logged: Logged) -> None:
        self.lane, self.given, self.logged = lane, given, logged


class Lane:
    """A partition of a topic, of one group. `low`: all below are done; `next`: the next to be read."""

    __slots__ = ("done", "low", "next", "partition", "running", "source", "tenant", "topic", "waiting")

    def __init__(self, tenant: str, topic: str, partition: int, low: int, done: tuple[int, ...]) -> None:
        self.tenant, self.topic, self.partition = tenant, topic, partition
        self.source = f"{topic}/{partition}"
        self.low = self.next = low
        self.done = set(done)
        self.running: set[str] = set()  # streams whose record is with a worker
        self.waiting: dict[str, None] = {}  # streams whose record waits for a place

    @property
    def room(self) -> int:
        """How many records may be read now."""
        return max(0, self.low + AHEAD_MAX - self.next)

    @property
    def behind(self) -> int:
        """The number of records that are read and not done."""
        return self.next - self.low - len(self.done)

    def passed(self, offset: int) -> bool:
        """This record is done. Returns whether there is room for others now."""
        if offset < self.low or offset in self.done:
            return False
        full = not self.room
        self.done.add(offset)
        while self.low in self.done:
            self.done.discard(self.low)
            self.low += 1
        return full and bool(self.room)
