"""`aob up`: a home, its server and its key, until it is told to stop; with a process for each further shard."""

import asyncio
import ipaddress
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aob.backends.marks_page import home_gone
from aob.compose.app import App, assemble
from aob.compose.files import make_room
from aob.compose.forking import given_back, never_in_a_child
from aob.compose.layout import layout_of
from aob.compose.lock import owning, usable
from aob.compose.logging import set_up_log
from aob.compose.loop import end_threads, heed_stops, run_tuned
from aob.compose.memory import watched
from aob.compose.metrics import Exposition
from aob.compose.notices import link_secret
from aob.compose.settings import Settings, read_settings
from aob.compose.shards import Owners
from aob.server import API_KEYS, announced, create_app, listen, loopback_key, read_api_keys, serving
from aob.work.log import Structlog

OLD_API_KEYS: Final = "AGENTFLOW_API_KEYS"
LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "[::1]"}
log: Final = Structlog("aob.up")

FILES_WANTED: Final = 16_384
"""Open files that a server asks for."""
CONTRACTS: Final = "contracts"
"""A folder of contracts in the home is taken over at each start."""


def up(
    home: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    app: Sequence[str] = (),
    shards: int | None = None,
    partitions: int | None = None,
    said: Any = None,
) -> int:
    """Run a home until SIGINT or SIGTERM. `said(url, app, settings)` is called once it takes requests."""
    os.umask(0o077)  # what a home holds is its owner's
    _open_files()
    with usable(home):
        settings = read_settings(home, os.environ, host=host, port=port, shards=shards, partitions=partitions)
    set_up_log(settings.log_level, pretty=sys.stderr.isatty())
    run_tuned(_up(home, settings, app, said))
    end_threads()
    return 0


def _open_files() -> None:
    """Let this process have as many files open as it may: each connection is one, and shells allow few by default."""
    if sys.platform == "win32":
        return
    import resource

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if most == resource.RLIM_INFINITY else min(FILES_WANTED, most)
    if files not in (resource.RLIM_INFINITY, wanted) and files < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


async def _up(home: Path, settings: Settings, app: Sequence[str], said: Any) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with AsyncExitStack() as stack:
        with usable(home):
            make_room(home)
            stack.enter_context(owning(home))
            layout = layout_of(home, settings.shards, settings.partitions)
        running = await assemble(stack, home, settings, app, layout)
        if (home / CONTRACTS).is_dir():
            await running.push_contracts(home / CONTRACTS)
        await stack.enter_async_context(running.working())
        stack.enter_context(watched(running.views.core, lambda: running.wiring.live.row if running.wiring else 0))
        heed_stops(running.views.core.pool.continued)
        running.views.core.pool.contain()
        owners = await stack.enter_async_context(Owners(running, app, layout)) if layout.files > 1 else None
        await _serve(stack, running, owners, said)
        running.room.reserve, running.room.gone = True, stop.set
        await stop.wait()
    if running.room.left:
        raise home_gone(home, running.room.lost)


def keys_of(env: Mapping[str, str]) -> str:
    """Keys of the environment. The older name is read as the newer; there, an entry may be nothing but a secret."""
    if env.get(API_KEYS):
        return env[API_KEYS]
    entries = [entry.strip() for entry in env.get(OLD_API_KEYS, "").split(",") if entry.strip()]
    return ",".join(
        entry if ":" in entry else f"agentflow{number}:{entry}:view+run" for number, entry in enumerate(entries, 1)
    )


def hosts_of(settings: Settings) -> frozenset[str] | None:
    """On loopback, the names that a request may say it is for: a page of somebody else may let its own name lead here.
    Bound elsewhere, any: what stands before it knows its names."""
    if not is_loopback(settings.host):
        return None
    own = {urlsplit(settings.public_url).hostname or "", settings.host.lower(), f"[{settings.host.lower()}]"}
    return frozenset(own | LOOPBACK_NAMES) - {""}


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def warn_of_plain_text(settings: Settings) -> None:
    """Bound where others reach it, and nothing says that TLS stands before it: keys would travel in clear."""
    if not is_loopback(settings.host) and not settings.public_url.startswith("https://"):
        log.warning(
            "bound_without_tls", host=settings.host,
            hint="put a proxy with TLS before it and set public_url = \"https://...\", or listen on 127.0.0.1",
        )  # fmt: skip


async def _serve(stack: AsyncExitStack, running: App, owners: Owners | None, said: Any) -> None:
    home, settings = running.home, running.settings
    await loopback_key(home, running.views)
    bound = listen(settings.host, settings.port)
    never_in_a_child(bound.fileno())
    stack.callback(given_back, bound.fileno())
    verbs: Any = running.views if owners is None else owners.verbs
    wiring = running.wiring
    assert wiring is not None, "the main process has the metrics layer"
    numbers = Exposition(
        wiring.telemetry.stages, wiring.figures, lambda: dict(running.views.core.journal.stats), wiring.unmoved,
        running.views.core.replaced,
    )  # fmt: skip
    api_keys = read_api_keys(keys_of(os.environ))
    running.views.core.roles_elsewhere = api_keys.roles()
    for id, words in api_keys.lacking():
        log.warning("api_key_may_not_deploy", key=id, hint=words)
    served = create_app(
        verbs,
        running.metrics,
        metrics_text=numbers.text,
        telemetry=wiring.telemetry,
        link_secret=link_secret(home),
        now_ms=running.views.core.time_ms,
        reads_per_minute=settings.rate_limit_rpm,
        tenant_reads_per_minute=settings.tenant_rate_limit_rpm,
        api_keys=api_keys,
        public_url=settings.public_url,
        hosts=hosts_of(settings),
    )
    warn_of_plain_text(settings)
    url = await stack.enter_async_context(serving(served, bound))
    public = settings.public_url.rstrip("/") or url
    running.notices.base_url = public
    stack.enter_context(announced(home, url))
    if said is not None:
        said(url, running, settings)
