"""The loop of one hook: sends its messages one at a time, each until it is delivered or has failed for good."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from msgspec import structs

from aob.core.errors import AobError
from aob.core.metric_answers import WebhookView
from aob.core.problem import outward
from aob.fanout.webhooks.inbox import Budget, Inbox
from aob.fanout.webhooks.law import Hook
from aob.fanout.webhooks.message import Message, Progress, encode
from aob.fanout.webhooks.notices import NOWHERE, Feed, Notice, feeds_of
from aob.fanout.webhooks.posting import GONE, Outcome, Poster, post
from aob.fanout.webhooks.rules import Circuit, Rules
from aob.fanout.webhooks.saver import Saver
from aob.fanout.webhooks.secret import Secrets
from aob.fanout.webhooks.subscription import ALL
from aob.ports.logger import Logger

HISTORY_MAX: Final = 500  # messages of one hook that are kept in its history and can be redelivered
AWAY_MS: Final = 5_000  # pause after the feed, the pages or the secret could not be read
BROKEN_MS: Final = 60_000  # pause after an unexpected error: the hook keeps its position and goes on
log: Final = Logger("aob.webhooks")


class Shared:
    """What all hooks share."""

    def __init__(
        self, feed: Feed, poster: Poster, secrets: Secrets, rules: Rules, now_ms: Callable[[], int],
        wall_ms: Callable[[], int], dice: Callable[[], float], shards: int = 1,
        added: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.feed, self.poster, self.secrets, self.rules = feed, poster, secrets, rules
        self.now_ms, self.dice = now_ms, dice
        self.wall_ms = wall_ms  # wall-clock time, which the signature of a message states and its target checks
        self.budget = Budget()
        self.sending = asyncio.Semaphore(rules.sending_max)
        self.shards, self.partitions = shards, feed.partitions
        self.added = {f"run/{shard}": NOWHERE for shard in added}
        """Feeds of shards that came later than a hook may have: all that they hold is new to it."""
        self.newest: dict[tuple[str, str], int] = {}  # the position offered last, by tenant and feed
        self.there: dict[str, int] = {}  # the readable feeds of runs, and their ends at that time
        self.read: dict[str, int] = {}  # the row by feed up to which everything was offered to all hooks
        self.saver: Saver
        self.wake_target: Callable[[Circuit], None]
        self.gone: Callable[[str, str], None]

    def feeds(self, kind: str) -> tuple[str, ...]:
        """The feeds of a kind."""
        return feeds_of(kind, self.shards, self.partitions)

    def add_shard(self, senders: "Callable[[], Iterable[Sender]]", shard: int) -> None:
        """The home has one more shard: all hooks of runs read its feed too, from its beginning."""
        self.shards = shard + 1
        feed = self.feeds("run")[-1]
        self.added[feed] = NOWHERE
        for sender in senders():
            sender.inbox.add(feed, "run")


class Sender:
    """The loop of one hook. `start` and `stop`; `wake` after every change that may affect its next step."""

    def __init__(self, tenant: str, hook: Hook, progress: Progress, circuit: Circuit, shared: Shared) -> None:
        self.tenant, self.hook, self.circuit = tenant, hook, circuit
        self._shared, self._progress = shared, progress
        self.head: Message | None = None  # the message being tried
        self.stands = ""
        """Why nothing can be sent now: a secret, the feed or the pages are missing. Empty when sending works."""
        self._fresh: Notice | None = None
        """The notice of the head until its first attempt is saved: after a crash it is read again."""
        cursors = {**shared.added, **hook.since, **progress.cursors}
        feeds = shared.shards, shared.partitions
        self.inbox = Inbox(tenant, hook.wants, cursors, shared.feed, shared.budget, *feeds)
        self._wake, self._asked = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- from outside -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the loop."""
        self._task = asyncio.create_task(self._run(), name=f"aob-webhook-{self.hook.id}")

    async def stop(self) -> None:
        """Stops the loop; an open request is cancelled and sent again after the next start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def wake(self, *, at_once: bool = False) -> None:
        """Wakes the loop; `at_once` also during a pause after a failure."""
        self._wake.set()
        if at_once:
            self._asked.set()

    def back(self) -> None:
        """The target answers again: a message that waits for it is tried at once."""
        head = self.head
        if head is not None and head.attempts and not 300 <= head.attempts[-1].status < 500:
            head.next_ms = 0
        self._wake.set()

    def offer(self, notice: Notice) -> None:
        """Offers a notice that the hook selects."""
        self.inbox.offer(notice)
        self._wake.set()

    def moved(self, metric: str, look: Callable[[], Notice]) -> None:
        """A number that the hook selects has moved."""
        self.inbox.moved(metric, look)
        self._wake.set()

    def changed(self, hook: Hook, *, resumed: bool = False) -> None:
        """The subscription or its secret has changed. A resumed hook ends its pause at once."""
        self.hook = hook
        if resumed:
            self.circuit.answered()
            if self.head is not None:
                self.head.next_ms = 0
            self._shared.wake_target(self.circuit)
        self._wake.set()
        self._asked.set()

    def again(self, messages: list[Message]) -> int:
        """Redelivers messages of the history, oldest first, before what waits; skips those that already wait."""
        queued = 0
        for message in messages:
            if message.id in self._progress.again or (self.head is not None and message.id == self.head.id):
                continue
            message.state, message.again = "waiting", True
            message.next_ms = message.counted = message.refused = 0
            self._progress.again.append(message.id)
            self._shared.saver.keep(self.tenant, self.hook.id, message)
            queued += 1
        self._wake.set()
        return queued

    def ids(self) -> list[str]:
        """Messages that were sent or are being tried, newest first."""
        head, ids = self.head, self._progress.history[::-1]
        return [head.id, *ids] if head is not None and head.id not in ids else ids

    def passed(self, feed: str) -> int | None:
        """The position up to which a feed is settled; None when the hook selects none of it."""
        return self._settled().get(feed)

    def page(self) -> bytes:
        """Progress to be saved: what is not settled is after the cursors or among the records."""
        progress = self._progress
        progress.cursors = self._settled()
        if self.head is None:
            return encode(progress)  # a message tried before a restart may still have to be read
        return encode(structs.replace(progress, head=self.head.id if self._fresh is None else ""))

    def _settled(self) -> dict[str, int]:
        newest = {name: at for (tenant, name), at in self._shared.newest.items() if tenant == self.tenant}
        return self.inbox.settled(self._fresh, newest | self._shared.read)

    def view(self) -> WebhookView:
        """As callers see it."""
        hook, progress = self.hook, self._progress
        waiting = len(self.inbox) + len(progress.again) + (self.head is not None)
        view: WebhookView = {
            "id": hook.id, "url": hook.url, "description": hook.description, "created_at": hook.created_ms,
            "events": list(hook.wants.get("event", ())), "metrics": list(hook.wants.get("metric", ())),
            "runs": list(hook.wants.get("run", ())), "alerts": list(hook.wants.get("alert", ())),
            "state": "paused" if hook.paused else "open" if self.circuit.open else "active",
            "delivered": progress.delivered, "failed": progress.failed, "waiting": waiting,
        }  # fmt: skip
        if self.stands:
            view["waits_for"] = self.stands
        return view

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._asked.clear()
            try:
                rest_ms = await self._step()
            except AobError as error:
                told = outward(error)
                said = f"{error.code}: {told.detail}" + (f" ({told.hint})" if told.hint else "")
                if said != self.stands:  # once, not at each look
                    log.warning("webhook_waits", hook=self.hook.id, code=error.code, detail=error.detail)
                self.stands = said
                await _wait(self._asked, AWAY_MS)
            except Exception as error:
                log.error("webhook_broke", hook=self.hook.id, exc_info=error)
                self.stands = "internal: a fault of ours; it is tried again"
                await _wait(self._asked, BROKEN_MS)
            else:
                self.stands = ""
                if rest_ms is None or rest_ms > 0:
                    await _wait(self._wake, rest_ms)

    async def _step(self) -> int | None:
        """Takes one step; returns the pause after it (None: until the next event)."""
        shared = self._shared
        if self.hook.paused:
            return None
        await shared.saver.room()
        if self.head is None and not await self._next():
            return self.inbox.rest_ms(shared.now_ms(), shared.rules.metric_ms)
        head = self.head
        assert head is not None
        now_ms = shared.now_ms()
        due_ms, circuit = head.next_ms, self.circuit
        if circuit.open:
            due_ms = min(due_ms or circuit.probe_at_ms, circuit.probe_at_ms)
        if due_ms > now_ms:
            return due_ms - now_ms
        if not circuit.taken():
            return None
        await self._attempt(head, probe=circuit.open and (not head.next_ms or head.next_ms > now_ms))
        return 0

    async def _next(self) -> bool:
        """Takes the next message: the one being tried, then redeliveries, then new ones."""
        shared, progress = self._shared, self._progress
        while progress.head or progress.again:
            id = progress.head or progress.again[0]
            found = await shared.saver.message(self.tenant, self.hook.id, id)
            if progress.head:
                progress.head = ""
            elif progress.again and progress.again[0] == id:
                del progress.again[0]
            if found is not None and found.state == "waiting":
                self.head, self._fresh = found, None
                return True
        while (notice := await self.inbox.take(shared.now_ms(), shared.rules.metric_ms)) is not None:
            message = Message.of(notice, self.hook.id)
            if message.id not in progress.history:  # read again because another notice of its commit was not settled
                self.head, self._fresh = message, notice
                return True
        return False

    async def _attempt(self, head: Message, *, probe: bool) -> None:
        shared, circuit = self._shared, self.circuit
        try:
            async with shared.sending:
                ready = await shared.secrets.ready(self.hook.id, self.hook.url, shared.now_ms())
                self.stands = ""
                outcome = await post(shared.poster, ready, head.id, head.payload, shared.rules, shared.wall_ms)
        except BaseException:
            circuit.released()
            shared.wake_target(circuit)
            raise
        was_open = circuit.open
        if outcome.alive:
            circuit.answered()
        else:
            circuit.failed(shared.now_ms(), shared.dice())
        if was_open or circuit.open:
            shared.wake_target(circuit)
        head.tried(outcome, probe)
        self._settle(head, outcome, probe)

    def _settle(self, head: Message, outcome: Outcome, probe: bool) -> None:
        rules, progress = self._shared.rules, self._progress
        most = rules.again_attempts_max if head.again else rules.attempts_max
        if outcome.delivered:
            head.state, head.next_ms = "delivered", 0
            progress.delivered += 1
        elif not probe and (head.counted >= most or head.refused >= rules.refused_attempts_max):
            head.state, head.next_ms = "failed", 0
            progress.failed += 1
            log.warning("webhook_failed", hook=self.hook.id, delivery=head.id, error=outcome.error)
        elif not probe:
            pause_ms = max(rules.pause_ms(head.counted, self._shared.dice()), outcome.wait_ms)
            head.next_ms = self._shared.now_ms() + pause_ms
        self._remember(head)
        self._fresh = None
        if head.state != "waiting":
            self.head = None
        if outcome.status == GONE and not head.again:
            self._shared.gone(self.tenant, self.hook.id)

    def _remember(self, head: Message) -> None:
        history = self._progress.history
        forgotten: list[str] = []
        if history[-1:] != [head.id] and not (head.again and head.id in history):
            history.append(head.id)
            forgotten = history[:-HISTORY_MAX]
            del history[:-HISTORY_MAX]
        self._shared.saver.keep(self.tenant, self.hook.id, head, forgotten)


class Route:
    """Hooks of one tenant and kind by what they select."""

    def __init__(self) -> None:
        self.by_key: dict[str, list[Sender]] = {}

    def of(self, key: str) -> Sequence[Sender]:
        """The hooks that select this key."""
        named, every = self.by_key.get(key, ()), self.by_key.get(ALL, ())
        return [*named, *every] if named and every else named or every


async def _wait(event: asyncio.Event, most_ms: int | None) -> None:
    """Waits for an event, at most this long (None: forever)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(None if most_ms is None else most_ms / 1_000):
            await event.wait()
