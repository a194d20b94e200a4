"""`aob up`: runs a home, its server and its key until stopped; with a process for each further shard."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

import msgspec

from aob.backends.marks_page import home_gone
from aob.compose.api import HOME_STREAMS, HomeRoom
from aob.compose.app import App, assemble, at_rest
from aob.compose.cluster import Door
from aob.compose.files import make_room
from aob.compose.forking import given_back, never_in_a_child
from aob.compose.home import database_of
from aob.compose.layout import Layout, layout_in, layout_of
from aob.compose.lock import owning, usable
from aob.compose.logging import set_up_log
from aob.compose.loop import end_process, on_continued, run_tuned
from aob.compose.memory import watched
from aob.compose.metrics import Exposition
from aob.compose.network import Certificates, Member, PeerServer
from aob.compose.network.certificates import ends_of
from aob.compose.network.greeting import parted
from aob.compose.network.server import certificates_at
from aob.compose.secrets import check_keys
from aob.compose.settings import Settings, is_loopback, read_settings
from aob.compose.shards import Owners
from aob.compose.storage import InDatabase
from aob.core.errors import Invalid, Problem, Unavailable
from aob.core.opening import Opening
from aob.ports.logger import Logger
from aob.server import API_KEYS, KEY_FILE, Starting, announced, create_app, listen, loopback_key, read_api_keys, serving

OLD_API_KEYS: Final = "AGENTFLOW_API_KEYS"
LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "[::1]"}
log: Final = Logger("aob.up")

FILES_WANTED: Final = 16_384  # open files that a server asks for
TELL_S: Final = 0.25  # how often an opening's progress is reported
LOG_EVERY: Final = 20
AWAY: Final = "store_away"  # the code of a database that is not reached
AGAIN_S: Final = 0.5  # pause between two attempts to reach a database
CONTRACTS: Final = "contracts"  # the folder of contracts in the home that each start pushes

Answer = TypeVar("Answer")
Beside = Callable[[asyncio.Event], Coroutine[Any, Any, object]]
"""What runs while a home does. The event is set when the home must stop."""


def up(
    home: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    app: Sequence[str] = (),
    shards: int | None = None,
    partitions: int | None = None,
    peers: str = "",
    said: Any = None,
    waits: Callable[[Opening], None] = lambda opening: None,
    beside: Beside | None = None,
) -> NoReturn:
    """Run a home until SIGINT or SIGTERM, then end this process; `peers` is where processes of the role `api` reach it.
    `said(url, app, settings)` is called once it takes requests, `waits` repeatedly while the home opens. The home ends
    with what runs `beside` it."""
    os.umask(0o077)  # a home's contents are for its owner only
    open_files()
    with usable(home):
        settings = read_settings(home, os.environ, host=host, port=port, shards=shards, partitions=partitions)
    check_keys(settings)
    if beside is not None and settings.grpc_port is None:
        settings = msgspec.structs.replace(settings, grpc_port=0)  # what runs beside it is a worker
    set_up_log(settings.log_level, pretty=sys.stderr.isatty())
    run_tuned(serve_home(home, settings, app, said, waits, beside, *([peers] if peers else [])))
    end_process()


def open_files() -> None:
    """Raise this process's limit of open files to its maximum: each connection is one, and shells allow few."""
    if sys.platform == "win32":
        return
    import resource

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if most == resource.RLIM_INFINITY else min(FILES_WANTED, most)
    if files not in (resource.RLIM_INFINITY, wanted) and files < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def serve_home(
    home: Path, settings: Settings, app: Sequence[str], said: Any, waits: Callable[[Opening], None],
    beside: Beside | None = None, peers: str = "",
) -> None:  # fmt: skip
    """Listen, open the home, serve it until a stop signal; as `up` does, on a running loop."""
    stop = Stop()
    opening = Opening()
    own = certificates_at(peers, settings.certs_folder(home), ["coordinator"]) if peers else None
    async with AsyncExitStack() as stack:
        with usable(home):
            make_room(home)
            stack.enter_context(owning(home))
            if settings.in_database:
                database_of(home)  # its own files may say no at once
            layout = None if settings.in_database else layout_of(home, settings.shards, settings.partitions)
        # The port opens first and closes first: requests finish before the parts they need.
        port = AsyncExitStack()
        stack.push_async_callback(port.aclose)
        starting = Starting(opening)
        url = await listening(port, settings, starting)
        known = (home / KEY_FILE).exists()  # else a reader of the address finds no key
        if known:
            with usable(home):
                port.enter_context(announced(home, url))
        async with stop.cuts_off():
            telling = asyncio.create_task(_tell(opening, waits), name="aob-opening")
            try:
                running, owners = await _opened(stack, home, settings, app, layout, url, opening)
                with usable(home):
                    await loopback_key(home, running.views)
            finally:
                telling.cancel()
        if stop.is_set():
            return
        stack.push_async_callback(port.aclose)
        running.notices.base_url = settings.public_url.rstrip("/") or url
        api_keys = read_api_keys(keys_of(os.environ))
        application = _application(running, owners, api_keys)
        claim = running.shared.claim
        door: Any = application if claim is None else Door(application, claim)
        starting.ready(door)
        workers = await _workers(port, running, owners, api_keys, door)
        if peers:
            await _answer_peers(port, own, running, owners, peers)
        if workers or not known:
            with usable(home):
                port.enter_context(announced(home, url, workers))
        if said is not None:
            said(url, running, settings)
        running.room.reserve, running.room.gone = True, stop.set
        if claim is not None:
            claim.lost = stop.set
        if claim is None or claim.over is None:
            await (stop.wait() if beside is None else beside(stop))
        if claim is not None and claim.over is not None:
            await running.shared.cut_off()
    if claim is not None and claim.over is not None:
        raise claim.over
    if running.room.left:
        raise home_gone(home, running.room.lost)


class Stop(asyncio.Event):
    """Set by SIGINT and SIGTERM."""

    def __init__(self) -> None:
        super().__init__()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, self.set)

    @asynccontextmanager
    async def cuts_off(self) -> AsyncIterator[None]:
        """Cancels the work inside at a stop: it ends there, without an error."""
        task, cut = asyncio.current_task(), False
        assert task is not None

        async def watch() -> None:
            nonlocal cut
            await self.wait()
            cut = task.cancel()

        watching = asyncio.create_task(watch(), name="aob-stop")
        try:
            yield
            watching.cancel()
            if cut:
                await asyncio.sleep(0)  # it arrived when all was done: what it cancels is this
        except asyncio.CancelledError:
            if not cut:
                raise
            task.uncancel()
        finally:
            watching.cancel()


async def _opened(
    stack: AsyncExitStack, home: Path, settings: Settings, app: Sequence[str], layout: Layout | None,
    url: str, opening: Opening,
) -> tuple[App, Owners]:  # fmt: skip
    database: InDatabase | None = None
    if layout is None:
        database = await reached(stack, home, opening, partial(InDatabase.open, home, settings, url))
        layout = await layout_in(database, settings.shards, settings.partitions)
    assert layout is not None, "a home has files or a database"
    layout = await at_rest(home, layout) if database is None else layout
    running = await assemble(stack, home, settings, app, layout, opening=opening, database=database)
    opening.begin("contracts")
    if (home / CONTRACTS).is_dir():
        await running.push_contracts(home / CONTRACTS)
    await stack.enter_async_context(running.working())
    stack.enter_context(watched(running.views.core, lambda: sum(running.wiring.live.at) if running.wiring else 0))
    on_continued(running.shared.continued)
    running.views.core.pool.contain()
    opening.begin("shards")
    return running, await stack.enter_async_context(Owners(running, app, layout, opening))


async def reached(
    stack: AsyncExitStack, home: Path, opening: Opening, opens: Callable[[], Coroutine[Any, Any, InDatabase]]
) -> InDatabase:  # fmt: skip
    """The database of a home as soon as it is reached: it may be starting too."""
    opening.begin("waiting for the database")
    with usable(home):
        found = await answered(opens)
    stack.push_async_callback(found.close)
    opening.begin("database")
    return found


async def answered(asks: Callable[[], Awaitable[Answer]]) -> Answer:
    """What a database is asked, as soon as it answers; asked again while it is away."""
    said = ""
    while True:
        try:
            return await asks()
        except Unavailable as error:
            if error.code != AWAY:
                raise
            if said != error.detail:
                log.warning("database_not_reached", detail=error.detail, hint=error.hint)
            said = error.detail
            await asyncio.sleep(AGAIN_S)


async def _tell(opening: Opening, waits: Callable[[Opening], None]) -> None:
    """Report what an opening waits for to its starter, and periodically to the log."""
    for turn in count(1):
        await asyncio.sleep(TELL_S)
        waits(opening)
        if not turn % LOG_EVERY:
            log.info("opening", **opening.told())


def keys_of(env: Mapping[str, str]) -> str:
    """Keys of the environment. The older variable is read like the newer; there, an entry may be only a secret."""
    if env.get(API_KEYS):
        return env[API_KEYS]
    entries = [entry.strip() for entry in env.get(OLD_API_KEYS, "").split(",") if entry.strip()]
    return ",".join(
        entry if ":" in entry else f"agentflow{number}:{entry}:view+run" for number, entry in enumerate(entries, 1)
    )


def hosts_of(settings: Settings) -> frozenset[str] | None:
    """On loopback, the host names that a request may address: a foreign page's own name may resolve to here. Bound
    elsewhere, any: the proxy before it checks names."""
    if not is_loopback(settings.host):
        return None
    own = {urlsplit(settings.public_url).hostname or "", settings.host.lower(), f"[{settings.host.lower()}]"}
    return frozenset(own | LOOPBACK_NAMES) - {""}


def warn_of_plain_text(settings: Settings) -> None:
    """Warn when others reach the address and no setting says that a proxy adds TLS: keys would travel unencrypted."""
    if not is_loopback(settings.host) and not settings.public_url.startswith("https://"):
        log.warning(
            "bound_without_tls", host=settings.host,
            hint="put a proxy with TLS before it and set public_url = \"https://...\", or listen on 127.0.0.1",
        )  # fmt: skip


async def listening(port: AsyncExitStack, settings: Settings, starting: Starting) -> str:
    """Listen as the settings say until it is left; the URL."""
    bound = listen(settings.host, settings.port)
    never_in_a_child(bound.fileno())
    port.callback(given_back, bound.fileno())
    warn_of_plain_text(settings)
    return await port.enter_async_context(serving(starting, bound))


async def _workers(port: AsyncExitStack, running: App, owners: Owners, api_keys: Any, application: Any) -> str:
    """Serve workers and verbs over gRPC; the address, empty when the settings name no port."""
    gateway = running.shared.gateway
    if gateway is None:
        return ""
    if len(owners.sweeps) > 1 and not running.settings.one_process:
        raise Invalid("workers serve a home of one shard", [
            Problem("grpc_port", f"this home has {len(owners.sweeps)} shards in processes of their own",
                    "workers_one_shard", hint="aob shards set 1, or leave grpc_port out")
        ])  # fmt: skip
    served = gateway.listening([api_keys, running.views], running.notices.base_url, application)
    return await port.enter_async_context(served)


async def _answer_peers(
    port: AsyncExitStack, certificates: Certificates | None, running: App, owners: Owners, address: str
) -> None:  # fmt: skip
    """Listen for processes of the role `api`."""

    def rooms() -> tuple[object, ...]:
        return running.views if len(owners.sweeps) == 1 else owners.verbs, running.metrics, owners.home

    claim = running.shared.claim
    acts = (lambda: True) if claim is None else (lambda: claim.acts)
    room = HomeRoom(rooms, running.views.active_keys, running.shared.secrets.links, acts=acts,
                    settings=lambda: running.shared.live.record)  # fmt: skip
    own = Member(("coordinator",), running.home.name)
    server = PeerServer(own, lambda shard: room, HOME_STREAMS, certificates, running.shared.telemetry)
    await port.enter_async_context(await server.open(*parted(address)))
    running.shared.fronts.append(server.asking)
    log.info("peers_answered", address=server.address)


def certificates_of(home: Path, settings: Settings, role: str) -> Certificates | None:
    """The certificates of a process of this role; None where there is no folder of them."""
    folder = settings.certs_folder(home)
    return Certificates(folder, [role]) if folder.is_dir() else None


def _application(running: App, owners: Owners, api_keys: Any) -> Any:
    home, settings = running.home, running.shared.live.now
    verbs: Any = running.views if len(owners.sweeps) == 1 else owners.verbs
    wiring = running.wiring
    assert wiring is not None, "the main process has the metrics layer"
    numbers = Exposition(
        wiring.telemetry.stages, wiring.figures, lambda: dict(running.views.core.journal.stats), wiring.unmoved,
        running.views.core.replaced, lambda: ends_of(settings.certs_folder(home)),
        gateway.figures if (gateway := running.shared.gateway) is not None else list,
    )  # fmt: skip
    running.views.core.roles_elsewhere = api_keys.roles()
    for id, words in api_keys.lacking():
        log.warning("api_key_may_not_deploy", key=id, hint=words)
    made = create_app(
        verbs,
        running.metrics,
        owners.home,
        metrics_text=numbers.text,
        telemetry=wiring.telemetry,
        link_secrets=running.shared.secrets.links,
        now_ms=running.views.core.time_ms,
        reads_per_minute=settings.rate_limit_rpm,
        tenant_reads_per_minute=settings.tenant_rate_limit_rpm,
        api_keys=api_keys,
        public_url=settings.public_url,
        hosts=hosts_of(settings),
    )
    owners.grown = lambda: made.serve(owners.verbs)
    running.shared.live.hear(lambda now: made.bound_reads(now.rate_limit_rpm, now.tenant_rate_limit_rpm))
    return made
