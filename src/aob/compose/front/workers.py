"""Workers at an api: serves their port, and knows the gateways of the home that their streams go on to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aob.compose.api import RemoteHome
from aob.compose.loop import end_tasks
from aob.compose.settings import Settings
from aob.compose.workers import certificate_of, not_installed, told_address, verbs_of
from aob.core.errors import AobError
from aob.ports.logger import Logger

LOOK_S: Final = 0.5  # how often the members of the cluster are asked for

log: Final = Logger("aob.front")


@asynccontextmanager
async def workers_served(
    home: Path, settings: Settings, remote: RemoteHome, keys: Sequence[Any], application: Any, url: str
) -> AsyncIterator[str]:
    """Serve workers, and verbs over gRPC, until it is left; the address, empty when the settings name no port. Raises
    Invalid where the packages are missing or keys would travel in plain text."""
    if settings.grpc_port is None:
        yield ""
        return
    pem = certificate_of(settings, home)
    try:
        from aob.server.relay import Relays, Target
        from aob.server.workers import Door, listening
    except ImportError as error:
        raise not_installed(error) from error
    gateways = Gateways(remote)
    # The gateways of a cluster speak TLS where this process does.
    target = Target(pem is not None, _authority(settings.certs_folder(home)))
    async with gateways, Relays(lambda: gateways.addresses, target, lambda: url) as relays:
        door = Door(relays, relays, list(keys))
        served = listening(door, settings.host, settings.grpc_port, pem, [verbs_of(application)])
        async with served as at:
            log.info("workers_served", address=at.address)
            told = told_address(at.address, pem)
            remote.gateway_told = lambda: {"workers": told, "attached": len(relays)}
            yield at.address


class Gateways:
    """Where the gateways of a home listen for workers, while it is entered; as before while it cannot be asked."""

    def __init__(self, remote: RemoteHome) -> None:
        self._remote = remote
        self.addresses: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Gateways":
        self._task = asyncio.create_task(self._follow(), name="aob-gateways")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(self._task)

    async def _follow(self) -> None:
        while True:
            try:
                self.addresses = await self._remote.gateways()
            except AobError as error:
                log.info("gateways_not_asked", code=error.code)
            await asyncio.sleep(LOOK_S)


def _authority(folder: Path) -> bytes:
    """The authority of the cluster's certificates; empty where there is none."""
    file = folder / "ca.pem"
    return file.read_bytes() if file.is_file() else b""
