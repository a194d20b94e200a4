"""Sends notices of tickets to the people they name: when a ticket opens, at reminders, and when it is reassigned. Reads
the journals of all shards by position and sends messages with a signed link to a form. The read positions are saved a
moment later, so that a crash loses no notice and may repeat one, under the same key."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import msgspec

from aob.compose.loop import end_tasks
from aob.core.agent import Key
from aob.core.agent.record import events as agent_ev
from aob.core.errors import AobError, Quarantined
from aob.core.event import WHOLE
from aob.core.policy import Link, sign_link
from aob.core.run import Run
from aob.core.run.record import events as ev
from aob.ports.logger import Logger
from aob.ports.pages import PAGES_TAKEN, OwnedPages
from aob.runs import Core, Fact
from aob.work import WorkError
from aob.work.kinds import send
from aob.work.tools import Tools

TRIES_MAX: Final = 4
PAUSE_S: Final = 2.0
NOTICES_MAX: Final = 1_000  # notices being sent at once; a reader waits before adding more
SAVE_S: Final = 1.0  # the longest delay before read positions are saved
_SILENT: Final = frozenset({"approve", "reject"})  # actions at a ticket's deadline that ask nothing more of people

log = Logger("aob.notices")


class Asked(msgspec.Struct):
    """The contents of a ticket in its notice: of a run of a workflow, or of a key of an agent, which is then in
    `workflow`."""

    run: str
    tenant: str
    workflow: str
    id: str
    text: str
    choices: list[str]
    notify: list[str]
    due_ms: int
    answered: bool
    key: str = ""


Find = Callable[[str, str], Awaitable[Asked | None]]
"""Finds a ticket of a run by its id; None for one that no longer exists."""


async def ticket_of(core: Core, run_id: str, ticket_id: str) -> Asked | None:
    """A ticket of a run, or of an agent's key, of this process."""
    try:
        stream = await core.journal.load(run_id)
    except Quarantined:
        return None
    if stream is not None and isinstance(stream.state, Key):
        return _asked_by(stream.state, ticket_id)
    run: Run | None = stream.state if stream is not None else None
    ticket = run.tickets.get(ticket_id) if run is not None else None
    if run is None or ticket is None:
        return None
    return Asked(
        run.id, run.tenant, run.workflow, ticket.id, ticket.text, ticket.choices, ticket.notify, ticket.due_ms,
        bool(ticket.answer),
    )  # fmt: skip


def _asked_by(key: Key, ticket_id: str) -> Asked | None:
    if not key.has_ticket(ticket_id):
        return None
    ticket = key.asked(ticket_id)
    question = ticket.question
    return Asked(
        "", key.tenant, key.agent, ticket.id, question.text, list(question.choices), list(question.notify),
        question.due_ms, bool(ticket.answer), key.subject,
    )  # fmt: skip


class Notices:
    """Sends notices concurrently with the runs; never holds one up. `base_url` is set once the server has an address.
    Enter it, then hand it the milestones of each shard after its `place`."""

    def __init__(
        self, now_ms: Callable[[], int], tools: Tools, secret: bytes, pages: OwnedPages, added: Sequence[int] = ()
    ) -> None:
        """`added` are the shards added after the home was made: all their content is new."""
        self.base_url = ""
        self._now_ms, self._tools, self._secret, self._pages = now_ms, tools, secret, pages
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(NOTICES_MAX)
        self._rows = {f"{_MARK}{shard}": 0 for shard in added}
        self._open: dict[str, Counter[int]] = {}
        self._saved: dict[str, int] = {}
        self._begun: dict[str, int] = {}
        self._saver: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Notices":
        self._rows |= {name: row for name, row in (await self._pages.marks()).items() if name.startswith(_MARK)}
        self._saver = asyncio.create_task(self._save_often(), name="aob-notices")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await end_tasks(*self._sending, self._saver)
        with suppress(AobError):  # then some may be repeated
            await self._save()

    def add_shard(self, shard: int) -> None:
        """The home has one more shard: all its content is new."""
        self._rows.setdefault(f"{_MARK}{shard}", 0)

    def place(self, shard: int) -> int:
        """As `begin`; WHOLE for a shard that was never read."""
        return self._rows.get(f"{_MARK}{shard}", WHOLE)

    async def begin(self, shard: int, end: int) -> int:
        """The row of a shard after which notices are sent; `end` for a shard that was never read, or that was read past
        `end` because a loss was accepted."""
        name = f"{_MARK}{shard}"
        self._begun.setdefault(name, end)
        if self._rows.get(name, WHOLE) > end:
            self._rows[name] = end
            await self._save()
        return self._rows[name]

    async def take(self, shard: int, facts: Sequence[Fact], row: int, find: Find) -> None:
        """Send notices of a shard's milestones, complete up to `row`. Raises what prevents looking up a ticket: the
        caller reads the rest again."""
        name = f"{_MARK}{shard}"
        waiting = self._open.setdefault(name, Counter())
        for fact in facts:
            event = fact.event
            if isinstance(event, ev.TicketOpened | agent_ev.TicketOpened):
                if not (event.notify if isinstance(event, ev.TicketOpened) else event.question.notify):
                    continue
                what, step = "opened", 0
            elif isinstance(event, ev.TicketChanged | agent_ev.TicketChanged) and event.what not in _SILENT:
                what, step = event.what, event.step
            else:
                continue
            asked = await find(fact.stream, event.id)
            if asked is None or (asked.answered and fact.row <= self._begun.get(name, 0)):
                continue  # it was answered while no notice could be sent
            for to in asked.notify:
                await self._room.acquire()
                waiting[fact.row] += 1
                task = asyncio.create_task(self._send(asked, what, step, to))
                self._sending.add(task)
                task.add_done_callback(partial(self._sent, waiting, fact.row))
        self._rows[name] = row

    def _sent(self, waiting: Counter[int], row: int, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._room.release()
        if task.cancelled():
            return  # it remains to be read again
        waiting[row] -= 1
        if not waiting[row]:
            del waiting[row]

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            try:
                await self._save()
            except AobError as error:
                log.warning("notices_unsaved", code=error.code, detail=error.detail)
                if error.code == PAGES_TAKEN:
                    return

    async def _save(self) -> None:
        rows = {name: min([row, *(each - 1 for each in self._open.get(name, ()))]) for name, row in self._rows.items()}
        if rows != self._saved:
            await self._pages.save(rows, {})
            self._saved = rows

    def link(self, asked: Asked, to: str) -> str:
        """The signed link of a ticket, empty while no server can open it."""
        if not self.base_url:
            return ""
        expires = asked.due_ms or self._now_ms() + Link.HELD_MS
        token = sign_link(self._secret, Link(asked.tenant, asked.id, tuple(asked.choices), expires, to[: Link.TO_MAX]))
        return f"{self.base_url}/v1/links/{token}"

    async def _send(self, asked: Asked, what: str, step: int, to: str) -> None:
        link = self.link(asked, to)
        subject = f"{'Reminder: ' if what == 'remind' else ''}{asked.workflow}: {asked.text}"[:200]
        how = link or f"aob approve {asked.id} {'|'.join(asked.choices)}"
        about = f"run {asked.run}" if asked.run else f"agent {asked.workflow}, key {asked.key}"
        text = f"{asked.text}\n\n{how}\n\n{about}, ticket {asked.id}"
        payload: dict[str, Any] = {
            "text": text, "subject": subject, "ticket": asked.id, "run": asked.run, "what": what, "link": link,
            "choices": asked.choices,
        }  # fmt: skip
        if not asked.run:
            payload |= {"agent": asked.workflow, "key": asked.key}
        for attempt in range(1, TRIES_MAX + 1):
            try:
                await send(self._tools, to, subject, text, payload, f"{asked.id}/{what}/{step}/{to}")
                return
            except WorkError as error:
                if not error.fault.transient or attempt == TRIES_MAX:
                    log.warning("notice_failed", ticket=asked.id, to=to, code=error.fault.code, why=str(error))
                    return
            await asyncio.sleep(PAUSE_S * 2 ** (attempt - 1))


_MARK: Final = "notices/"
