"""The gateway of a home: one hub for the workers of all its runs, and the gRPC port that workers come to."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aob.compose.live_settings import LiveSettings
from aob.compose.settings import Settings
from aob.compose.workers.certificate import Followed, certificate_of, told_address
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.core.value import Ref, canonical
from aob.organisation.cycle import TenantAgents
from aob.ports.blobs import Blobs
from aob.runs import Core
from aob.work import Facts
from aob.work.pool import Running
from aob.work.secrets import Vault
from aob.work.tools import Tools

if TYPE_CHECKING:
    from aob.work.remote import Hub

AWAY: Final = "away"  # the file of a home that lists the attempts that are at workers
PLACES: Final = 4_096


class Gateway:
    """Connects shards with workers. `address` is where workers come to, once it listens."""

    hub: "Hub"

    def __init__(self, settings: Settings, blobs: Blobs, pem: Followed | None = None) -> None:
        self._settings, self._blobs, self._pem = settings, blobs, pem
        self.address = ""
        self._open_s = 0.0
        self._tasks: set[asyncio.Future[None]] = set()

    def connect(self, core: Core, tools: Tools) -> None:
        """Jobs of a shard go to workers too. Before it works."""
        from aob.runs.remote import connect

        core.beside = self.health
        connect(core, self.hub, tools, kinds_wait=self._settings.kinds_without_worker == "wait")

    def connect_agents(self, core: Core, agents: TenantAgents) -> None:
        """So do records for its agents. After `connect`."""
        from aob.compose.agents.elsewhere import connect_agents

        connect_agents(core, self.hub, agents, waits=self._settings.kinds_without_worker == "wait")

    def health(self) -> JsonObject:
        """What the home's health says of workers: where they come to, how many are attached."""
        if not self.address:
            return {}
        return {"workers": told_address(self.address, self._pem), "attached": len(self.hub.workers)}

    def awaits(self) -> bool:
        """Whether workers of the process before may be on their way to this one: until a lease time after they can
        come."""
        return not self._open_s or time.monotonic() - self._open_s <= self.hub.lease_ms / 1_000

    def figures(self) -> list[tuple[str, str, dict[tuple[str, str, str], float] | float]]:
        """For Prometheus, by handler, labels and build, or for all: what waits, for how long; how many workers, what
        they have."""
        hub = self.hub
        lanes: dict[tuple[str, str, str], tuple[int, float]] = {}
        for lane, (count, wait_s) in hub.lanes().items():
            named = lane.handler, ",".join(f"{name}={value}" for name, value in lane.labels), lane.build
            many, longest = lanes.get(named, (0, 0.0))  # lanes may differ in what they need
            lanes[named] = many + count, max(longest, wait_s)
        oldest = {name: seconds for name, (_, seconds) in lanes.items()}
        return [
            ("aob_worker_jobs_waiting", "Jobs that wait for a worker.", {name: n for name, (n, _) in lanes.items()}),
            ("aob_worker_oldest_wait_seconds", "How long the oldest job waits.", oldest),
            ("aob_workers", "Workers that are attached or may come back.", len(hub.workers)),
            ("aob_worker_jobs_out", "Jobs that workers have.", sum(len(each.leases) for each in hub.workers.values())),
        ]

    async def put(self, tenant: str, data: bytes) -> Ref:
        """Store a value for a job."""
        return await self._blobs.put(tenant, data)

    async def fetch(self, tenant: str, digest: bytes) -> bytes:
        """A value that a worker has stored."""
        return await self._blobs.get(tenant, digest)

    def aside(self, work: Awaitable[None]) -> object:
        """Run a task, and keep it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @asynccontextmanager
    async def listening(self, keys: Sequence[Any], url: str = "", application: Any = None) -> AsyncIterator[str]:
        """Serve workers until it is left. `keys` find their callers, `url` is the HTTP server's; the verbs of its
        `application` are served there as well."""
        from aob.server.workers import Door, listening
        from aob.work.remote import Requests

        settings, hub = self._settings, self.hub
        hub.url = url
        requests = Requests(hub, self.fetch, self.put)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(requests.stop)
            door = Door(hub, requests, list(keys))
            others = [] if application is None else [verbs_of(application)]
            served = listening(door, settings.host, settings.grpc_port or 0, self._pem, others)
            listens = await stack.enter_async_context(served)
            stack.callback(hub.stop)
            self.address = listens.address
            self._open_s = time.monotonic()
            try:
                yield listens.address
            finally:
                self.address = ""


def make_gateway(
    stack: AsyncExitStack, settings: Settings, home: Path, facts: Facts, blobs: Blobs, vault: Vault,
    live: LiveSettings,
) -> Gateway | None:  # fmt: skip
    """The gateway of a home whose settings ask for one. Raises Invalid when its packages are missing, or when keys
    would travel in plain text."""
    if settings.grpc_port is None:
        return None
    pem = certificate_of(settings, home)
    try:
        from aob.work.remote import Hub, Sending
    except ImportError as error:
        raise not_installed(error) from error
    running = None
    if not settings.store.startswith("memory"):
        running = stack.enter_context(Running(home / AWAY, PLACES))
    gateway = Gateway(settings, blobs, pem)

    def secrets(who: Caller, names: Iterable[str]) -> dict[str, str]:
        """Only for workers of the home's own tenant; none that is bound to hosts."""
        return dict(_given(vault, names)) if who.tenant == LOCAL.tenant else {}

    gateway.hub = Hub(Sending(gateway.put, gateway.aside), facts, running=running)
    facts.awaited = gateway.awaits
    gateway.hub.secrets = secrets
    gateway.hub.settings = partial(_settings_told, live)
    stack.callback(live.hear(lambda now: gateway.hub.say_settings()))
    stack.callback(gateway.hub.stop)
    return gateway


def _given(vault: Vault, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        with suppress(NotFound, Unavailable):
            secret = vault.get(name)
            if not secret.hosts:
                yield name, secret.value


def _settings_told(live: LiveSettings) -> Any:
    """What counts here for built-in kinds, as workers are told it."""
    from aob.rpc import worker_pb2 as pb

    told = {"egress": live.now.egress, "model": live.now.models.default}
    return pb.Settings(version=live.version, data=canonical(told))


def verbs_of(application: Any) -> Any:
    """The verbs of an application, for a gRPC server."""
    from aob.server.grpc_verbs import verb_handlers

    return verb_handlers(application)


def not_installed(error: ImportError) -> Invalid:
    """The error of a process whose settings ask for a gRPC port, and that cannot serve one."""
    return Invalid("workers cannot be served", [
        Problem("grpc_port", f"needs a package that is not installed ({error.name})", "not_installed",
                hint="pip install 'agentic-orchestration-builder[grpc]'")
    ])  # fmt: skip
