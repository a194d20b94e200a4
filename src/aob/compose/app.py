"""A home in this process: `async with aob.open("./home", app=module) as app`. `aob up` serves the same code."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aob.compose.agents import agent_laws, attach_work, declare_work, make_agents, registering, with_agents
from aob.compose.cluster import Right, barely_tenured, tenured
from aob.compose.files import check_files, opened
from aob.compose.home import forwarded
from aob.compose.layout import Layout, ShardIds, finished
from aob.compose.lock import usable
from aob.compose.metrics import Metrics, Wiring, make_laws
from aob.compose.notices import Notices, ticket_of
from aob.compose.parts import (
    NOTICES_OUT,
    WEBHOOKS_OUT,
    contract_files,
    load_handlers,
    own_client,
)
from aob.compose.settings import Settings
from aob.compose.shared import Shared, now_ms, share
from aob.compose.storage import InDatabase
from aob.compose.sweeping import sweep_often
from aob.compose.threads import ManyShards, OneShard
from aob.compose.topics import take_over, tidy
from aob.compose.workers import make_gateway
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, Invalid, Problem, Unavailable
from aob.core.event import partition_of
from aob.core.metric_query import MetricQuery
from aob.core.opening import Opening
from aob.core.policy import LOCAL, Caller
from aob.core.value import canonical
from aob.organisation.cycle import TenantAgents
from aob.ports.log import Record
from aob.ports.logger import Logger
from aob.runs import Ambient, Core
from aob.runs.removal import Sweep
from aob.threads import Threads
from aob.views import Views
from aob.work.kinds import barer, computer, performer, placer
from aob.work.pool import Perform, Running
from aob.work.topic_agents import Received, received

if TYPE_CHECKING:
    from aob.langgraph import AobSaver, AobStore, RecordSaver

LOOK_S: Final = 0.5
FOLLOW_MS: Final = 10_000  # after which a follower of a topic looks by itself
ENDED_MS: Final = 30_000  # after which one who waits for the end of a task asks again
AGAIN_S: Final = 1.0
log: Final = Logger("aob.compose")


class RunHandle:
    """A run that this process started: its id, its status at the start, and its end."""

    def __init__(self, app: "App", run_id: str, status: str, created: bool) -> None:
        self._app, self.id, self.status, self.created = app, run_id, status, created

    def __repr__(self) -> str:
        return f"<run {self.id} {self.status}>"

    async def done(self) -> JsonObject:
        """Wait until the run has ended; return it whole: `status`, `output`, `error`, `nodes` and more."""
        await self._app.ended(self.id)
        told = await self.show()
        self.status = told["status"]
        return told

    async def show(self) -> JsonObject:
        """Return the whole run in its present state."""
        return await self._app.views.run(self._app.who, self.id)


class App:
    """A running home. `views` and `metrics` have every verb of the server; the methods here are the most used ones.

    A further shard has no `metrics`: events and their numbers are beside shard 0.
    """

    def __init__(
        self, shared: Shared, views: Views, notices: Notices | None = None, wiring: Wiring | None = None,
        metrics: Metrics | None = None, sweeping: asyncio.Task[None] | None = None, who: Caller = LOCAL,
    ) -> None:  # fmt: skip
        self.shared, self.views, self.who = shared, views, who
        self.home, self.settings, self.room = shared.home, shared.settings, shared.room
        self._notices, self.wiring, self._metrics, self.sweeping = notices, wiring, metrics, sweeping
        self.ended: Callable[[str], Awaitable[object]] = lambda run_id: self.views.core.ended(self.who, run_id)
        """Waits until a run has ended."""
        self.held = Threads(views.core.journal)
        self.threads: OneShard | ManyShards = OneShard(self.held, who.tenant)
        """The threads of graphs in this home."""
        if isinstance(agents := views.core.others, TenantAgents):
            agents.graphs[who.tenant] = self

    def saver(self, *, keep: int = 20, allow: Collection[tuple[str, ...] | type] = ()) -> "AobSaver":
        """A checkpointer of LangGraph whose threads are rows of this home: see `AobSaver`. Raises Invalid
        `not_installed` without the extra `langgraph`."""
        room = _langgraph()
        found: AobSaver = room.AobSaver(self.threads, room.Calls(asyncio.get_running_loop()), keep=keep, allow=allow)
        return found

    def record_saver(self, agent: str, *, allow: Collection[tuple[str, ...] | type] = ()) -> "RecordSaver":
        """The checkpointer of a graph for one record of an agent."""
        room = _langgraph()
        made: RecordSaver = room.RecordSaver(self.threads, room.Calls(asyncio.get_running_loop()), agent, allow)
        return made

    def memory(self, *, index: Any = None, ttl: Any = None) -> "AobStore":
        """A store of LangGraph (long-term memory) whose items are rows of this home: see `AobStore`. Raises Invalid
        `not_installed` without the extra `langgraph`."""
        room = _langgraph()
        found: AobStore = room.AobStore(self.threads, room.Calls(asyncio.get_running_loop()), index=index, ttl=ttl)
        return found

    @property
    def metrics(self) -> Metrics:
        """All verbs of events and numbers. Raises Unavailable `not_here` in the owner of a further shard."""
        if self._metrics is None:
            raise Unavailable("events and metrics are in the home's main process", code="not_here")
        return self._metrics

    @property
    def notices(self) -> Notices:
        """Sends notices of tickets. Raises Unavailable `not_here` in the owner of a further shard."""
        if self._notices is None:
            raise Unavailable("people are told by the home's main process", code="not_here")
        return self._notices

    def working(self) -> AbstractAsyncContextManager[None]:
        """Dispatches jobs until it is left; running jobs then finish while the gate and the journal are still open."""
        return self.views.core.working()

    async def ingest(self, events: Mapping[str, JsonValue] | Iterable[Mapping[str, JsonValue]]) -> JsonObject:
        """Pass events (or one) through the gate; they are durable and folded when this returns. One verdict each."""
        given = (events,) if isinstance(events, Mapping) else events
        lines = msgspec.json.Encoder().encode_lines([dict(event) for event in given])
        told: JsonObject = msgspec.json.decode(await self.metrics.ingest(self.who, lines))
        return told

    async def metric(self, name: str, **asked: Any) -> JsonObject:
        """Read a number now; `asked` are fields of `MetricQuery` (`window`, `by`, `where`, ...)."""
        return dict(await self.metrics.metric(self.who, MetricQuery(name, **asked)))

    async def push_contracts(self, files: Mapping[str, str] | Path) -> JsonObject:
        """Push contracts: texts by file name, or a folder of YAML files."""
        if isinstance(files, Path):
            files = await asyncio.to_thread(contract_files, files)
        return dict(await self.metrics.push_contracts(self.who, files))

    async def produce(
        self, topic: str, type: str, data: JsonValue = None, *, subject: str = "", id: str = ""
    ) -> int:  # fmt: skip
        """Append a record to a topic; it is durable when this returns its offset. `subject` is its key. One with an
        `id` is appended once, however often it is sent. Raises Conflict `event_exists`."""
        record = Record(
            id or f"rec_{uuid.uuid4().hex}", "app", type, self.who.tenant, subject, msgspec.Raw(canonical(data))
        )
        partition = partition_of(subject or record.id, self.views.core.journal.partitions)
        appended = await self.shared.log.append(self.who.tenant, topic, partition, [record], keyed=bool(id))
        return appended[0].offset

    async def follow(self, topic: str) -> AsyncIterator[Received]:
        """The records of a topic from its beginning, and then as they come; those of a key in order."""
        topics, tenant = self.shared.topics, self.who.tenant
        read = dict[int, int]()
        while True:
            moved = asyncio.ensure_future(topics.moved(tenant, topic, FOLLOW_MS))
            try:
                shapes = {shape.name: shape.ends for shape in await topics.topics(tenant)}
                for partition in [n for n, end in shapes.get(topic, {}).items() if end > read.get(n, 0)]:
                    while found := await topics.read(tenant, topic, partition, read.get(partition, 0)):
                        read[partition] = found[-1].offset + 1
                        for each in found:
                            yield received(topic, each.offset, each.record)
                await moved
            finally:
                moved.cancel()

    async def submit(self, request: Mapping[str, JsonValue]) -> JsonObject:
        """Ask for a task or a plan by its request; it is durable when this returns. The same request again answers
        again. Raises Invalid with every problem, Conflict `task_exists` `plan_exists`."""
        submits = getattr(self.views, "submit_task" if "task_id" in request else "submit_plan")
        told: JsonObject = await submits(self.who, dict(request))
        return told

    async def finished(self, *, task_id: str = "", plan_id: str = "") -> JsonObject:
        """Wait until a task or a plan has ended; return it with its result."""
        shows = getattr(self.views, "task" if task_id else "plan")
        while (told := await shows(self.who, task_id or plan_id, ENDED_MS))["status"] == "running":
            pass
        found: JsonObject = told
        return found

    async def push(self, document: Mapping[str, JsonValue] | bytes | str | Path, *, tag: str = "main") -> JsonObject:
        """Push a workflow: a document, its text, or the path of its file. Raises Invalid with every problem."""
        if isinstance(document, Path):
            document = await asyncio.to_thread(document.read_bytes)
        elif isinstance(document, str):
            document = document.encode()
        plain = document if isinstance(document, bytes) else dict(document)
        return await self.views.push(self.who, plain, tag=tag)

    async def start(self, workflow: str, inputs: Any = None, **options: Any) -> RunHandle:
        """Start a run; it is durable when this returns. Options as `views.start` takes them (`key`, `mode`, ...)."""
        told = await self.views.start(self.who, workflow, inputs, **options)
        return RunHandle(self, told["run_id"], told["status"], told["created"])

    async def run(self, run_id: str) -> JsonObject:
        """Return a whole run."""
        return await self.views.run(self.who, run_id)

    async def answer(self, ticket_id: str, choice: str, reason: str = "", values: Any = None) -> JsonObject:
        """Decide a ticket."""
        return await self.views.answer(self.who, ticket_id, choice, reason=reason, values=values)


def _langgraph() -> Any:
    """The room of LangGraph, imported when somebody asks for it."""
    try:
        from aob import langgraph
    except ImportError as error:
        raise Invalid("this home cannot serve LangGraph", [
            Problem("langgraph", f"needs a package that is not installed ({error.name})", "not_installed",
                    hint="pip install 'agentic-orchestration-builder[langgraph]'")
        ]) from error  # fmt: skip
    return langgraph


async def at_rest(home: Path, layout: Layout) -> Layout:
    """The layout of a home after every started move of a partition is finished. The caller holds the home's lock."""
    if not layout.moving:
        return layout
    with usable(home):
        await asyncio.to_thread(check_files, home)
        forwarded(home)
        return await finished(home, layout, partial(opened, home))


async def assemble(
    stack: AsyncExitStack, home: Path, settings: Settings, app: Sequence[object | str], layout: Layout, shard: int = 0,
    opening: Opening | None = None, shared: Shared | None = None, database: InDatabase | None = None,
    right: Right | None = None,
) -> App:  # fmt: skip
    """Make and enter every part of a shard in order of dependency, and report progress to `opening`; `shared` are the
    parts of a process that has other shards, `database` has what lasts, else the files of the home do; `right` is that
    of this shard where each has its own. Jobs are dispatched only after `working` of the App is entered, which is left
    first."""
    with usable(home):
        if shared is None:
            handlers = load_handlers(app, settings)
            if not shard:
                await asyncio.to_thread(check_files, home)
                await tidy(home)
                forwarded(home)
            shared = await share(
                stack, home, settings, handlers, layout.files, layout.partitions, database, states=not shard
            )
            if not shard:
                made = make_gateway(
                    stack, settings, home, handlers.facts, shared.blobs, shared.secrets.vault, shared.live
                )  # fmt: skip
                shared = shared._replace(gateway=made)
        return await _assembled(stack, shared, layout, shard, opening or Opening(), right or shared.right)


async def _core(
    stack: AsyncExitStack, shared: Shared, layout: Layout, shard: int, opening: Opening, right: Right | None
) -> Core:  # fmt: skip
    """The core of a shard, recovered, with the laws of all rooms."""
    settings, tools, claim = shared.settings, shared.tools, shared.claim
    store = await shared.storage.store(layout.first(shard), shard)
    stack.push_async_callback(store.close)
    for old in shared.storage.old_topics():
        await take_over(old, store, right.permit if right is not None else None)
    law, *more = agent_laws(shared.handlers)
    core = Core(
        store, shared.blobs, shared.handlers.facts,
        lambda dispatch: _held(with_agents(performer(tools, dispatch.context, dispatch.verify), lambda: agents), right),
        place=placer(tools), bare=barer(tools) if right is None else barely_tenured(barer(tools), right.tenure),
        rules=shared.live.now.patch_rules(), ambient=Ambient(now_ms if right is None else right.clock.now_ms),
        logs=shared.logs, concurrency=settings.concurrency, laws=[*make_laws().values(), law, *more],
        running=_running(stack, shared, shard), life=shared.storage.generation, limits=shared.limits,
    )  # fmt: skip
    stack.callback(
        shared.live.hear(lambda now: core.run_law.change_rules(now.patch_rules(), core.journal.streams.values()))
    )
    agents = core.others = make_agents(
        core, law, shared.handlers, tools, shared.topics, shared.log, shared.paused_agents,
        lambda: core.journal.broken is None and (right is None or right.tenure.acts),
    )  # fmt: skip
    core.run_law.partitions_of = law.partitions_of
    core.compute, core.dispatch.pure = computer(tools), shared.handlers.pure
    if claim is not None:
        core.newest_rules = claim.newest_rules
    if shared.gateway is not None:
        shared.gateway.connect(core, tools)
        shared.gateway.connect_agents(core, agents)
        if claim is not None:
            shared.gateway.hub.acts = lambda: claim.acts
    of_workers, core.attached = core.beside, shared.attached
    core.beside = lambda: {**of_workers(), "settings": shared.live.status()}
    core.journal.shard, core.journal.opening = shard, opening
    if isinstance(shared.storage, InDatabase):
        core.journal.place = await shared.storage.place(shard)
    core.journal.permit = right.permit if right is not None else None
    core.ids = ShardIds(core.ambient, core.journal) if layout.files > 1 else core.ids
    state_pages = shared.storage.state_pages(shard)
    stack.push_async_callback(state_pages.close)
    core.journal.keep_pages(state_pages)
    core.storage = shared.storage.figures if isinstance(shared.storage, InDatabase) else None
    core.lists = shared.storage.servers.lists(shard) if isinstance(shared.storage, InDatabase) else None
    shared.holds(core, stack)
    await stack.enter_async_context(core.opened())
    stack.callback(asyncio.create_task(_watch_clock(core), name="aob-clock").cancel)
    core.egress["nodes"] = tools.http
    return core


async def _assembled(
    stack: AsyncExitStack, shared: Shared, layout: Layout, shard: int, opening: Opening, right: Right | None
) -> App:  # fmt: skip
    core = await _core(stack, shared, layout, shard, opening, right)
    views = Views(core)
    attach_work(views, core, shared.telemetry)
    if shard:  # shard 0 has the gate and the numbers: the process that has it gives both
        return App(shared, views)
    home, shards = shared.home, layout.files
    sweeping = asyncio.create_task(sweep_often([Sweep(core)], now_ms), name="aob-sweep")
    stack.callback(sweeping.cancel)
    notifying = msgspec.structs.replace(shared.tools, http=own_client(stack, shared.live, NOTICES_OUT))
    core.egress["notices"] = notifying.http
    core.egress["webhooks"] = webhooks_out = own_client(stack, shared.live, WEBHOOKS_OUT)
    laws = {type(law): law for law in core.journal.laws}
    wiring = Wiring(
        home, shared.storage, core, views, webhooks_out, shared.tools.cache, shared.telemetry, laws, now_ms, shards,
        layout.added, shared.secrets.webhooks, shared.topics, shared.tools.model,
    )  # fmt: skip
    metrics = await wiring.enter(stack)
    if shared.handlers.agents:
        assert isinstance(core.others, TenantAgents)
        await declare_work(metrics.create_topic, shared.handlers, firmly=right is None)
        await registering(stack, metrics.register_agent, core, shared.handlers, core.others, patient=right is not None)
    shared.room.writes.append(wiring.gate)
    stack.callback(shared.room.writes.remove, wiring.gate)
    notices = await stack.enter_async_context(
        Notices(now_ms, notifying, shared.secrets.links[0], wiring.delivered, layout.added)
    )
    stack.callback(asyncio.create_task(_notify(core, notices), name="aob-notices-0").cancel)
    shared.log.provide(wiring.gated_log)
    shared.reader.provide(wiring.answers)
    return App(shared, views, notices, wiring, metrics, sweeping)


def _held(perform: Perform, right: Right | None) -> Perform:
    return perform if right is None else tenured(perform, right.tenure)


async def _notify(core: Core, notices: Notices) -> None:
    """Send notices of this process's tickets, read from its journal."""
    while True:
        try:
            place = await notices.begin(0, core.journal.durable_row)
            async for facts, row in core.feed.milestones(place):
                await notices.take(0, facts, row, partial(ticket_of, core))
        except AobError as error:  # the store is unavailable: read again from the same position
            log.warning("notices_wait", code=error.code, detail=error.detail)
            await asyncio.sleep(AGAIN_S)


async def _watch_clock(core: Core) -> None:
    """Notices when the clock is set, and fires the timers that became due by it."""
    while True:
        await asyncio.sleep(LOOK_S)
        core.look()


def _running(stack: AsyncExitStack, shared: Shared, shard: int) -> Running | None:
    """The list of running jobs, for a store that outlives this process."""
    return stack.enter_context(Running(shared.home / f"running-{shard}")) if shared.storage.lasts else None
