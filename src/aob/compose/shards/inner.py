"""The typed requests between the processes of a home: an owner answers `OfOwner`, the main process `OfMain`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from inspect import getmembers, ismethod, signature
from typing import Any, Final, get_type_hints

import msgspec

from aob.compose.layout import Place
from aob.compose.metrics import process_told
from aob.compose.notices import Asked, ticket_of
from aob.compose.shards.journal_feed import Milestones, read_milestones, stream_milestones, stream_numbers
from aob.compose.topics import HomeTopics, RowText, told_rows
from aob.core.answers import JsonObject, JsonValue, Pruned
from aob.core.errors import NotFound, Problem
from aob.core.event import MessageMark
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.core.verbs import run_verbs
from aob.journal.messages import Delivery
from aob.metrics.platform import Runs, Slice
from aob.ports.log import Admitting, Appended, Record
from aob.ports.serving import MetricReader
from aob.ports.store import MOVED
from aob.runs import Core, StartTarget
from aob.runs.removal import Part, Sweep, forked
from aob.threads import Threads
from aob.views import Views

OWN_STREAMS: Final = frozenset({"milestones", "numbers"})  # what an owner streams to the main process
_records: Final = msgspec.json.Decoder(list[Record]).decode
_with_topics: Final = msgspec.json.Decoder(list[tuple[str, Record]]).decode
_meant: Final = msgspec.json.Decoder(dict[str, StartTarget]).decode


def table_of(room: object) -> dict[str, Callable[..., Any]]:
    """The public functions of a room by name. Each takes a caller, then its arguments from the wire."""
    found = getmembers(room, ismethod)
    return {name: _reading(function) for name, function in found if not name.startswith("_")}


def moves_of(place: Place) -> dict[str, Callable[..., Any]]:
    """The steps of moves at a shard, as `move_` and their name; only the main process asks for them."""
    found = getmembers(place, ismethod)
    return {f"move_{name}": _reading(function, called=False) for name, function in found if not name.startswith("_")}


def _reading(function: Callable[..., Any], *, called: bool = True) -> Callable[..., Any]:
    names, types = list(signature(function).parameters)[called:], get_type_hints(function)
    args = msgspec.defstruct("Args", [(name, types[name]) for name in names])

    def read(who: Caller | None, *given: object, **named: object) -> Any:
        told = msgspec.convert({**dict(zip(names, given, strict=False)), **named}, args)
        values = (getattr(told, name) for name in names)
        return function(who, *values) if called else function(*values)

    return read


class OfOwner:
    """What the owner of a shard answers."""

    def __init__(self, views: Views, threads: Threads) -> None:
        self._views, self._core, self._sweep, self._threads = views, views.core, Sweep(views.core), threads

    async def health(self, who: Caller | None) -> JsonObject:
        """The health of the shard."""
        return await self._views.health()

    async def shard_status(self, who: Caller | None) -> JsonObject:
        """The health of the shard, its last row, what its process uses, and what is attached to that."""
        journal, attached = self._core.journal, self._core.attached()
        live = sum(not stream.ended for stream in journal.streams.values())  # others stay for a while, for readers
        told = {"row": journal.durable_row, "live": live, "process": process_told(), "attached": attached}
        return {**await self._views.health(), **told}

    async def position(self, who: Caller | None) -> str:
        """The end of the feed of its runs."""
        return self._views.position()

    async def knows(self, who: Caller | None, run_id: str) -> bool:
        """Whether a run is here, or was before its removal."""
        return await self.has(who, run_id) or await self._core.store.removed(run_id) is not None

    async def has(self, who: Caller | None, run_id: str) -> bool:
        """Whether a run is here."""
        journal = self._core.journal
        if run_id in journal.streams or run_id in journal.away or journal.parted(run_id):
            return True
        head = await self._core.store.head(run_id)
        return head is not None and head.kind != MOVED

    async def removed_ms(self, who: Caller | None, run_id: str) -> int:
        """When a run was removed from here, or 0."""
        gone = await self._core.store.removed(run_id)
        return gone.at_ms if gone is not None else 0

    async def position_fits(self, who: Caller | None, token: str) -> None:
        """Raises the error of an invalid position of this shard."""
        self._core.feed.place(token)

    async def holder(self, who: Caller | None, id: str) -> str:
        """The stream that has a ticket or a patch of this id; empty if none of this shard does."""
        return await self._core.holder(id)

    async def start_meant(
        self, who: Caller, items: list[JsonValue], meant: str, removed: dict[str, int]
    ) -> list[JsonObject]:  # fmt: skip
        """Start many; `meant` resolves their names and tags. It is JSON text, so that operations keep their bytes.
        `removed` says when earlier runs of their ids were removed from other shards."""
        self._core.journal.removed_elsewhere |= removed
        return await self._views.start_meant(who, items, _meant(meant))

    async def stored_value(self, who: Caller | None, tenant: str, digest: str) -> bytes | None:
        """A value of the store of this shard, by its hash."""
        return await self._core.store.value(tenant, bytes.fromhex(digest))

    async def thread(self, who: Caller | None, tenant: str, thread: str, command: bytes) -> bytes:
        """Perform a command about a thread of a graph; command and answer are MessagePack."""
        return await self._threads.perform(tenant, thread, command)

    async def thread_names(self, who: Caller | None, tenant: str, kind: str, after: str) -> list[str]:
        """A page of the names of a tenant's threads, or of another kind."""
        return await self._threads.names(tenant, after, kind)

    async def forked(self, who: Caller | None) -> list[str]:
        """Runs, in any shard, of which a fork lives in this one."""
        return sorted(forked(self._core.journal.streams))

    async def deliver(self, who: Caller | None, delivery: Delivery) -> MessageMark:
        """Take messages of another shard's streams; returns the mark up to which they are taken."""
        return await self._core.journal.receive(delivery)

    async def read_milestones(self, who: Caller | None, after: int) -> Milestones:
        """One batch of milestones after a row."""
        return await read_milestones(self._core, after)

    async def ticket_of(self, who: Caller | None, run_id: str, ticket_id: str) -> Asked | None:
        """The contents of an open ticket."""
        return await ticket_of(self._core, run_id, ticket_id)

    async def parts(self, who: Caller, args: run_verbs.PruneRuns) -> dict[str, Part]:
        """What other shards may hold of the runs that a step of a prune would remove."""
        return await self._views.parts(who, args)

    async def erase(self, who: Caller, args: run_verbs.PruneRuns, parts: dict[str, Part]) -> dict[str, str]:
        """Remove what is here of such runs: of each why not, or nothing."""
        return await self._views.erase(who, args, parts)

    async def pruned(self, who: Caller, args: run_verbs.PruneRuns, erased: dict[str, str] | None) -> Pruned:
        """A step of a prune, after that."""
        return await self._views.pruned(who, args, erased)

    async def sweep_due(self, who: Caller | None, before_ms: int) -> tuple[int, Mapping[str, Collection[str]]]:
        """See `aob.runs.removal.Sweeping`, as for the next two."""
        return await self._sweep.due(before_ms)

    async def sweep_referred(
        self, who: Caller | None, tenant: str, hashes: list[str], before_ms: int
    ) -> Collection[str]:  # fmt: skip
        """Those that this shard refers to."""
        return await self._sweep.referred(tenant, hashes, before_ms)

    async def sweep_remove(
        self, who: Caller | None, tenant: str, kept: frozenset[str], before_ms: int, row: int
    ) -> int:  # fmt: skip
        """Remove due values that are not kept; returns how many."""
        return await self._sweep.remove(tenant, kept, before_ms, row)

    def numbers(self, who: Caller | None, after: int, runs: Runs) -> AsyncIterator[Slice]:
        """The platform's numbers after a row up to which these runs are remembered; endless."""
        return stream_numbers(self._core, after, runs)

    def milestones(self, who: Caller | None, after: int) -> AsyncIterator[Milestones]:
        """Milestones of runs after a row; endless."""
        return stream_milestones(self._core, after)


class OfMain:
    """What the main process answers: it has the gate and the numbers."""

    def __init__(
        self, log: Admitting, reader: MetricReader, read_through: Callable[[str, int, int], Awaitable[int]], core: Core,
        post: Callable[[Delivery], Awaitable[MessageMark]], topics: HomeTopics,
    ) -> None:  # fmt: skip
        self._post, self._topics = post, topics
        self._log, self._reader, self._read, self._core = log, reader, read_through, core

    async def append(
        self, who: None, tenant: str, topic: str, partition: int, records: str, keyed: bool
    ) -> list[Appended]:  # fmt: skip
        """Add records, given as JSON, to a topic through the gate."""
        return await self._log.append(tenant, topic, partition, _records(records), keyed=keyed)

    async def admit(self, who: None, tenant: str, records: str, counts: bool) -> list[Problem]:
        """Why records, given as JSON, each with its topic, may not be appended."""
        return await self._log.admit(tenant, _with_topics(records), counts=counts)

    async def request_topic(self, who: None, tenant: str, agent: str, asked: dict[str, JsonValue]) -> JsonObject:
        """Declare a topic for an agent."""
        return await self._log.request_topic(tenant, agent, asked)

    async def deliver(self, who: None, delivery: Delivery) -> MessageMark:
        """Hand messages to the owner of their partition."""
        return await self._post(delivery)

    async def topic_rows(
        self, who: None, tenant: str, topic: str, partition: int, start: int, limit: int
    ) -> list[RowText]:  # fmt: skip
        """Rows of a partition, wherever they lie: also those from before it was moved."""
        return told_rows(await self._topics.rows(tenant, topic, partition, start, limit))

    async def read_metric(self, who: None, tenant: str, query: MetricQuery) -> JsonObject:
        """Read a number."""
        return await self._reader.read_metric(tenant, query)

    async def read_through(self, who: None, tenant: str, shard: int, row: int) -> int:
        """The row up to which a shard's readers have read."""
        return await self._read(tenant, shard, row)

    async def value(self, who: None, tenant: str, digest: str) -> bytes | None:
        """A value by its hash; None if unknown."""
        with suppress(NotFound):
            return await self._core.values.fetch(tenant, bytes.fromhex(digest))
        return None
