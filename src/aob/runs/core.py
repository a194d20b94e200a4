"""What all verbs of runs share: journal, graphs, values and pool. Created by compose, entered once."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Literal

import msgspec

from aob.core.errors import CallerError, Conflict, Gone, NotFound, Unavailable
from aob.core.event import holder_of
from aob.core.graph import HandlerFacts
from aob.core.hint import nearest
from aob.core.instant import iso
from aob.core.items import facts_of, listed_in
from aob.core.metric_answers import Push
from aob.core.policy import Caller, PatchRules
from aob.core.rights import mine, owned
from aob.core.rules import RULES
from aob.core.run import Run
from aob.core.value import decode, ref_in
from aob.journal import Committed, Decided, Journal, Law, Recovered, Stream
from aob.ports.blobs import Blobs
from aob.ports.store import Lists, Store
from aob.ports.visit_logs import VisitLogs
from aob.ports.workers import Job, Workers
from aob.runs.dispatch import Dispatcher
from aob.runs.feed import Feed
from aob.runs.graphs import Graphs
from aob.runs.laws.catalog import CatalogLaw, Workflow
from aob.runs.laws.held import holds
from aob.runs.laws.keyring import KeyringLaw
from aob.runs.laws.run import RunLaw
from aob.runs.queue import Nobody, Others, Turns, reporter
from aob.runs.replay.shadow import Compute
from aob.runs.values import Values
from aob.work import Facts
from aob.work.egress import CheckedClient
from aob.work.pool import Bare, Limits, Perform, Pool, Running

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]
CONCURRENCY: Final = 256
CURSOR_DIGITS_MAX: Final = 7
HEX: Final = re.compile("[0-9a-f]{64}")


class Ambient(msgspec.Struct, frozen=True):
    """The inputs a run may not read by itself: the time in ms, and random bits for ids."""

    now_ms: Callable[[], int]
    bits: Callable[[int], int] = secrets.randbits


Followed = Callable[[str], Awaitable[int | None]]


class RunIds:
    """Ids `run_` + 18 characters, unique in a process and ordered by time."""

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient
        self._last = 0
        self._head, self._begin = -1, ""

    def next(self) -> str:
        """A new id, greater than all previous ones."""
        value = (self._ambient.now_ms() << 42) | (self._ambient.bits(26) << 16)
        self._last = last = value if value > self._last else self._last + 1
        head = last >> 50
        if head != self._head:  # once in 256 ms; the rest is `base32(last & (1 << 50) - 1, 10)`, unrolled
            self._head, self._begin = head, "run_" + base32(head, 8)
        pairs = _PAIRS
        return (
            f"{self._begin}{pairs[last >> 40 & 1023]}{pairs[last >> 30 & 1023]}{pairs[last >> 20 & 1023]}"
            f"{pairs[last >> 10 & 1023]}{pairs[last & 1023]}"
        )


def base32(value: int, length: int) -> str:
    """A number in Crockford's alphabet, lower case, padded to an even length."""
    pairs = []
    for _ in range(length // 2):
        pairs.append(_PAIRS[value & 1023])
        value >>= 10
    pairs.reverse()
    return "".join(pairs)


class Core:
    """One running shard: `async with core:` recovers it and runs it (`opened`, then `working`). `laws` are those of
    other rooms, whose streams share the journal; `limits` those of the process, which all its cores share."""

    vitals: Callable[[], dict[str, Any]] = staticmethod(dict)  # the memory usage of this process, if measured
    storage: Callable[[], Awaitable[dict[str, Any]]] | None = None
    """Asks the database that has the store, where one has it: its status and more."""
    lists: Lists | None = None  # the replica that lists are read from
    beside: Callable[[], dict[str, Any]] = staticmethod(dict)
    """What else its health says."""
    attached: Callable[[], dict[str, Any]] = staticmethod(dict)
    """What is attached to its process: `workers`, `queues`, `fronts` of the verb `status`."""
    workers: Workers
    """The pool, and with it the workers of other processes where there are any."""
    others: Others = Nobody()  # who else dispatches to the workers
    committed_too: Callable[[Committed], None] | None = None
    newest_rules: Callable[[], int] = staticmethod(lambda: RULES)
    """The rules number that new documents are accepted under: the newest one that every process of the home knows."""
    heir: "Core | None" = None
    """Starts the forks of a shard that owns no partitions."""

    def __init__(
        self, store: Store, blobs: Blobs, handlers: Mapping[str, HandlerFacts],
        perform: Callable[[Dispatcher], Perform], *, place: Callable[[Job], Any], bare: Bare | None = None,
        rules: PatchRules, ambient: Ambient, logs: VisitLogs, concurrency: int = CONCURRENCY, laws: Sequence[Law] = (),
        running: Running | None = None, life: int = 1, limits: Limits | None = None,
    ) -> None:  # fmt: skip
        facts = self.handlers = handlers if isinstance(handlers, Facts) else Facts(handlers)
        self.store, self.blobs, self.ambient = store, blobs, ambient
        self.ids = RunIds(ambient)
        self.turns = Turns()
        self.values = Values(store, blobs)
        self.graphs = Graphs(facts.of)
        self.feed = Feed(life)
        self.logs = logs
        self.dispatch = Dispatcher(self.values, logs.opened, facts.own)
        self.run_law = RunLaw(self.graphs, self.values, rules, lambda tenant: facts.of(tenant).effects)
        self.catalog_law, self.key_law = CatalogLaw(), KeyringLaw()
        self.roles_elsewhere: Mapping[str, frozenset[str]] = {}  # by tenant: roles of keys from the environment
        self.journal = Journal(
            store,
            [self.run_law, self.catalog_law, self.key_law, *laws],
            clock_ms=ambient.now_ms,
            on_commit=self._committed,
            on_recovered=self._recovered,
            put_blob=lambda tenant, digest, data: blobs.put(tenant, data),
            get_value=self.values.fetch,
        )
        self.journal.generation = life
        self._running = running
        self.pool = Pool(
            concurrency, perform(self.dispatch), reporter(self.dispatch.report, lambda: self.others), place=place,
            running=running, bare=bare, limits=limits)  # fmt: skip
        self.dispatch.journal = self.feed.journal = self.journal
        self.journal.begins = self.dispatch.begins
        self.dispatch.pool = self.workers = self.pool
        self.waiters: dict[str, list[asyncio.Future[Run | None]]] = {}
        self.timed: Callable[[float, int], None] | None = None
        """Called after each dispatch of a commit with its duration and its number of decisions."""
        self._step: object = None
        self.stepped: list[Callable[[], None]] = []
        """Called after the clock was set, so that waiters check whether their time has come."""
        self.compute: Compute | None = None  # calls a deterministic handler for a replay
        self.egress: dict[str, CheckedClient] = {}  # the clients that make network calls, by name
        self.followed: list[Followed] = []
        """Called before runs are removed: the row up to which a follower has read everything of a tenant; None if it
        reads nothing of it."""
        self.removing = asyncio.Lock()  # held during a removal: one at a time
        self._stack = AsyncExitStack()

    def time_ms(self) -> int:
        """Committed time as it passes (SEMANTICS 2.4): follows the wall clock but never goes back, and durations stay
        true. All durations, waits and deadlines use it. Thread-safe."""
        return self.journal.clock.peek(time.monotonic())

    def look(self) -> None:
        """Read the clock; called at least once a second. Timers that a clock step made due fire now."""
        self.journal.look()
        if self.journal.clock.step is not self._step:
            self._step = self.journal.clock.step
            for hear in self.stepped:
                hear()

    def replaced(self) -> dict[str, int]:
        """How often stuck connections were replaced, by client name."""
        return {name: client.replaced for name, client in self.egress.items()}

    async def __aenter__(self) -> "Core":
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.opened())
            await stack.enter_async_context(self.working())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The journal is recovered and accepts commands; nothing is dispatched yet."""
        async with self.journal:
            try:
                yield
            finally:
                for waiting in self.waiters.values():
                    for future in waiting:
                        future.cancel()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Dispatches jobs until exit; running jobs may then finish while everything they need is still open."""
        try:
            async with self.pool:
                await self.dispatch.begin(self._running)
                await self.others.begin(self._running)
                try:
                    yield
                finally:
                    await self.others.end()
                    await self.workers.stop()
        finally:
            await self.dispatch.end(self._running)

    def pushes(self, tenant: str) -> Iterator[Push]:
        """Every version of every workflow of a tenant, and the newest moves of its tags: by whom, and when."""
        for stream in self.catalog(tenant):
            workflow: Workflow = stream.state
            for pushed in workflow.artifacts.values():
                yield {"kind": "workflow", "name": workflow.name, "version": pushed.version, "by": pushed.by,
                       "at": pushed.at_ms}  # fmt: skip
            for move in workflow.moves:
                yield {"kind": "tag", "name": workflow.name, "tag": move.tag, "version": move.version,
                       "by": move.by, "at": move.at_ms}  # fmt: skip

    def catalog(self, tenant: str) -> list[Stream]:
        """The workflows of a tenant; does not scan runs."""
        found = (self.journal.streams.get(name) for name in self.catalog_law.of.get(tenant, ()))
        return [stream for stream in found if stream is not None and stream.seq]

    def _committed(self, commit: Committed) -> None:
        if self.timed is None:
            self.dispatch.committed(commit)
        else:
            begun = time.perf_counter()
            self.dispatch.committed(commit)
            self.timed(time.perf_counter() - begun, len(commit.told))
        if self.committed_too is not None:
            self.committed_too(commit)
        self.others.committed(commit)
        self.feed.push(commit)
        for told in commit.told:
            if told.changes.over:
                name = told.stream.name
                self.logs.finish(name)
                for future in self.waiters.pop(name, ()) if self.waiters else ():
                    if not future.done():
                        future.set_result(told.stream.state)

    def _recovered(self, found: Recovered) -> None:
        """The shard was recovered from the store, which may hold commits that were never reported."""
        self.feed.recovered()
        if self.run_law.carried is not None:
            self.run_law.carried.clear()
        waiting, self.waiters = self.waiters, {}
        for future in (each for futures in waiting.values() for each in futures):
            if not future.done():
                future.set_result(None)  # checks again
        self.dispatch.recovered(found)
        self.others.recovered(found)

    def left(self, names: Sequence[str]) -> None:
        """Runs left with their partition: whoever waits for them here learns it."""
        for name in names:
            for future in self.waiters.pop(name, ()):
                if not future.done():
                    future.set_result(None)  # checks again
            self.feed.miss(name)
            self.dispatch.left(name)
            self.logs.finish(name)  # so do those who follow its lines

    # -- what verbs need ------------------------------------------------------------------------------------------

    async def stream(self, who: Caller, run_id: str) -> Stream:
        """A run's stream. Raises NotFound also for a run of another tenant, to hide its existence."""
        if not run_id.startswith("run_") or len(run_id) > 64:
            raise NotFound(f"there is no run {run_id[:64]!r}", hint="run ids begin with run_: aob run list")
        stream = await self._read(who, run_id)
        if stream is None and (gone := await self.store.removed(run_id)) is not None and mine(who, gone):
            raise Gone(
                f"run {run_id} was pruned on {iso(gone.at_ms)} by {gone.by}, with all that had ended before "
                f"{iso(gone.before_ms)}", code="run_pruned",
                hint="a backup of before may still hold it", by=gone.by, at=gone.at_ms, before=gone.before_ms,
                record=gone.record,
            )  # fmt: skip
        return owned(who, "run", run_id, stream, stream and stream.state)

    async def holder(self, id: str) -> str:
        """The stream that holds a ticket or patch of this id; empty if there is none."""
        known = holder_of(id) or self.catalog_law.held.get(id) or self.journal.tickets.holder(id)
        return known or await self.store.holder(id)

    async def holding(self, who: Caller, kind: Literal["ticket", "patch"], id: str) -> Stream:
        """The stream that holds a ticket or patch. Raises NotFound, also for one of another tenant."""
        self.journal.check()
        name = await self.holder(id)
        stream = await self._read(who, name) if name else None
        found = stream if stream is not None and holds(stream.state, kind, id) else None
        return owned(who, kind, id, found, found and found.state)

    async def _read(self, who: Caller, name: str) -> Stream | None:
        """A stream. The error of one that cannot be read is raised for its own tenant only."""
        try:
            return await self.journal.load(name)
        except Exception:
            head = await self.store.head(name)
            if head is None or mine(who, head):
                raise
            return None

    async def ask(
        self, who: Caller, run_id: str, command: Any, reads: Callable[[Decided], Any] | None = None
    ) -> Decided:
        """Send a command to a run of the caller's tenant; `reads` makes the answer from the run right after the
        decision."""
        await self.stream(who, run_id)
        return await self.journal.ask(run_id, command, reads=reads)

    async def ended(self, who: Caller, run_id: str) -> Run:
        """The run once it has ended. Keeps waiting while the store is unavailable."""
        while True:
            try:
                run: Run = (stream := await self.stream(who, run_id)).state
            except Unavailable:
                if self.journal.broken is None or not await self.journal.mended():
                    raise
                continue
            if run.final and not self._uncommitted(stream):
                return run
            future: asyncio.Future[Run | None] = asyncio.get_running_loop().create_future()
            waiting = self.waiters.setdefault(run_id, [])
            waiting.append(future)
            try:
                if (ended := await future) is not None:
                    return ended
            finally:
                if future in waiting:  # cancelled: other waiters stay
                    waiting.remove(future)
                    if not waiting:
                        self.waiters.pop(run_id, None)

    def _uncommitted(self, stream: Stream) -> bool:
        return bool(stream.chunks) and stream.chunks[-1].row > self.journal.durable_row

    async def value(self, tenant: str, cell: Any) -> Any:
        """The value of a cell, fetched if it is stored outside its record. For a map with more than a page of items:
        the first page, and in `next` the cursor for `items`."""
        value = decode(cell)
        ref = ref_in(value)
        if ref is not None:
            return decode(await self.values.fetch(tenant, ref.digest))
        listed = listed_in(value)
        if listed is None:
            return value
        page = await self.items(tenant, f"0.{listed.hex}")
        return {**facts_of(value, await self.values.fetch(tenant, listed.digest)), **page}

    async def items(self, tenant: str, cursor: str) -> dict[str, Any]:
        """A page of a map's items and the cursor of the next page, null at the end. Raises CallerError `bad_cursor`."""
        number, _, listed = cursor.partition(".")
        if not (number.isdecimal() and len(number) < CURSOR_DIGITS_MAX and HEX.fullmatch(listed)):
            raise CallerError(f"{cursor[:80]!r} is no cursor of items", code="bad_cursor",
                              hint="take it from `next` beside the items before")  # fmt: skip
        told = decode(await self.values.fetch(tenant, bytes.fromhex(listed)))
        pages = told.get("pages", []) if isinstance(told, dict) else []
        ref = ref_in(pages[int(number)]) if int(number) < len(pages) else None
        if ref is None:
            why = f"{cursor[:80]!r} leads to no items"
            raise CallerError(why, code="bad_cursor", hint="begin again at the first page")
        more = f"{int(number) + 1}.{listed}" if int(number) + 1 < len(pages) else None
        return {"items": decode(await self.values.fetch(tenant, ref.digest)), "next": more}


def wrong_name(name: str, known: list[str]) -> NotFound:
    """An error for an unknown workflow, with the known names."""
    near = nearest(name, known)
    meant = f"did you mean {near}? " if near else ""
    why = f"there is no workflow {name!r}"
    return NotFound(why, hint=f"{meant}workflows here: {_listed(known)}", code="workflow_not_found")


def only_name(tagged: Mapping[str, Collection[str]], tag: str) -> str:
    """The only workflow of a home, or the only one with a tag; `tagged` maps names to tags. Raises CallerError that
    lists the workflows."""
    having = [name for name, tags in tagged.items() if tag in tags]
    found = list(tagged) if len(tagged) == 1 else having
    if len(found) != 1:
        hint = f"workflows {f'with the tag {tag}' if having else 'here'}: {_listed(having or tagged)}"
        raise CallerError("say which workflow to start", code="workflow_missing", hint=hint)
    return found[0]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:10]) or "none yet: aob workflow push FILE"


def too_many(what: str, limit: int) -> Conflict:
    """An error for a reached limit of the home."""
    return Conflict(f"at most {limit:,} {what}", code="too_many")
