"""One partition of a topic as an agent reads it: how far it has read, which records its group has passed, and how many
are being handled. Data only."""

from typing import Final

from aob.core.agent.record import Input
from aob.ports.log import Logged
from aob.ports.topics import GroupMark

AHEAD_MAX: Final = 256  # records that are read ahead of the first that is not done


class Waiting:
    """A record that waits for its key, and where it comes from."""

    __slots__ = ("given", "lane", "logged")

    def __init__(self, lane: "Lane", given: Input, logged: Logged) -> None:
        self.lane, self.given, self.logged = lane, given, logged


class Lane:
    """A partition of a topic, of one group. `low`: all below are done; `next`: the next to be read."""

    __slots__ = (
        "agent", "done", "gaps", "generation", "low", "next", "partition", "place", "running", "source", "topic",
        "waiting",
    )  # fmt: skip

    def __init__(self, tenant: str, agent: str, topic: str, partition: int, mark: GroupMark | None) -> None:
        self.agent, self.topic, self.partition = agent, topic, partition
        self.place = tenant, topic, partition
        self.source = f"{topic}/{partition}"
        self.low = self.next = mark.low if mark is not None else 0
        self.done = set(mark.done if mark is not None else ())
        self.generation = mark.generation if mark is not None else 1
        self.gaps: dict[int, int] = {}  # offsets that hold no record: the first, and the one after the last
        self.running: dict[str, str] = {}  # streams whose record is with a worker, and its visit
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
        """This record is done. Returns whether there is room for others now, or a gap to be passed."""
        if offset < self.low or offset in self.done:
            return False
        full = not self.room
        self.done.add(offset)
        while self.low in self.done:
            self.done.discard(self.low)
            self.low += 1
        return self.low in self.gaps or (full and bool(self.room))

    def goes_on(self, mark: GroupMark) -> None:
        """The group was set to an offset that is not read yet."""
        if mark.low > self.next:
            self.low = self.next = mark.low
            self.done, self.gaps = set(mark.done), {}
