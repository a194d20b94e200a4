"""Makes the parts of a home from its settings: backends, tools of work, models."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aob.backends.memory.cache import MemoryCache
from aob.compose.live_settings import LiveSettings
from aob.compose.settings import Settings
from aob.core.errors import NotFound
from aob.core.graph import HandlerFacts
from aob.models import LIVE, ModelRouter
from aob.ports.blobs import Blobs
from aob.ports.log import Log
from aob.ports.model import Model, ModelAnswer, ModelRequest
from aob.ports.serving import MetricReader
from aob.work import HandlerTable, load_app, scan
from aob.work.egress import CheckedClient
from aob.work.pool import OUTWARD_MAX, Processes, Threads
from aob.work.secrets import Vault
from aob.work.tools import Memo, ObjectStores, StoreSettings, Tools
from aob.work.topic_agents import scan_agents
from aob.work.topic_tasks import scan_work

PROCESSES: Final = 2
WEBHOOKS_OUT: Final = 32
NOTICES_OUT: Final = 16  # concurrent requests of webhooks and notices

PROVIDER_HOSTS: Final = {
    "openai": "api.openai.com", "openai-chat": "api.openai.com", "openai-responses": "api.openai.com",
    "anthropic": "api.anthropic.com",
}  # fmt: skip
"""Where a provider's key is sent if the settings give no address."""


def load_handlers(app: Sequence[str | object], settings: Settings) -> HandlerTable:
    """The handlers of modules, files or objects, and of the home's own `app` list."""
    sources = [load_app(part) if isinstance(part, str) else part for part in (*settings.app, *app)]
    handlers = scan(*sources)
    work = scan_work(*sources)
    handlers.agents, handlers.types = {**scan_agents(*sources), **work.agents}, work.types
    return handlers


def handler_facts(app: Sequence[str | object]) -> Mapping[str, HandlerFacts]:
    """What the handlers of modules, files or objects declare. Raises Invalid as loading them does."""
    return load_handlers(app, Settings()).facts


class LazyModel:
    """A model made at its first request: most homes have no agents, and its libraries are slow to import."""

    def __init__(self, make: Callable[[], Awaitable[Model]]) -> None:
        self._make = make
        self._made: asyncio.Future[Model] | None = None

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Ask the wrapped model."""
        if self._made is None:
            self._made = asyncio.ensure_future(self._make())
        return await (await asyncio.shield(self._made)).ask(request)


def make_brains(stack: AsyncExitStack, settings: Settings, home: Path, vault: Vault) -> dict[str, Model]:
    """The models by scheme: scripts and recordings of the home; any other name is a provider."""

    async def live() -> Model:
        from aob.backends.pydantic_ai_model import PydanticAiModel

        provider: Model = await stack.enter_async_context(
            PydanticAiModel(settings.models.base_urls, lambda provider: model_key(settings, vault, provider))
        )
        if not settings.models.record:
            return provider
        from aob.backends.recorded_model import RecorderModel

        path = home / "recordings" / f"{settings.models.record}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return RecorderModel(provider, path, lambda: datetime.now(UTC).date().isoformat())

    async def script() -> Model:
        from aob.backends.scripted_model import ScriptedModel

        return ScriptedModel(home / "scripts")

    async def recorded() -> Model:
        from aob.backends.recorded_model import RecordedModel

        return RecordedModel(home / "recordings")

    return {"script": LazyModel(script), "recorded": LazyModel(recorded), LIVE: LazyModel(live)}


def model_key(settings: Settings, vault: Vault, provider: str) -> str:
    """A provider's key that the settings refer to, bound to the host it is sent to; empty when they name none."""
    address = settings.models.base_urls.get(provider, "")
    host = urlsplit(address).hostname if address else PROVIDER_HOSTS.get(provider)
    return vault.expand(settings.models.keys.get(provider, ""), host)[0]


def own_client(stack: AsyncExitStack, live: LiveSettings, connections: int) -> CheckedClient:
    """A checked client with its own connections, closed by the stack: nodes, webhooks and notices have one each, so
    that a burst of one does not starve the others."""
    http = CheckedClient(live.now.egress_rules(), connections=connections)
    stack.callback(live.hear(lambda settings: http.change_rules(settings.egress_rules())))
    stack.push_async_callback(http.aclose)
    return http


async def make_tools(
    stack: AsyncExitStack, live: LiveSettings, home: Path, handlers: HandlerTable, blobs: Blobs,
    now_ms: Callable[[], int], log: Log, metrics: MetricReader, partitions: int, vault: Vault,
) -> Tools:  # fmt: skip
    """The tools of work. The stack closes everything opened."""
    settings = live.now
    cache = MemoryCache(now_ms, entries_max=0) if settings.cache.startswith("off") else MemoryCache(now_ms)
    threads = await stack.enter_async_context(Threads())
    processes = await stack.enter_async_context(Processes(PROCESSES))
    http = own_client(stack, live, OUTWARD_MAX)
    stores = {"home": StoreSettings(url=(home / "objects").absolute().as_uri()), **settings.stores}
    brains = make_brains(stack, settings, home, vault)
    return Tools(
        handlers, http, threads, processes, ObjectStores(stores, vault), vault=vault,
        smtp=settings.smtp, targets=settings.notify.targets, memo=Memo(cache, blobs, handlers.facts, now_ms),
        model=ModelRouter(brains, default=settings.models.default), cache=cache, log=log, metrics=metrics,
        partitions=partitions,
    )  # fmt: skip


def contract_files(folder: Path) -> dict[str, str]:
    """The contract files of a folder, by name. Raises NotFound when the folder does not exist."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}", code="folder_not_found")
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml", ".json"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}
