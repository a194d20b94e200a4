"""The tools of built-in kinds for a worker process, and what counts for them: its own folder says which stores, targets
and models there are, the home says where requests may go and which model agents get that name none, from each moment
on. A home in a database has the secrets, which are read here by the master key; else they are those of the folder."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.backends.memory.blobs import MemoryBlobs
from aob.compose.deferred import DeferredLog, DeferredReader
from aob.compose.live_settings import NAME, LiveSettings, read_sections, stated
from aob.compose.lock import usable
from aob.compose.parts import make_tools
from aob.compose.secrets import check_keys, home_secrets, vault_of
from aob.compose.settings import Settings, read_settings
from aob.compose.storage import Following, InDatabase
from aob.core.errors import CallerError
from aob.core.event import PARTITIONS
from aob.models import ModelRouter
from aob.ports.workers import Job
from aob.work import Context, HandlerTable
from aob.work.kinds import KINDS_WORK, offers_of
from aob.work.secrets import Vault
from aob.work.tools import Tools

OWN_STORE: Final = ("objects", "shard-0.db")
"""A folder with one of these has the object store `home`: of the home itself, or one that was made to be."""


class Told(msgspec.Struct, frozen=True):
    """What the home says."""

    egress: dict[str, Any] = {}
    model: str = ""


class Executor:
    """Performs jobs of built-in kinds, once the home has said what counts. `offers` are these kinds, and what there is
    for them."""

    def __init__(self, tools: Tools, live: LiveSettings, offers: list[str]) -> None:
        self._tools, self._live, self.offers = tools, live, offers
        self._told = False

    def lacks(self, kind: str) -> str:
        """What is missing for jobs of a kind now; empty: nothing."""
        if not self._told:
            return "not heard yet what it may connect to"
        return "" if kind in self.offers else f"no kind {kind!r}"

    def perform(self, job: Job, context: Context) -> Coroutine[object, object, object]:
        """The work of a job."""
        return KINDS_WORK[job.task.kind](job, context, self._tools)

    def told(self, version: int, data: bytes) -> None:
        """The home says what counts from now on; what is older than what is known is late. Raises Conflict
        `settings_differ` for a folder that states otherwise, CallerError for what cannot be read."""
        try:
            given = msgspec.json.decode(data, type=Told)
        except msgspec.MsgspecError as error:
            why = f"what counts at the home cannot be read: {error}"
            raise CallerError(why, code="worker_frame", hint="use a worker of the same release") from error
        if version > self._live.version or (version == self._live.version and not (version and self._told)):
            self._live.told(version, read_sections({"egress": given.egress}))
        if isinstance(self._tools.model, ModelRouter):
            self._tools.model.change_default(given.model)
        self._told = True


@asynccontextmanager
async def executing(home: Path, handlers: HandlerTable, env: Mapping[str, str]) -> AsyncIterator[Executor]:
    """An executor under the settings of a folder and of these variables, with these handlers as tools of agents, until
    it is left. Raises Invalid for wrong settings, and what the database raises."""
    settings, live = _settings(home, env)
    async with AsyncExitStack() as stack:
        vault = await _vault(stack, home, settings, live, env)
        tools = await make_tools(
            stack, live, home, handlers, MemoryBlobs(), _now_ms, DeferredLog(), DeferredReader(), PARTITIONS, vault
        )
        yield Executor(tools, live, offered(home, settings))


def _settings(home: Path, env: Mapping[str, str]) -> tuple[Settings, LiveSettings]:
    """The settings of a folder, which is made if it is not there."""
    with usable(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = read_settings(home, env)
        return settings, LiveSettings(settings, stated(home, settings, env))


async def _vault(
    stack: AsyncExitStack, home: Path, settings: Settings, live: LiveSettings, env: Mapping[str, str]
) -> Vault:  # fmt: skip
    """The secrets: of the folder and its environment, or of the cluster, read again when they change."""
    if not settings.in_database:
        return vault_of(home, env)
    check_keys(settings)
    storage = await stack.enter_async_context(InDatabase.opened(home, settings))
    secrets = await home_secrets(home, settings, storage, env)
    following = Following(storage.records())
    if secrets.stored is not None:
        following.hears.append(secrets.stored.refresh)
    following.hears.append(partial(_shared_egress, following, live))
    await following.look()
    stack.callback(asyncio.create_task(following.run(), name="aob-records").cancel)
    return secrets.vault


async def _shared_egress(following: Following, live: LiveSettings) -> None:
    """The egress rules that all processes share, as soon as they are in the store."""
    record = await following.records.read(NAME)
    if record is not None and record.version > live.version:
        egress = msgspec.json.decode(record.data).get("egress")
        if egress is not None:
            live.told(record.version, read_sections({"egress": egress}), record.by)


def offered(home: Path, settings: Settings) -> list[str]:
    """The built-in kinds, and what a folder has for them."""
    stores: dict[str, object] = dict(settings.stores)
    if any((home / name).exists() for name in OWN_STORE):
        stores["home"] = None
    return offers_of(
        stores, settings.notify.targets, mail=settings.smtp is not None, brains=_brains(home),
        stored=find_spec("obstore") is not None, told=find_spec("apprise") is not None,
    )  # fmt: skip


def _brains(home: Path) -> Iterator[str]:
    """Where models may come from."""
    for name, folder in (("script", "scripts"), ("recorded", "recordings")):
        if (home / folder).is_dir():
            yield name
    if find_spec("pydantic_ai") is not None:
        yield "live"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
