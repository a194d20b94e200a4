"""Services: agents that nobody gives records, and that bring some: pollers, sockets. One runs in whichever process has
the partition of its name, begins again when it ends, and moves with that partition."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Raw

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import AobError, said
from aob.core.event import partition_of
from aob.core.metric_query import MetricQuery
from aob.journal import Journal
from aob.ports.log import Log, Record
from aob.ports.logger import Logger
from aob.work import WorkError
from aob.work.secrets import unnamed
from aob.work.tools import Tools, live_number
from aob.work.topic_agents import Agent, json_of

LOOK_S: Final = 0.5  # how often it is looked whether a service is paused
STEADY_S: Final = 30.0  # one that ran so long begins again after the first pause
STOP_S: Final = 5.0  # how long a service may take to end
log: Final = Logger("aob.organisation")
OpenLog = Callable[[str, str, str], Callable[..., None]]


class ServiceContext:
    """What a service has. After a stop every request raises CancelledError. `acts` says whether this process still has
    the service."""

    def __init__(
        self, agent: Agent, tenant: str, topics: Log, partitions: int, acts: Callable[[], bool], tools: Tools,
        open_log: OpenLog,
    ) -> None:  # fmt: skip
        self._agent, self._topics, self._partitions, self._acts = agent, topics, partitions, acts
        self._tools, self._open_log = tools, open_log
        self._line: Callable[..., None] | None = None
        self.agent, self.tenant = agent.name, tenant

    async def emit(
        self, topic: str, type: str, data: JsonValue = None, *, subject: str = "", id: str = ""
    ) -> bool:  # fmt: skip
        """Append a record; it is durable when this returns. Of one `id` there is one record, however often it is sent:
        False, if it was there. Raises WorkError `topic_undeclared`, and what the topic refuses."""
        if topic not in self._agent.produces:
            hint = f'@agent(produces=["{topic}"])'
            why = f"{self.agent} emits to {topic!r}, and does not say that it produces it"
            raise WorkError(why, code="topic_undeclared", transient=False, detail={"hint": hint})
        if not self._acts():
            raise asyncio.CancelledError
        record = Record(
            id or f"rec_{secrets.token_hex(16)}", self.agent, type, self.tenant, subject, Raw(json_of(data))
        )
        partition = partition_of(subject or record.id, self._partitions)
        told = await self._topics.append(self.tenant, topic, partition, [record], keyed=bool(id))
        return not told[0].repeated

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the log of this service."""
        if self._line is None:
            self._line = self._open_log(f"service/{self.tenant}/{self.agent}", "service", self.tenant)
        self._line(message, 1, fields)

    def secret(self, name: str) -> str:
        """The value of a secret that the agent names: `@agent(secrets=["NAME"])`."""
        if name not in self._agent.secrets:
            raise unnamed(name)
        return self._tools.vault.value(name, None)

    async def metric(self, name: str, window: str = "") -> JsonObject:
        """The present value of a metric of the tenant."""
        return await live_number(self._tools.metrics, self.tenant, MetricQuery(name, window))


class Services:
    """The services of an application in one shard. `topics` append records, `acts` says whether this process may act
    for the shard, `paused` whether a service is."""

    def __init__(
        self, journal: Journal, agents: Mapping[str, Agent], tenant: str, topics: Log, acts: Callable[[], bool],
        tools: Tools, open_log: OpenLog, paused: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._journal, self._tenant, self._topics, self._acts = journal, tenant, topics, acts
        self._tools, self._open_log, self._paused = tools, open_log, paused
        self._agents = {name: agent for name, agent in agents.items() if agent.kind == "service"}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._begun = False

    def begin(self) -> None:
        """Starts those of this shard."""
        self._begun = True
        self.look()

    def look(self, leaving: frozenset[int] = frozenset()) -> None:
        """Partitions came, leave or left: starts and stops services by where they are."""
        for name, agent in self._agents.items() if self._begun else ():
            partition = partition_of(name, self._journal.partitions)
            here = partition not in self._journal.foreign and partition not in leaving
            if here and name not in self._running:
                self._running[name] = asyncio.create_task(self._keep(agent), name=f"aob-service-{name}")
            elif not here and (task := self._running.pop(name, None)) is not None:
                task.cancel()

    async def end(self) -> None:
        """Stops all, and waits a bounded time for them."""
        self._begun = False
        tasks, self._running = list(self._running.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=STOP_S)
            for task in left:
                log.warning("service_ignores_stop", service=task.get_name())

    async def _keep(self, agent: Agent) -> None:
        """Runs a service for ever; one that ends begins again, later each time."""
        rules, loop, failures = agent.rules, asyncio.get_running_loop(), 0
        while True:
            if self._paused(agent.name) or not self._acts():
                await asyncio.sleep(LOOK_S)
                continue
            since = loop.time()
            why = await self._run(agent)
            failures = 0 if loop.time() - since > STEADY_S else failures + 1
            if why:
                wait_s = min(rules.longest_ms, rules.first_ms * rules.factor ** min(failures, 30)) / 1_000
                log.warning("service_ended", service=agent.name, why=why, again_s=round(wait_s, 1))
                await asyncio.sleep(wait_s)

    async def _run(self, agent: Agent) -> str:
        """Why it has ended; empty: it was paused, or this process may not act now."""
        context = ServiceContext(
            agent, self._tenant, self._topics, self._journal.partitions, self._acts, self._tools, self._open_log
        )
        made = asyncio.create_task(agent.fn(ctx=context), name=f"aob-service-run-{agent.name}")
        try:
            while not made.done():
                await asyncio.wait({made}, timeout=LOOK_S)
                if not made.done() and (self._paused(agent.name) or not self._acts()):
                    return ""
            made.result()
        except asyncio.CancelledError:
            if not made.cancelled():
                raise  # we are to stop
            return "" if not self._acts() else "it was cancelled"
        except (AobError, WorkError) as error:
            return f"{type(error).__name__}: {said(error)}"
        except Exception as error:
            log.error("service_broke", service=agent.name, exc_info=error)
            return f"{type(error).__name__}: {said(error)}"
        finally:
            if not made.done():
                made.cancel()
                await asyncio.wait({made}, timeout=STOP_S)
        return "it has returned"
