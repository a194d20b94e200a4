"""Runs a process of a role that takes requests before a home, until it is stopped: `api` serves every verb, `fanout`
the streams to any number of readers."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from aob.compose.api import ApiNumbers, DirectHome, Holders, RemoteHome
from aob.compose.front.streaming import STREAMS, StreamingHome, StreamNumbers
from aob.compose.front.workers import workers_served
from aob.compose.live_settings import LiveSettings, stated
from aob.compose.logging import open_telemetry, set_up_log
from aob.compose.loop import end_process, run_tuned
from aob.compose.network import Member, Peers
from aob.compose.network.certificates import ends_of
from aob.compose.network.greeting import parted, plain_text
from aob.compose.serving import Stop, certificates_of, hosts_of, keys_of, listening, open_files
from aob.compose.settings import Settings, read_settings
from aob.core.opening import Opening
from aob.server import App, Limits, Starting, create_app, read_api_keys

STREAM_LIMITS: Final = Limits(buffer_bytes_max=64 * 1024, readers_max=4_000, readers_key_max=1_000)
"""Of a fanout: many readers are what it is for, and each is sent what all have in common."""


def front_up(
    home: Path, role: str, coordinators: Sequence[str], *, host: str | None, port: int | None,
    said: Callable[..., None],
) -> NoReturn:  # fmt: skip
    """Serve the home that one of these processes holds until SIGINT or SIGTERM, then end this process; `home` has
    settings and certificates of this process only. `said(url, settings)` is called once requests are taken."""
    open_files()
    settings = read_settings(home, os.environ, host=host, port=port)
    set_up_log(settings.log_level, pretty=sys.stderr.isatty())
    run_tuned(_alone(home, role, settings, coordinators, said))
    end_process()


async def _alone(
    home: Path, role: str, settings: Settings, coordinators: Sequence[str], said: Callable[..., None]
) -> None:  # fmt: skip
    await serve_front(home, role, settings, coordinators, said, Stop())


async def serve_front(
    home: Path, role: str, settings: Settings, coordinators: Sequence[str], said: Callable[..., None], stop: Stop
) -> None:  # fmt: skip
    """As `front_up` does, on a running loop."""
    certificates = certificates_of(home, settings, role)
    for address in coordinators:
        host, _ = parted(address)
        if certificates is None:
            plain_text(host)
    async with AsyncExitStack() as stack:
        port = AsyncExitStack()
        stack.push_async_callback(port.aclose)
        starting = Starting(Opening(), STREAM_LIMITS if role == "fanout" else Limits())
        url = await listening(port, settings, starting)
        peers = await stack.enter_async_context(Peers(Member((role,), home.name), certificates))
        holders = Holders(coordinators, peers)
        telemetry = open_telemetry()
        stack.push_async_callback(telemetry.close)
        folder = settings.certs_folder(home)
        numbers = StreamNumbers if role == "fanout" else ApiNumbers
        told = numbers(
            telemetry.stages, peers, lambda: holders.names, lambda: len(app.readers), lambda: ends_of(folder)
        )
        keys = read_api_keys(keys_of(os.environ))
        live = LiveSettings(settings, stated(home, settings, os.environ))
        make = partial(
            create_app, api_keys=keys, public_url=settings.public_url, hosts=hosts_of(settings), metrics_text=told.text,
            telemetry=telemetry,
        )  # fmt: skip
        remote: RemoteHome
        async with stop.cuts_off():
            if isinstance(told, StreamNumbers):
                streams = await stack.enter_async_context(StreamingHome(holders, peers, live.take))
                told.feeds, remote = streams.feeds, streams
                app = make(streams, streams, limits=STREAM_LIMITS, table=STREAMS)
            else:
                remote = await stack.enter_async_context(DirectHome(holders, peers, live.take))
                app = make(remote, remote, remote, link_secrets=await remote.link_secrets())
        if stop.is_set():
            return
        remote.keys_changed = app.end_dead
        bound = partial(_bound, app)
        bound(live.now)
        live.hear(bound)
        stack.push_async_callback(port.aclose)
        starting.ready(app)
        if role == "api":
            at = settings.public_url.rstrip("/") or url
            await port.enter_async_context(workers_served(home, settings, remote, [keys, remote], app, at))
        said(url, settings)
        await stop.wait()


def _bound(app: App, now: Settings) -> None:
    app.bound_reads(now.rate_limit_rpm, now.tenant_rate_limit_rpm)
