"""`aob serve coordinator`, `aob serve metrics`: a member of a cluster until a stop signal, when it hands its shards to
others."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from aob.backends.marks_page import home_gone
from aob.compose.api import HOME_STREAMS, RemoteHome
from aob.compose.cluster import Holder, StoreClock, steady_s
from aob.compose.coordinator.coordinator import Coordinator
from aob.compose.coordinator.directory import LeaseDirectory
from aob.compose.coordinator.figures import Figures
from aob.compose.coordinator.meeting import meets
from aob.compose.coordinator.part import Part
from aob.compose.coordinator.probes import Probes
from aob.compose.files import make_room
from aob.compose.home import database_of
from aob.compose.layout import Layout, layout_in
from aob.compose.lock import owning, usable
from aob.compose.loop import end_tasks, on_continued
from aob.compose.memory import Memory
from aob.compose.network import Member, Peers, PeerServer
from aob.compose.network.greeting import parted
from aob.compose.network.server import certificates_at
from aob.compose.parts import load_handlers
from aob.compose.secrets import check_keys
from aob.compose.serving import Stop, answered, keys_of, listening, reached
from aob.compose.settings import Settings
from aob.compose.shards.local import STREAMS
from aob.compose.shared import Shared, share
from aob.compose.storage import InDatabase
from aob.compose.workers import make_gateway
from aob.core.errors import Invalid, Problem, Unavailable
from aob.core.opening import RETRY_S, Opening
from aob.ports.cluster import Leases
from aob.ports.logger import Logger
from aob.server import Starting, listen, read_api_keys
from aob.work import HandlerTable

ALL_STREAMS: Final = STREAMS | HOME_STREAMS
log: Final = Logger("aob.cluster")

Said = Callable[[str, str, Settings], None]
"""Called once with the URL of the probes, the address for peers, and the settings."""


def needs_database(settings: Settings) -> None:
    """Raises Invalid for settings that keep anything in the folder of the home, which other members do not have, and
    for a master key that is missing or none."""
    if not settings.in_database:
        raise Invalid("a member of a cluster needs a database", [
            Problem("AOB_STORE", "names none", "bad_settings", hint="AOB_STORE=postgresql://USER@HOST/DATABASE")
        ])  # fmt: skip
    apart = [
        Problem(f"AOB_{name.upper()}", f"{value} is this process's own: others that get its shards find nothing there",
                "bad_settings", hint="leave it out: the database has them")
        for name, value in (("log", settings.log), ("blobs", settings.blobs)) if value
    ]  # fmt: skip
    if apart:
        raise Invalid("a member of a cluster keeps all in the database", apart)
    check_keys(settings)


class Process:
    """One member."""

    def __init__(self, home: Path, settings: Settings, roles: Sequence[str], app: Sequence[str]) -> None:
        self._home, self._settings, self._roles, self._app = home, settings, tuple(roles), app
        self._clock = StoreClock(steady_s, lambda: time.time_ns() // 1_000_000)

    async def serve(self, peers: str, advertise: str, said: Said, stop: Stop) -> None:
        """Join, own what is ours, and hand it over at a stop."""
        opening, home, settings = Opening(), self._home, self._settings
        where, api_keys = parted(peers), read_api_keys(keys_of(os.environ))
        if advertise:
            parted(advertise)
        certificates = certificates_at(peers, settings.certs_folder(home), self._roles)
        async with AsyncExitStack() as stack:
            with usable(home):
                make_room(home)
                stack.enter_context(owning(home))
                database_of(home)  # its own files may say no at once
            starting = Starting(opening)
            url = await listening(stack, settings, starting)
            # Others and workers are let in later; that a port is taken is told now.
            listen(*where, "choose another --peers HOST:PORT").close()
            listen(settings.host, settings.grpc_port or 0, "choose another grpc_port (AOB_GRPC_PORT)").close()
            async with stop.cuts_off():
                database, layout, shared = await self._joined(stack, opening)
            if stop.is_set():
                return
            own = Member(self._roles, home.name, cluster=database.cluster.id.hex())
            directory = LeaseDirectory(database.leases(), "")
            asked = await stack.enter_async_context(Peers(own, certificates))
            memory = Memory(shared.written)
            coordinator = Coordinator(shared, layout, directory, asked, self._clock, memory.told)
            server = PeerServer(own, lambda shard: coordinator.find(shard), ALL_STREAMS, certificates, shared.telemetry)
            await stack.enter_async_context(await server.open(*where))
            stack.push_async_callback(server.answered)  # its shards are given up by then
            shared.fronts.append(server.asking)
            directory.own = advertise or server.address
            leases = database.leases()
            holder: Holder[Part] = Holder(
                leases, database.as_member(directory.own, *self._roles), settings.lease_s,
                coordinator.opens, steady_s, self._clock, coordinator.told,
            )  # fmt: skip
            on_continued(shared.continued)
            shared.room.reserve, shared.room.gone = True, stop.set
            figures = Figures(holder, coordinator, shared)
            async with stop.cuts_off():
                await _stands(stack, holder, leases, asked, certificates is not None)
            if stop.is_set():
                return
            stack.enter_context(memory.watched())
            callers, workers = [api_keys.authenticate, coordinator.authenticate], None
            if shared.gateway is not None:
                remote = RemoteHome(directory, asked)
                serving = self._workers(shared.gateway.listening([api_keys, remote]), remote, holder)
                workers = asyncio.create_task(serving, name="aob-workers")
                workers.add_done_callback(lambda _: stop.set())
                stack.push_async_callback(end_tasks, workers)
                callers.append(remote.authenticate)
            starting.ready(Probes(figures.state, figures.text, callers))  # type: ignore[arg-type]  # as much as is used
            said(url, directory.own, settings)
            log.info("member_joined", member=database.member.member, address=directory.own, roles=list(self._roles))
            await stop.wait()
            if workers is not None and workers.done():
                await workers  # jobs of our shards would wait for ever: raises why
        if shared.room.left:
            raise home_gone(home, shared.room.lost)

    async def _joined(self, stack: AsyncExitStack, opening: Opening) -> tuple[InDatabase, Layout, Shared]:
        """What a member has of the database until `stack` is left. One that goes away meanwhile is asked anew."""
        with usable(self._home):
            handlers = load_handlers(self._app, self._settings)

        async def joins() -> tuple[AsyncExitStack, InDatabase, Layout, Shared]:
            async with AsyncExitStack() as parts:
                opens = partial(InDatabase.joined, self._home, self._settings)
                database = await reached(parts, self._home, opening, opens)
                layout = await layout_in(database)
                shared = await self._share(parts, handlers, layout, database)
                return parts.pop_all(), database, layout, shared

        parts, database, layout, shared = await answered(joins)
        await stack.enter_async_context(parts)
        return database, layout, shared

    async def _share(
        self, stack: AsyncExitStack, handlers: HandlerTable, layout: Layout, database: InDatabase
    ) -> Shared:  # fmt: skip
        home, settings = self._home, self._settings
        with usable(home):
            shared = await share(stack, home, settings, handlers, layout.files, layout.partitions, database)
            made = make_gateway(
                stack, settings, home, handlers.facts, shared.blobs, shared.secrets.vault, shared.live
            )  # fmt: skip
        return shared._replace(gateway=made)

    async def _workers(
        self, listening: AbstractAsyncContextManager[str], home: RemoteHome, holder: Holder[Part]
    ) -> None:
        """Serve workers over gRPC as soon as the keys of the home are known; others learn the address."""
        async with home, listening as address:
            log.info("workers_served", address=address)
            member = msgspec.structs.replace(holder.member, grpc=reached_at(address, holder.member.address))
            while True:
                try:
                    await holder.says(member)
                    await asyncio.Event().wait()
                except Unavailable:  # the store is away: the workers that are here go on
                    await asyncio.sleep(RETRY_S)


async def _stands(
    stack: AsyncExitStack, holder: Holder[Part], leases: Leases, asked: Peers, secure: bool
) -> None:  # fmt: skip
    """Meet the other members, and be one of them until `stack` is left."""
    await meets(asked, (await answered(leases.standing)).members, secure)
    await answered(partial(stack.enter_async_context, holder))


def reached_at(bound: str, own: str) -> str:
    """Where others reach a port: one that is bound to every address of the machine at the host of `own`."""
    host, _, port = bound.rpartition(":")
    return f"{own.rpartition(':')[0]}:{port}" if host in ("0.0.0.0", "[::]") else bound  # noqa: S104  # is compared
