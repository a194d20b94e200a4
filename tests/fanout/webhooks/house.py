"""Webhooks on a journal in memory, a log that tests write to, and real requests to real peers on loopback."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from standardwebhooks import Webhook

from aob.backends.memory.pages import MemoryPages
from aob.backends.memory.store import MemoryStore
from aob.core.ingest import Event
from aob.core.metric_answers import Delivery, WebhookView
from aob.core.policy import LOCAL
from aob.fanout.webhooks import (
    Chunk,
    HookLaw,
    Notice,
    Rules,
    SecretFolder,
    Secrets,
    Webhooks,
    notice,
    notice_of,
)
from aob.journal import Journal
from aob.ports.pages import Key, OwnedPages, Owner
from aob.ports.store import StaleEpoch
from aob.work.egress import CheckedClient, EgressRules
from aob.work.secrets import Vault
from tests.work.peers import Asked, Peer

T0_MS = 1_700_000_000_000
QUICK = Rules(
    pauses_ms=(5, 5, 5, 5, 5, 5, 5), open_after=100, probe_ms=5, probe_ms_max=20, timeout_s=5.0, metric_ms=5,
)  # fmt: skip


class SignallingPages(MemoryPages):
    """Pages that say when they were saved."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = asyncio.Event()

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:
        answer = await super().save(owner, marks, pages, dropped)
        self.saved.set()
        return answer


class Log:
    """What was committed, by tenant and kind; a `Feed`."""

    partitions = 1

    def __init__(self) -> None:
        self.notices: dict[tuple[str, str], list[Notice]] = {}
        self.reads = 0
        self.asked, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def end(self, tenant: str, kind: str) -> int:
        return self._end(tenant, kind)

    def _end(self, tenant: str, kind: str) -> int:
        found = self.notices.get((tenant, kind), [])
        return found[-1].position if found else -1

    async def read(self, tenant: str, kind: str, after: int, keys: Collection[str], limit: int) -> Chunk:
        self.reads += 1
        newer = [each for each in self.notices.get((tenant, kind), []) if each.position > after]
        part = newer[:limit]
        part += [each for each in newer[limit:] if each.position == part[-1].position]
        self.asked.set()
        await self.gate.wait()
        wanted = tuple(each for each in part if "*" in keys or each.key in keys)
        return Chunk(wanted, part[-1].position if part else after, len(part) == len(newer))


class House:
    """One home. Leave it and enter another on the same store, pages, log and folder: a restart."""

    def __init__(self, folder: Path, rules: Rules = QUICK, before: "House | None" = None) -> None:
        self.folder, self.rules = folder, rules
        self.store = before.store if before else MemoryStore()
        self.pages = before.pages if before else SignallingPages()
        self.log = before.log if before else Log()
        self.hooks: Webhooks
        self.private: tuple[str, ...] = ()
        self.skew_ms = 0

    @asynccontextmanager
    async def open(self, *peers: Peer) -> AsyncIterator["House"]:
        law = HookLaw()

        async def nothing(*_: Any) -> None:
            raise AssertionError

        journal = Journal(
            self.store, [law], clock_ms=self.now_ms, on_commit=self._heard, on_recovered=lambda _: None,
            put_blob=nothing, get_value=nothing,
        )  # fmt: skip
        rules = EgressRules(tuple(f"127.0.0.1:{peer.port}" for peer in peers) + self.private)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(journal)
            client = await stack.enter_async_context(CheckedClient(rules))
            self.hooks = Webhooks(
                journal, law, OwnedPages(self.pages), self.log, client,
                secrets=Secrets(SecretFolder(self.folder), Vault(self.folder)), now_ms=self.now_ms,
                wall_ms=lambda: time.time_ns() // 1_000_000,
                dice=lambda: 0.5, rules=self.rules,
            )  # fmt: skip
            await stack.enter_async_context(self.hooks)
            self.hooks.feed_is_there("run", self.log._end("default", "run"))
            yield self

    def _heard(self, _: Any) -> None:
        self.pages.saved.set()  # a pause is a commit, and may come behind the page of what led to it

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.skew_ms

    def committed(self, *types: str, tenant: str = "default", offered: bool = True, size: int = 0) -> None:
        """Events are durable and, unless the process was away, offered."""
        log = self.log.notices.setdefault((tenant, "event"), [])
        first = log[-1].position + 1 if log else 0
        events = [
            Event(f"e{first + n}", "shop", type, data={"n": first + n}, at_ms=T0_MS + n, offset=first + n)
            for n, type in enumerate(types)
        ]
        lines = [msgspec.json.encode({"n": event.offset, "pad": "x" * size}) for event in events]
        log.extend(notice_of(event, line) for event, line in zip(events, lines, strict=True))
        if offered:
            self.hooks.offer_events(tenant, events, b"\n".join(lines))

    def happened(self, kind: str, key: str, *datas: Any, tenant: str = "default") -> None:
        """Runs or alerts have changed, in one commit."""
        log = self.log.notices.setdefault((tenant, kind), [])
        position = log[-1].position + 7 if log else 3
        notices = [notice(kind, key, position, T0_MS, data) for data in datas]
        log.extend(notices)
        for each in notices:
            self.hooks.offer_notice(tenant, each)

    async def subscribed(self, peer: Peer, path: str = "/in", **wanted: Any) -> WebhookView:
        return await self.hooks.create_webhook(LOCAL, peer.url + path, **wanted)

    async def until(self, true: Callable[[WebhookView], bool], id: str) -> WebhookView:
        """The webhook, once this holds."""
        async with asyncio.timeout(20):
            while True:
                self.pages.saved.clear()
                view = await self.hooks.webhook(LOCAL, id)
                if true(view):
                    return view
                with suppress(TimeoutError):  # what a commit says shows a few turns of the loop after it
                    await asyncio.wait_for(self.pages.saved.wait(), 0.1)

    async def delivered(self, id: str, count: int) -> WebhookView:
        return await self.until(lambda view: view["delivered"] >= count, id)

    async def tried(self, id: str) -> None:
        """Waits until the message that is being sent has failed, and that is saved."""
        async with asyncio.timeout(20):
            while True:
                self.pages.saved.clear()
                sent = await self.sent(id)
                if sent and sent[0]["state"] == "waiting" and sent[0]["attempts"]:
                    return
                await self.pages.saved.wait()

    async def sent(self, id: str) -> list[Delivery]:
        found: list[Delivery] = (await self.hooks.deliveries(LOCAL, id, limit=500))["deliveries"]
        return found


def told(asked: Asked, secret: str) -> dict[str, Any]:
    """The message, once its signature holds."""
    found: dict[str, Any] = Webhook(secret).verify(asked.body, asked.headers)
    return found


def numbers(asked: Sequence[Asked]) -> list[int]:
    """The offsets of the events that arrived."""
    return [msgspec.json.decode(each.body)["data"]["offset"] for each in asked]
