"""People hear of tickets: who a ticket names is told when it opens, at its reminders, and when it goes to others.

In: what happened to a ticket, after its commit. Out: a message with a signed link that shows a form. A notice is told
at least once while the process lives and is not told again after a crash: the ticket itself is never lost.
"""

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aob.core.errors import Unavailable
from aob.core.policy import Link, sign_link
from aob.core.run import Run
from aob.core.run.state import Ticket
from aob.journal import Stream
from aob.runs import Core
from aob.work import WorkError
from aob.work.kinds import send
from aob.work.log import Structlog
from aob.work.tools import Tools

TRIES_MAX: Final = 4
PAUSE_S: Final = 2.0
NOTICES_MAX: Final = 1_000
SECRET_BYTES: Final = 32

log = Structlog("aob.notices")


def link_secret(home: Path) -> bytes:
    """The secret under which signed links of this home hold, made once; links survive a restart."""
    path = home / "link.secret"
    if not path.exists():
        beside = home / f".link.secret.{os.getpid()}"
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process of the home was first
            os.link(beside, path)
        beside.unlink()
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:  # a link that is signed with less could be guessed
        raise Unavailable(f"{path} has {len(secret)} bytes, not {SECRET_BYTES}", code="bad_secret_file",
                          hint="restore it, or remove it: links that were sent before open nothing then")  # fmt: skip
    return secret


class Notices:
    """Sends notices beside the runs; never holds one up. `base_url` is set once the server has an address."""

    def __init__(self, core: Core, tools: Tools, secret: bytes) -> None:
        self.base_url = ""
        self._core, self._tools, self._secret = core, tools, secret
        self._sending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Notices":
        self._core.dispatch.told = self.told
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def told(self, stream: Stream, ticket_id: str, what: str) -> None:
        """Something happened to a ticket."""
        run: Run = stream.state
        ticket = run.tickets.get(ticket_id)
        if ticket is None or not ticket.notify or what == "approve" or what == "reject":
            return
        for to in ticket.notify:
            if len(self._sending) >= NOTICES_MAX:
                log.warning("notices_full", ticket=ticket_id, to=to)
                return
            task = asyncio.create_task(self._send(run, ticket, what, to))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def link(self, run: Run, ticket: Ticket, to: str) -> str:
        """The signed link of a ticket, empty while there is no server to open it at."""
        if not self.base_url:
            return ""
        expires = ticket.due_ms or self._core.ambient.now_ms() + Link.HELD_MS
        token = sign_link(self._secret, Link(run.tenant, ticket.id, tuple(ticket.choices), expires, to[: Link.TO_MAX]))
        return f"{self.base_url}/v1/links/{token}"

    async def _send(self, run: Run, ticket: Ticket, what: str, to: str) -> None:
        link = self.link(run, ticket, to)
        subject = f"{'Reminder: ' if what == 'remind' else ''}{run.workflow}: {ticket.text}"[:200]
        how = link or f"aob approve {ticket.id} {'|'.join(ticket.choices)}"
        text = f"{ticket.text}\n\n{how}\n\nrun {run.id}, ticket {ticket.id}"
        payload: dict[str, Any] = {
            "text": text, "subject": subject, "ticket": ticket.id, "run": run.id, "what": what, "link": link,
            "choices": ticket.choices,
        }  # fmt: skip
        for attempt in range(1, TRIES_MAX + 1):
            try:
                await send(self._tools, to, subject, text, payload, f"{ticket.id}/{what}/{ticket.step}/{to}")
                return
            except WorkError as error:
                if not error.fault.transient or attempt == TRIES_MAX:
                    log.warning("notice_failed", ticket=ticket.id, to=to, code=error.fault.code, why=str(error))
                    return
            await asyncio.sleep(PAUSE_S * 2 ** (attempt - 1))
