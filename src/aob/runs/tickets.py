"""Verbs of tickets: what waits for a person, and the person's answer."""

from typing import Any

from msgspec import Raw

from aob.core.errors import NotFound, TooLarge
from aob.core.event.value import canonical, inline
from aob.core.policy import Caller, require
from aob.core.run import Run
from aob.core.run import commands as cmd
from aob.core.run.state import Ticket
from aob.journal import Stream
from aob.ports.store import HeadQuery
from aob.runs.core import Core


class Tickets:
    """Verbs of tickets."""

    core: Core

    async def tickets(
        self, who: Caller, *, open: bool = True, role: str | None = None, run_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Tickets of the tenant, the soonest deadline first."""
        require(who, "view")
        found = []
        for stream in await self._streams(who, run_id):
            for ticket in stream.state.tickets.values():
                if (not open or not ticket.answer) and role in (None, ticket.role):
                    found.append(await self._ticket_told(stream, ticket))
        return sorted(found, key=lambda told: (told.get("due") or 1 << 62, told["ticket_id"]))

    async def ticket(self, who: Caller, ticket_id: str) -> dict[str, Any]:
        """One ticket, with what it shows."""
        require(who, "view")
        stream = await self._ticket_holder(who, ticket_id)
        return await self._ticket_told(stream, stream.state.tickets[ticket_id])

    async def answer(
        self,
        who: Caller,
        ticket_id: str,
        choice: str,
        *,
        reason: str = "",
        values: Any = None,
        command: str | None = None,
    ) -> dict[str, Any]:
        """Decide a ticket. The same answer again changes nothing; another one is a Conflict `ticket_closed`."""
        stream = await self._ticket_holder(who, ticket_id)
        data = canonical(values)
        if not inline(data):
            raise TooLarge("the values of a form have at most 4 KiB")
        decided = await self.core.ask(
            who, stream.name, cmd.Answer(ticket_id, choice, who, reason, Raw(data), command or "")
        )
        return await self._ticket_told(decided.stream, decided.stream.state.tickets[ticket_id])

    async def _streams(self, who: Caller, run_id: str | None) -> list[Stream]:
        if run_id is not None:
            return [await self.core.stream(who, run_id)]
        return [
            stream for stream in self.core.journal.streams.values()
            if stream.law.kind == "run" and stream.seq and stream.state.tenant == who.tenant
        ]  # fmt: skip

    async def _ticket_holder(self, who: Caller, ticket_id: str) -> Stream:
        for stream in await self._streams(who, None):
            if ticket_id in stream.state.tickets:
                return stream
        # Not in memory: the run has ended a while ago. Its history is looked through, newest run first.
        before = ""
        while heads := await self.core.store.heads(HeadQuery("run", tenant=who.tenant, before=before, limit=500)):
            for head in heads:
                stream_or_none = await self.core.journal.load(head.stream)
                if stream_or_none is not None and ticket_id in stream_or_none.state.tickets:
                    return stream_or_none
            before = heads[-1].stream
        raise NotFound(
            f"there is no ticket {ticket_id[:64]!r}", hint="aob approve lists the open ones", code="ticket_not_found"
        )

    async def _ticket_told(self, stream: Stream, ticket: Ticket) -> dict[str, Any]:
        run: Run = stream.state
        told: dict[str, Any] = {
            "ticket_id": ticket.id, "run_id": run.id, "workflow": run.workflow, "visit": ticket.visit,
            "subject": ticket.subject, "role": ticket.role, "text": ticket.text, "choices": ticket.choices,
            "form": ticket.form, "shown": await self.core.value(run.tenant, ticket.shown),
            "state": ticket.answer or "open",
        }  # fmt: skip
        if ticket.due_ms:
            told["due"] = ticket.due_ms
        if ticket.about:
            told["patch_id"] = ticket.about
        if ticket.answer:
            told |= {"choice": ticket.answer, "by": ticket.by, "reason": ticket.reason,
                     "values": await self.core.value(run.tenant, ticket.values)}  # fmt: skip
        return told
