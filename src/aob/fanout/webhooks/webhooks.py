"""Webhooks: subscriptions, signed delivery in order, history, redelivery. `offer...` run on the loop after commits."""

import asyncio
import secrets as entropy
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Final, Self
from urllib.parse import urlsplit

from msgspec.structs import asdict

from aob.core.answers import JsonObject
from aob.core.errors import AobError, Conflict, Invalid, NotFound, Unavailable
from aob.core.ingest import Event
from aob.core.metric_answers import Delivery, WebhookView
from aob.core.policy import Caller
from aob.core.verb import NoArgs, performs
from aob.core.verbs import webhook_verbs as verbs
from aob.fanout.webhooks.law import PREFIX, Hook, HookEvent, HookLaw, HookMade, HookPaused, HookRemoved, SecretRotated
from aob.fanout.webhooks.message import Message, Progress, progress_of
from aob.fanout.webhooks.notices import LOGGED, Feed, Notice, notice, notice_of
from aob.fanout.webhooks.posting import Poster
from aob.fanout.webhooks.rules import Circuit, Rules
from aob.fanout.webhooks.saver import Saver, progress_page
from aob.fanout.webhooks.secret import Secret, Secrets, checked, made
from aob.fanout.webhooks.sender import Route, Sender, Shared
from aob.fanout.webhooks.subscription import ALL, check_url, chosen_by, refuse_private
from aob.journal import Journal
from aob.ports.installed import required
from aob.ports.logger import Logger
from aob.ports.pages import OwnedPages

BEAT_S: Final = 60.0  # how often positions without matches are saved: a restart need not search the whole log for them
log: Final = Logger("aob.webhooks")


class Webhooks:
    """All webhooks of a home. Enter it once the journal has recovered; leave it before the journal."""

    def __init__(
        self, journal: Journal, law: HookLaw, pages: OwnedPages, feed: Feed, poster: Poster, *,
        secrets: Secrets, now_ms: Callable[[], int], wall_ms: Callable[[], int], dice: Callable[[], float],
        rules: Rules | None = None,
        vet: Callable[[str], Awaitable[None]] | None = None, shards: tuple[int, Sequence[int]] = (1, ()),
    ) -> None:  # fmt: skip
        self._vet = vet
        self.unheard: Callable[[str, Mapping[str, Sequence[str]]], list[str]] = lambda tenant, wanted: []
        self._journal, self._law, self._pages = journal, law, pages
        self._shared = Shared(feed, poster, secrets, rules or Rules(), now_ms, wall_ms, dice, *shards)
        self.add_shard = partial(self._shared.add_shard, self._every)
        self._shared.saver = Saver(pages, self._page)
        self._shared.wake_target, self._shared.gone = self._wake_target, self._gone
        self._senders: dict[str, dict[str, Sender]] = {}
        self._routes: dict[tuple[str, str], Route] = {}
        self._circuits: dict[tuple[str, str], Circuit] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._shared.secrets.keep({id for hooks in self._law.hooks.values() for id in hooks})
        for tenant, hooks in self._law.hooks.items():
            found = await self._pages.load(tenant) if hooks else {}
            for hook in hooks.values():
                page = found.get(progress_page(hook.id))
                sender = self._add(tenant, hook, progress_of(page) if page is not None else Progress())
                for name in self._shared.feeds("event") if "event" in hook.wants else ():
                    sender.inbox.begin(name, await self._shared.feed.end(tenant, name))
                for name, end in self._shared.there.items():
                    sender.inbox.begin(name, end)
                sender.start()
        await self._shared.saver.__aenter__()
        self._aside(self._beat())
        return self

    async def __aexit__(self, *exc: object) -> None:
        senders = self._every()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *(sender.stop() for sender in senders), return_exceptions=True)
        for sender in senders:
            self._shared.saver.touch(sender.tenant, sender.hook.id)
        await self._shared.saver.__aexit__(*exc)
        self._senders.clear()
        self._routes.clear()

    def stepped(self) -> None:
        """The clock was set: hooks that wait for an instant check it again."""
        for sender in self._every():
            sender.wake()

    # -- what was committed -------------------------------------------------------------------------------------------

    def wants(self, tenant: str, kind: str, key: str = "") -> bool:
        """Whether a hook selects this kind (and key): ask before making data that only hooks need."""
        route = self._routes.get((tenant, kind))
        return route is not None and (not key or bool(route.of(key)))

    def offer_events(
        self, tenant: str, events: Sequence[Event], lines: Sequence[bytes] | bytes, partition: int = 0
    ) -> None:
        """Accepted events of one commit, in order, with their lines as received."""
        route = self._routes.get((tenant, "event"))
        if route is None or not events:
            return
        every, feed = ALL in route.by_key, self._shared.feeds("event")[partition]
        split: Sequence[bytes] | None = None
        for number, event in enumerate(events):
            if every or event.type in route.by_key:
                if split is None:
                    split = lines.split(b"\n") if isinstance(lines, bytes) else lines
                self._hand(route, notice_of(event, split[number], feed))
        self._shared.newest[tenant, feed] = events[-1].offset

    def offer_notice(self, tenant: str, given: Notice) -> None:
        """A run's state (`run`, COMPLETED) or an alert's change (`alert`, its name), made by `notice`; its position and
        body equal those of the feed."""
        route = self._routes.get((tenant, given.kind))
        if route is not None:
            self._hand(route, given)
            self._shared.newest[tenant, given.source] = given.position

    def read_through(self, feed: str, row: int) -> None:
        """Everything of a feed up to a row was offered to all hooks."""
        self._shared.read[feed] = row

    def feed_is_there(self, feed: str, end: int) -> None:
        """A feed of runs can be read; everything after this row will be offered."""
        self._shared.there[feed] = end
        for sender in self._every():
            sender.inbox.begin(feed, end)
            sender.wake(at_once=True)

    def offer_metric(self, tenant: str, metric: str, look: Callable[[], object]) -> None:
        """A number has moved. `look` returns its body (JSON); it is called when the message is sent, at most once a
        second and hook, however often the number moves. If it raises an AobError nothing is sent."""
        route = self._routes.get((tenant, "metric"))
        if route is not None:
            for sender in route.of(metric):
                sender.moved(metric, lambda: notice("metric", metric, 0, self._shared.now_ms(), look()))

    @staticmethod
    def _hand(route: Route, given: Notice) -> None:
        for sender in route.of(given.key):
            sender.offer(given)

    def health(self) -> JsonObject:
        """How many hooks there are, and the error codes of those that cannot send."""
        senders = self._every()
        codes = Counter(sender.stands.partition(":")[0] for sender in senders if sender.stands)
        return {"subscribed": len(senders), "waiting_for": dict(codes)}

    def every(self) -> list[WebhookView]:
        """All subscriptions of all tenants."""
        return [sender.view() for sender in self._every()]

    def passed(self, tenant: str, feed: str) -> int | None:
        """The position up to which every hook of a tenant has settled a feed; None when none selects it."""
        found = [each.passed(feed) for each in self._senders.get(tenant, {}).values()]
        return min((at for at in found if at is not None), default=None)

    # -- verbs --------------------------------------------------------------------------------------------------------

    @performs(verbs.LIST)
    async def webhooks(self, who: Caller, args: NoArgs) -> list[WebhookView]:
        """All subscriptions of the tenant, oldest first."""
        senders = self._senders.get(who.tenant, {}).values()
        return [sender.view() for sender in sorted(senders, key=lambda each: (each.hook.created_ms, each.hook.id))]

    @performs(verbs.SHOW)
    async def webhook(self, who: Caller, args: verbs.NamedWebhook) -> WebhookView:
        """One. Raises NotFound."""
        return self._sender(who, args.id).view()

    @performs(verbs.CREATE)
    async def create_webhook(self, who: Caller, args: verbs.CreateWebhook) -> WebhookView:
        """Subscribes a URL, from now on. Only this answer holds the secret; `{secret:NAME}` names one of the home,
        which is looked up for each signature. Raises Invalid."""
        url, secret = args.url, args.secret
        required("standardwebhooks", "metrics", "a webhook")
        check_url(url)
        await refuse_private(self._vet, url)
        chosen = chosen_by(args)
        own = Secret(checked(secret) if secret else made())
        feeds = [name for kind in chosen if kind in LOGGED for name in self._shared.feeds(kind)]
        since = {name: await self._shared.feed.end(who.tenant, name) for name in feeds}
        id = f"hook_{entropy.token_hex(12)}"
        await self._shared.secrets.put(id, own)
        command = HookMade(id, url, chosen, since, args.description, who.name)
        try:
            await self._ask(who.tenant, command)
        except AobError as error:
            if not isinstance(error, Unavailable):
                await self._shared.secrets.drop(id)
            raise
        sender = self._begin(who.tenant, self._law.hooks[who.tenant][id])
        told: WebhookView = {**sender.view(), "secret": own.current}
        unheard = self.unheard(who.tenant, asdict(args))
        return {**told, "warnings": unheard} if unheard else told

    @performs(verbs.UPDATE)
    async def update_webhook(self, who: Caller, args: verbs.UpdateWebhook) -> WebhookView:
        """Pauses, resumes, or rotates the secret, which is in this answer; the old one also signs for a day. Raises
        Conflict when the hook signs with a secret of the home and no other is given."""
        id, paused, secret = args.id, args.paused, args.secret
        sender = self._sender(who, id)
        own: Secret | None = None
        if args.rotate or secret:
            until_ms = self._shared.now_ms() + self._shared.rules.secret_old_ms
            own = await self._shared.secrets.rotated(id, secret, until_ms)
            await self._ask(who.tenant, SecretRotated(id, who.name))
            await self._shared.secrets.put(id, own)
            sender.changed(sender.hook)
        if paused is not None:
            await self._pause(who.tenant, id, paused, who.name)
        return {**sender.view(), "secret": own.current} if own is not None else sender.view()

    @performs(verbs.DELETE)
    async def delete_webhook(self, who: Caller, args: verbs.NamedWebhook) -> JsonObject:
        """Deletes a subscription with its history."""
        id = args.id
        sender = self._sender(who, id)
        await self._ask(who.tenant, HookRemoved(id, who.name))
        await self._end(sender)
        return {"deleted": id}

    @performs(verbs.DELIVERIES)
    async def deliveries(self, who: Caller, args: verbs.ListDeliveries) -> JsonObject:
        """A page of messages that were sent or are being tried, newest first; waiting ones are only counted."""
        state, limit, before = args.state, args.limit, args.before
        sender = self._sender(who, args.id)
        ids = sender.ids()
        if before:
            if before not in ids:
                raise NotFound(f"there is no delivery {before[:80]} any more", hint="begin again without `before`")
            ids = ids[ids.index(before) + 1 :]
        found: list[Delivery] = []
        for each in ids:
            if len(found) > limit:
                break
            message = await self._message(sender, each)
            if message is not None and state in ("", message.state):
                found.append(self._shown(sender, message))
        more = len(found) > limit
        return {"deliveries": found[:limit], "next": found[limit - 1]["id"] if more and limit > 0 else None}

    @performs(verbs.DELIVERY)
    async def delivery(self, who: Caller, args: verbs.NamedDelivery) -> Delivery:
        """One message, with its payload. Raises NotFound."""
        sender, delivery = self._sender(who, args.id), args.delivery
        message = await self._message(sender, delivery) if delivery in sender.ids() else None
        if message is None:
            raise NotFound(f"there is no delivery {delivery[:80]}", hint="aob webhook deliveries")
        return self._shown(sender, message, whole=True)

    @performs(verbs.REDELIVER)
    async def redeliver(self, who: Caller, args: verbs.Redeliver) -> JsonObject:
        """Redelivers under the same ids: some, or all that failed since an instant."""
        deliveries, since_ms = args.deliveries, args.since_ms
        sender = self._sender(who, args.id)
        ids = sender.ids()
        for each in deliveries:
            if each not in ids:
                raise NotFound(f"there is no delivery {each[:80]}", hint="aob webhook deliveries")
        if not deliveries and since_ms is None:
            raise Invalid("say which deliveries, or since when", code="bad_redelivery")
        found = [await self._message(sender, each) for each in reversed(ids) if not deliveries or each in deliveries]
        messages = [each for each in found if each is not None and each.state != "waiting"]
        if not deliveries:
            messages = [each for each in messages if each.state == "failed" and each.created_ms >= (since_ms or 0)]
        if deliveries and not messages:
            raise Conflict("these are waiting to be sent already", code="already_waiting")
        return {"queued": sender.again(messages)}

    # -- inside -------------------------------------------------------------------------------------------------------

    def _every(self) -> list[Sender]:
        return [sender for hooks in self._senders.values() for sender in hooks.values()]

    def _sender(self, who: Caller, id: str) -> Sender:
        found = self._senders.get(who.tenant, {}).get(id)
        if found is None:
            raise NotFound(f"there is no webhook {id[:80]}", hint="aob webhook list")
        return found

    @staticmethod
    def _shown(sender: Sender, message: Message, *, whole: bool = False) -> Delivery:
        told = message.view(sender.hook.id, whole=whole)
        if message is sender.head and sender.stands:
            told["waits_for"] = sender.stands
        return told

    async def _message(self, sender: Sender, id: str) -> Message | None:
        if sender.head is not None and sender.head.id == id:
            return sender.head
        return await self._shared.saver.message(sender.tenant, sender.hook.id, id)

    def _add(self, tenant: str, hook: Hook, progress: Progress) -> Sender:
        parts = urlsplit(hook.url)
        circuit = self._circuits.setdefault((tenant, f"{parts.scheme}://{parts.netloc}"), Circuit(self._shared.rules))
        sender = self._senders.setdefault(tenant, {})[hook.id] = Sender(tenant, hook, progress, circuit, self._shared)
        sender.inbox.begin("alert")
        self._reroute(tenant)
        return sender

    async def _ask(self, tenant: str, command: HookEvent) -> None:
        """Raises what the law refuses, and Unavailable when it is unknown whether the command was written: it is looked
        for once the journal can be read, or at the next start."""
        try:
            await self._journal.ask(PREFIX + tenant, command)
        except Unavailable:
            self._aside(self._read_back(tenant, command.id))
            raise

    async def _read_back(self, tenant: str, id: str) -> None:
        if not await self._journal.mended():
            return
        stream = await self._journal.load(PREFIX + tenant)
        hook: Hook | None = stream.state.get(id) if stream is not None else None
        sender = self._senders.get(tenant, {}).get(id)
        if hook is None:
            await (self._end(sender) if sender is not None else self._shared.secrets.drop(id))
        elif sender is None:
            self._begin(tenant, hook)
        elif sender.hook != hook:
            sender.changed(hook, resumed=not hook.paused)

    def _begin(self, tenant: str, hook: Hook) -> Sender:
        """Starts a new hook."""
        sender = self._add(tenant, hook, Progress())
        for name in hook.since:
            sender.inbox.begin(name)
        sender.start()
        self._shared.saver.touch(tenant, hook.id)
        return sender

    async def _end(self, sender: Sender) -> None:
        tenant, id = sender.tenant, sender.hook.id
        del self._senders[tenant][id]
        self._reroute(tenant)
        await sender.stop()
        sender.inbox.clear()
        if not any(each.circuit is sender.circuit for each in self._senders[tenant].values()):
            self._circuits = {key: found for key, found in self._circuits.items() if found is not sender.circuit}
        self._shared.saver.drop(tenant, id)
        await self._shared.secrets.drop(id)

    def _reroute(self, tenant: str) -> None:
        for kind in (*LOGGED, "metric"):
            route = Route()
            for sender in self._senders.get(tenant, {}).values():
                keys = sender.hook.wants.get(kind, ())
                for key in (ALL,) if ALL in keys else keys:
                    route.by_key.setdefault(key, []).append(sender)
            if route.by_key:
                self._routes[tenant, kind] = route
            else:
                self._routes.pop((tenant, kind), None)
                self._shared.newest.pop((tenant, kind), None)

    async def _pause(self, tenant: str, id: str, paused: bool, by: str) -> None:
        await self._ask(tenant, HookPaused(id, paused, by))
        sender = self._senders.get(tenant, {}).get(id)
        hook = self._law.hooks.get(tenant, {}).get(id)
        if sender is not None and hook is not None:
            sender.changed(hook, resumed=not paused)

    def _gone(self, tenant: str, id: str) -> None:
        """A target answered that it is gone for good: the hook pauses until a person resumes it."""
        self._aside(self._pause_gone(tenant, id))

    async def _pause_gone(self, tenant: str, id: str) -> None:
        try:
            await self._pause(tenant, id, True, "target")
        except AobError as error:
            log.warning("webhook_not_paused", hook=id, code=error.code, detail=error.detail)

    def _wake_target(self, circuit: Circuit) -> None:
        for sender in self._every():
            if sender.circuit is circuit:
                sender.wake() if circuit.open else sender.back()

    def _page(self, tenant: str, hook_id: str) -> bytes | None:
        sender = self._senders.get(tenant, {}).get(hook_id)
        return None if sender is None else sender.page()

    def _aside(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            for sender in self._every():
                self._shared.saver.touch(sender.tenant, sender.hook.id)
