"""What must hold of agents, by what is durable in the stores of a world: each record has one end a group, and what came
of it is where its end is; a key's records are in order; the marks say just what the keys have; a state is what its
records made it; and what is in memory is what the log says."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

import msgspec

from aob.backends.memory.store import MemoryStore
from aob.compose.layout.layout import Layout
from aob.core.agent import Key, encode_key, fold, pending
from aob.core.agent.record import REMINDER, Input, decode_events
from aob.core.agent.record import events as ev
from aob.core.agent_name import AGENT, agent_of
from aob.core.value import decode, ref_in
from aob.journal.parts import Part
from aob.ports.log import Record
from aob.work.topic_agents import Agent
from tests.sim.agents.work import plan_of

TENANT: Final = "default"
_parts: Final = msgspec.json.Decoder(list[Part])


class World(Protocol):
    """What the rules see."""

    seed: int
    stores: dict[int, MemoryStore]
    owners: dict[int, Any]
    agents: dict[str, Agent]
    promised: dict[tuple[str, str], int]

    @property
    def layout(self) -> Layout: ...

    def say(self, *rules: str) -> None: ...


class Rules:
    """The log of a world, as far as it was read."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: Counter[int] = Counter()
        self._rows: Counter[tuple[int, tuple[str, str, int]]] = Counter()
        self._later: dict[str, dict[int, list[Any]]] = defaultdict(dict)
        self.keys: dict[str, Key] = {}
        self.seqs: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self._passed: dict[tuple[str, str, int], dict[int, int]] = defaultdict(dict)
        self._last: dict[tuple[str, str], tuple[int, int]] = {}
        self._ended: dict[tuple[str, ...], str] = {}
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._died: Counter[str] = Counter()
        self.records: dict[tuple[str, int], dict[int, Record]] = defaultdict(dict)
        self._made: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        self._unique: set[tuple[str, int, str, str]] = set()

    # -- what people see ----------------------------------------------------------------------------------------------

    def dead_of(self, name: str) -> list[str]:
        """The dead letters of a key."""
        return list(self.keys[name].dead) if name in self.keys else []

    def holds(self) -> dict[str, list[str]]:
        """Why keys are held."""
        return {name: list(key.holds) for name, key in self.keys.items() if key.holds}

    # -- at any moment ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Reads what is new, and holds it against the rules."""
        for number, store in self._world.stores.items():
            for row in store.durable(self._read[number]):
                self._read[number] = row.row
                for part in _parts.decode(row.data):
                    if part.stream.startswith(AGENT):
                        self._found(part.stream, part.seq, decode_events(part.events))
        for number, store in self._world.stores.items():
            self._records_of(number, store)
        for name in list(self._later):
            self._go_on(name)
        self._outputs()
        self._marks()
        self._memory()

    def _found(self, name: str, seq: int, events: list[Any]) -> None:
        if seq < self.seqs[name] or seq in self._later[name]:
            self._world.say(f"{name} has two events {seq}")
        self._later[name][seq] = events

    def _go_on(self, name: str) -> None:
        """Folds what came, in order: shards are read one after the other."""
        waiting, key = self._later[name], self.keys.setdefault(name, Key(name))
        while (events := waiting.pop(self.seqs[name], None)) is not None:
            self.seqs[name] += len(events)
            for event in events:
                self.seen[type(event).__name__] += 1
                self._event(name, key, event)
                fold(key, [event])
        if waiting:
            self._world.say(f"{name} lacks events {self.seqs[name]} before {sorted(waiting)}")

    def _event(self, name: str, key: Key, event: Any) -> None:
        record = key.open
        if isinstance(event, ev.Ended):
            if record is None:
                self._passes(name, event.source, event.generation, event.offset)
            self._ends(name, event, record.input if record is not None else None)
        elif isinstance(event, ev.Taken) or (isinstance(event, ev.Queued) and event.input.cause == "behind"):
            self._passes(name, event.input.source, event.input.generation, event.input.offset)
        elif isinstance(event, ev.Died) or (isinstance(event, ev.Dropped) and event.why == "reject"):
            self._died[agent_of(name)] += 1

    def _passes(self, name: str, source: str, generation: int, offset: int) -> None:
        """A record comes into the hands of a key."""
        topic, _, partition = source.rpartition("/")
        passed = self._passed[agent_of(name), topic, int(partition)]
        if passed.get(offset, 0) >= generation:
            self._world.say(f"{source}@{generation}.{offset} came to {name}, and had come in {passed[offset]}")
        passed[offset] = generation
        if self._last.get((name, source), (0, -1)) >= (generation, offset):
            self._world.say(f"{name} has taken {offset} of {source} after {self._last[name, source]}")
        self._last[name, source] = generation, offset

    def _ends(self, name: str, event: ev.Ended, given: Input | None) -> None:
        own = name if event.source == REMINDER else agent_of(name)
        which = own, event.source, str(event.generation), str(event.offset)
        if which in self._ended:
            self._world.say(f"{which} has ended twice")
        self._ended[which] = event.id
        self._ids[name].append(event.id)
        for cell in event.state:
            told = decode(cell)
            if ref_in(told) is None and told["ids"] != self._ids[name]:
                self._world.say(f"{name} has ended {self._ids[name]} and its state is {told['ids']}")
        plan = self._plan(own if event.source != REMINDER else agent_of(name), event)
        if event.outputs != len(plan.outputs) or plan.poison:
            self._world.say(f"{event.id} at {name} has ended with {event.outputs} outputs, and not {plan}")

    def _plan(self, agent: str, event: ev.Ended) -> Any:
        if event.source == REMINDER:
            return plan_of(self._world.seed, agent, event.id, REMINDER, 0)
        topic, _, partition = event.source.rpartition("/")
        record = self.records[topic, int(partition)][event.offset]
        if record.id != event.id:
            self._world.say(f"{event.source}@{event.offset} is {record.id}, and {event.id} has ended there")
        return plan_of(self._world.seed, agent, record.id, topic, record.depth)

    def _records_of(self, number: int, store: MemoryStore) -> None:
        for place, rows in store._records.items():
            at = number, place
            for row in rows[self._rows[at] :]:
                self._rows[at] += 1
                for logged in row.logged("the world"):
                    self._record(place, logged.offset, logged.record)

    def _record(self, place: tuple[str, str, int], offset: int, record: Record) -> None:
        _, topic, partition = place
        known = self.records[topic, partition]
        if offset in known:
            self._world.say(f"{topic}/{partition} has two records {offset}")
        known[offset] = record
        unique = topic, partition, record.source, record.id
        if unique in self._unique:
            self._world.say(f"{record.id} is in {topic}/{partition} twice")
        self._unique.add(unique)
        if record.type == "made":
            self._made[record.source.partition("@")[0], record.causationid].append((topic, record.subject))

    def _outputs(self) -> None:
        """Nothing has come out of what has not ended."""
        ended = {(which[0], id) for which, id in self._ended.items()}
        for (agent, cause), made in self._made.items():
            if (agent, cause) not in ended:
                self._world.say(f"{agent} has sent {made} for {cause}, which has not ended")

    def _marks(self) -> None:
        """The mark of a group says just what its keys have."""
        layout = self._world.layout
        for (group, topic, partition), passed in self._passed.items():
            owner = layout.owners[partition]
            if layout.chains[partition][-1].extent.last_row:
                continue  # it is on its way: it has left one shard, and the other has not taken it
            mark = self._world.stores[owner]._marks.get((TENANT, group, topic, partition))
            if mark is not None and mark.generation > 1:
                continue  # the group was set back: the keys have more than the mark says
            marked = {*range(mark.low), *mark.done} if mark is not None else set()
            if marked != passed.keys():
                self._world.say(f"{group} is at {mark} in {topic}/{partition}, and its keys have {sorted(passed)}")

    def _memory(self) -> None:
        for owner in self._world.owners.values():
            journal = owner.core.journal
            if not owner.up or journal.broken is not None:
                continue
            for name, stream in journal.streams.items():
                if not name.startswith(AGENT) or stream.seq != self.seqs[name] or not stream.seq:
                    continue
                if encode_key(stream.state) != encode_key(self.keys[name]):
                    self._world.say(f"{name} in memory is not what its log says")

    # -- in the end -----------------------------------------------------------------------------------------------

    async def at_rest(self) -> bool:
        """Whether nothing is left to do."""
        self.check()
        return not [each async for each in self._left()]

    async def left(self) -> list[str]:
        """What is left to do."""
        return [each async for each in self._left()][:10]

    async def _left(self) -> AsyncIterator[str]:
        for name, key in self.keys.items():
            stands = pending(key)
            if stands.jobs or stands.timers or key.queue or key.holds or key.open is not None:
                open = key.open
                yield f"{name}: {stands}, {len(key.queue)} wait, {key.holds}, {open and (open.visit, open.state)}"
        for agent in self._world.agents.values():
            for (topic, partition), found in self.records.items():
                if topic in agent.consumes and (
                    lacks := found.keys() - self._passed[agent.name, topic, partition].keys()
                ):
                    yield f"{agent.name} has not had {sorted(lacks)} of {topic}/{partition}"
        for number, store in self._world.stores.items():
            for message in await store.outbox():
                taken = self._world.stores[self._world.layout.owners[message.receiver]]._received
                mark = taken.get((message.sender, message.receiver))
                if self._world.layout.owners[message.sender] == number and (not mark or mark.place < message.place):
                    yield f"shard {number} keeps {message.body!r}"

    async def done(self) -> None:
        """What must hold once all is at rest."""
        say = self._world.say
        for (topic, partition), found in self.records.items():
            if sorted(found) != list(range(len(found))):
                say(f"{topic}/{partition} has {sorted(found)}")
        there = {
            (topic, record.id): offset for (topic, _), found in self.records.items() for offset, record in found.items()
        }
        for promise, offset in self._world.promised.items():
            if there.get(promise) != offset:
                say(f"{promise} was acknowledged at {offset} and is at {there.get(promise)}")
        for which, id in self._ended.items():
            if which[1] == REMINDER:
                continue
            topic, _, partition = which[1].rpartition("/")
            record = self.records[topic, int(partition)][int(which[3])]
            wanted = plan_of(self._world.seed, which[0], id, topic, record.depth).outputs
            if sorted(self._made[which[0], id]) != sorted(wanted):
                say(f"{which[0]} has handled {id}, and {self._made[which[0], id]} came of it, not {wanted}")
        for agent in self._world.agents:
            letters = sum(len(found) for (topic, _), found in self.records.items() if topic == f"dead.{agent}")
            if letters != self._died[agent]:
                say(f"{self._died[agent]} records of {agent} have died, and there are {letters} dead letters")
        for name, key in self.keys.items():
            if any(not each.rung for each in key.reminders.values()):
                say(f"{name} has reminders that never rang: {key.reminders}")
