"""A simulated world of messages: shards whose streams send to one another over a faulty line, and an outside ledger.
Each message takes effect once, in the order of its pair, despite crashes, faults and losses; when the faults stop,
every one has."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, Final, cast

import msgspec

from aob.backends.memory.store import MemoryStore
from aob.core.errors import AobError, Conflict, Unavailable
from aob.core.event import PARTITIONS, Message, MessageMark, partition_of
from aob.journal import Journal, Law, Stream, Verdict
from aob.journal.law import Changes
from aob.journal.messages import Delivery, Outgoing, pairs
from aob.journal.parts import Part
from aob.ports.store import Head, Store
from aob.testing.world.line import Line
from aob.testing.world.lives import Lives, within
from aob.testing.world.loop import VirtualLoop, replaced, run_virtual
from aob.testing.world.options import Options, calm, draw
from aob.testing.world.store import SimStore
from aob.testing.world.world import BrokenError, Report, bounds, lived

SHARDS: Final = 3
STREAMS: Final = tuple(f"s_{number}" for number in range(9))
TICKS: Final = 40
CALM_TICKS: Final = 60
_parts: Final = msgspec.json.Decoder(list[Part])
_events: Final = msgspec.json.Decoder(list[tuple[str, str, str]])


class Letter(msgspec.Struct, array_like=True):
    """A message: its own name, and the stream it is forwarded to."""

    name: str
    then: list[str] = []


class Write(msgspec.Struct):
    """A command to send these."""

    letters: list[tuple[str, Letter]]


class LetterLaw(Law):
    """Streams `s_...`. Events: `sent`, `got`, `back` (a refused one), each with the other stream and the letter."""

    kind, prefix, spread = "letter", "s_", True

    def fresh(self, name: str) -> Counter[str]:
        """No messages sent yet."""
        return Counter()

    def decide(self, stream: Stream, command: Write, now_ms: int) -> Verdict:
        """Send what the command asks."""
        events = [("sent", to, letter.name) for to, letter in command.letters]
        return Verdict(events, {}, None, [Outgoing(to, msgspec.json.encode(each)) for to, each in command.letters])

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """Store and forward it; refuse a share of them, fail on another share."""
        letter = msgspec.json.decode(message.body, type=Letter)
        if message.refused:
            return Verdict([("back", message.source, letter.name)], {})
        if letter.name.endswith("7"):
            raise Conflict("no sevens")
        if letter.name.endswith("13"):
            raise ZeroDivisionError("thirteen")
        events = [("got", message.source, letter.name)]
        if not letter.then:
            return Verdict(events, {})
        onward = Letter(f"{letter.name}>{stream.seq}", letter.then[1:])
        return Verdict([*events, ("sent", letter.then[0], onward.name)], {}, None,
                       [Outgoing(letter.then[0], msgspec.json.encode(onward))])  # fmt: skip

    def fold(self, stream: Stream, events: list[Any]) -> None:
        """The number of earlier messages."""
        stream.state.update(event[0] for event in events)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """Its head is written once."""
        return Changes(None, "ON")

    def head(self, stream: Stream) -> Head:
        """One row."""
        return Head(stream.name, self.kind, "t", "w", stream.status, "", 0, 0, stream.seq)

    def rests(self, stream: Stream) -> bool:
        """It may leave memory at any moment."""
        return True

    def rests_as(self, head: Head) -> bool:
        """The same."""
        return True


class Owner:
    """One life of a shard."""

    def __init__(self, world: "ExchangeWorld", shard: int, handle: SimStore) -> None:
        self.context = world.lives.begin()
        self.life, self.handle = world.lives.count, handle
        self.journal = Journal(
            cast(Store, handle), [LetterLaw()], shard=shard, clock_ms=world.now_ms, on_commit=_nothing,
            on_recovered=_nothing, put_blob=_nothing, get_value=_nothing,
        )  # fmt: skip
        self.journal.holds = lambda partition: partition % SHARDS == shard
        self.journal.post = world.line.post


def _nothing(*given: object) -> None:
    """There are no values, and no commit is published."""


class ExchangeWorld:
    """Make it with a seed, `await live()` on a virtual loop."""

    def __init__(self, seed: int, options: Options | None = None) -> None:
        self.seed, self.dice, self.lives = seed, Random(f"{seed} exchange"), Lives()
        self.drawn = self.options = options or draw(Random(seed))
        self.trace: list[str] = []
        self.stores = [MemoryStore() for _ in range(SHARDS)]
        self.owners: list[Owner] = []
        self.line = Line(Random(f"{seed} line"), self._take, self.told)
        self.events: Counter[str] = Counter()
        self._old: list[Owner] = []
        self._named = 0

    def now_ms(self) -> int:
        """The clock of the world."""
        return 1_700_000_000_000 + int(asyncio.get_running_loop().time() * 1_000)

    def told(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{asyncio.get_running_loop().time():.6f} {line}")

    async def _take(self, delivery: Delivery) -> MessageMark:
        """Deliver to the receiver's process: the waiting sender is notified when that ends."""
        owner = self.owners[delivery.receiver % SHARDS]
        taking = within(owner.context, owner.journal.receive(delivery))
        taking.add_done_callback(lambda done: done.cancelled() or done.exception())  # the sender may have ended
        await asyncio.wait({taking})
        if taking.cancelled():
            raise Unavailable("the simulated process ended", code="shard_lost")
        mark: MessageMark = taking.result()
        return mark

    async def live(self) -> None:
        """Faults, then none. Raises BrokenError at the first broken rule."""
        asyncio.get_running_loop().set_task_factory(self.lives.new_task)
        faulty = self.options
        self.options = calm(faulty)
        self.owners = [await self._opened(shard) for shard in range(SHARDS)]
        self._set(faulty, self.dice.choice([0.0, 0.1, 0.3, 0.6]))
        for _ in range(TICKS):
            await self._tick()
        self.told("faults stop")
        self._set(calm(faulty), 0.0)
        for owner in self._old:
            self._kill(owner)
        for shard, owner in enumerate(self.owners):
            if owner.journal.closing:
                await self._crash(shard)
        for _ in range(CALM_TICKS):
            await asyncio.sleep(20.0)
            if self._check() == 0:
                return
        raise BrokenError(f"{self._check()} messages were never taken")

    def _set(self, options: Options, rate: float) -> None:
        self.options, self.line.rate = options, rate
        for owner in self.owners:
            owner.handle.options = options

    async def _opened(self, shard: int) -> Owner:
        while True:
            count = self.lives.count
            dice = Random(f"{self.seed} store {shard} {count}")
            owner = Owner(self, shard, SimStore(self.stores[shard], dice, self.options, self.told))
            try:
                await within(owner.context, owner.journal.__aenter__())
            except AobError as error:
                self.told(f"shard {shard} cannot open: {error.code}")
                self._kill(owner)
                await asyncio.sleep(0.2)
                continue
            self.told(f"shard {shard} begins at row {owner.journal.row}, epoch {owner.journal.epochs.now}")
            return owner

    def _kill(self, owner: Owner) -> None:
        owner.handle.dead = True
        owner.journal.timers.stop()
        self.lives.end(owner.life)

    async def _crash(self, shard: int) -> None:
        self.told(f"shard {shard} crashes")
        self._kill(self.owners[shard])
        await asyncio.sleep(0)
        self.owners[shard] = await self._opened(shard)

    async def _tick(self) -> None:
        dice, options = self.dice, self.options
        for _ in range(dice.choice([0, 1, 2, 5])):
            self._write()
        await asyncio.sleep(dice.choice([0.0005, 0.02, 0.3, 2.0, 20.0]) * dice.random())
        for shard, owner in enumerate(self.owners):
            if dice.random() < options.crash or owner.journal.closing:
                await self._crash(shard)
            elif dice.random() < options.usurp:
                self.told(f"another process takes shard {shard}")
                self._old.append(owner)
                self.owners[shard] = await self._opened(shard)
            elif dice.random() < options.rests and owner.journal.broken is None:
                owner.journal.let_go(0, dice.choice([1, 1_000]))
                owner.journal._wake.set()
        self._check()

    def _write(self) -> None:
        dice = self.dice
        source = dice.choice(STREAMS)
        letters: list[tuple[str, Letter]] = []
        for _ in range(dice.choice([1, 1, 2, 6])):
            self._named += 1
            then = [dice.choice(STREAMS) for _ in range(dice.choice([0, 0, 1, 4]))]
            letters.append((dice.choice(STREAMS), Letter(str(self._named), then)))
        owner = self.owners[partition_of(source, PARTITIONS) % SHARDS]
        within(owner.context, self._asking(owner, source, letters))

    async def _asking(self, owner: Owner, source: str, letters: list[tuple[str, Letter]]) -> None:
        try:
            await owner.journal.ask(source, Write(letters))
        except AobError as error:
            self.told(f"{source} was not asked: {error.code}")

    # -- the ledger -------------------------------------------------------------------------------------------------

    def _check(self) -> int:
        """Check what is durable against the rules: how many messages are not taken."""
        sent: dict[tuple[int, int], list[tuple[str, str, str]]] = {}
        took: dict[tuple[int, int], list[tuple[str, str, str]]] = {}
        self.events.clear()
        backs: Counter[tuple[str, str, str]] = Counter()
        for stream, (what, other, name) in self._durable():
            self.events[what] += 1
            if what == "sent":
                sent.setdefault(_pair(stream, other), []).append((stream, other, name))
            elif what == "got":
                took.setdefault(_pair(other, stream), []).append((other, stream, name))
            else:
                backs[(stream, other, name)] += 1
        left = 0
        for pair, letters in sent.items():
            for letter, count in backs.items():
                if count > 1:
                    raise BrokenError(f"{letter} came back {count} times")
            kept = [letter for letter in letters if not _refused(letter)]
            there = took.pop(pair, [])
            if there != kept[: len(there)]:
                raise BrokenError(f"pair {pair} sent {kept} and took {there}")
            left += len(kept) - len(there) + sum(_refused(letter) and not backs[letter] for letter in letters)
        if took:
            raise BrokenError(f"never sent and taken: {took}")
        return left

    def _durable(self) -> Iterator[tuple[str, tuple[str, str, str]]]:
        for store in self.stores:
            for row in store.durable(0):
                for part in _parts.decode(row.data):
                    for event in _events.decode(part.events):
                        yield part.stream, event


def _pair(sender: str, receiver: str) -> tuple[int, int]:
    return partition_of(sender, PARTITIONS), partition_of(receiver, PARTITIONS)


def _refused(letter: tuple[str, str, str]) -> bool:
    return letter[2].endswith(("7", "13"))


def simulate_exchange(seed: int, options: Options | None = None) -> Report:
    """Runs one world of messages to its end."""
    world = ExchangeWorld(seed, options)
    with replaced(*bounds(world.options), (pairs, "PAIR_MAX", 6), (pairs, "WINDOW", 4)):
        broken = run_virtual(VirtualLoop(), lived(world.live()))
    return Report(seed, world.drawn, broken, world.trace, dict(world.events))
