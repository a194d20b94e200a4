"""Verbs of tickets: what waits for a person, and the person's answer."""

from typing import Any, Final

from aob.core.errors import NotFound
from aob.core.policy import Caller
from aob.core.rights import demand, require_decider
from aob.core.run import Run
from aob.core.run import commands as cmd
from aob.core.run.state import Ticket
from aob.journal import Stream
from aob.ports.store import HeadQuery
from aob.runs import Core
from aob.runs.catalog import Decide, Workflow
from aob.runs.incoming import json_of, large_of, name_of, text_of

RUNS_LOOKED_THROUGH: Final = 500
"""Ended runs, newest first, among which a ticket is looked for by its id alone."""

HOLDERS: Final = frozenset({"run", "workflow"})
"""Kinds of streams that may have tickets: of a workflow those of patches of its tags."""


class Tickets:
    """Verbs of tickets."""

    core: Core

    async def tickets(
        self, who: Caller, *, open: bool = True, role: str | None = None, run_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Tickets of the tenant, the soonest deadline first."""
        demand(who, "tickets")
        found = []
        for stream in await self._streams(who, run_id):
            for ticket in list(stream.state.tickets.values()):
                if (not open or not ticket.answer) and (role is None or role in ticket.needed):
                    found.append(await self._ticket_told(stream, ticket))
            await self.core.journal.settled(stream)
        return sorted(found, key=lambda told: (told.get("due") or 1 << 62, told["ticket_id"]))

    async def ticket(self, who: Caller, ticket_id: str) -> dict[str, Any]:
        """One ticket, with what it shows."""
        demand(who, "ticket")
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
        demand(who, "answer")
        choice, reason = name_of(choice, "/choice"), text_of(reason, "/reason")
        command = name_of(command or "", "/command", empty=True)
        data = json_of(values, "/values")
        cell, beside = large_of(data, "the values of a form")
        stream = await self._ticket_holder(who, ticket_id)
        ticket: Ticket = stream.state.tickets[ticket_id]
        if isinstance(stream.state, Workflow):
            word = Decide(ticket_id, choice, who, reason, self.core.rules.version)
            answered = await self.core.journal.ask(stream.name, word)
            return await self._ticket_told(answered.stream, answered.stream.state.tickets[ticket_id])
        require_decider(who, ticket.id, ticket.needed, stream.state.barred(ticket))
        asked = cmd.Answer(ticket_id, choice, who, reason, cell, command, beside)
        decided = await self.core.ask(who, stream.name, asked)
        return await self._ticket_told(decided.stream, decided.stream.state.tickets[ticket_id])

    async def deciding(self, who: Caller, ticket_id: str) -> dict[str, Any]:
        """A ticket that the caller may decide. Raises Refused when they may not."""
        demand(who, "deciding")
        stream = await self._ticket_holder(who, ticket_id)
        ticket: Ticket = stream.state.tickets[ticket_id]
        require_decider(who, ticket.id, ticket.needed, stream.state.barred(ticket))
        return await self._ticket_told(stream, ticket)

    async def _streams(self, who: Caller, run_id: str | None) -> list[Stream]:
        if run_id is not None:
            return [await self.core.stream(who, run_id)]
        self.core.journal.check()
        return [
            stream for stream in self.core.journal.streams.values()
            if stream.law.kind in HOLDERS and stream.seq and stream.state.tenant == who.tenant
        ]  # fmt: skip

    async def _ticket_holder(self, who: Caller, ticket_id: str) -> Stream:
        for stream in await self._streams(who, None):
            if ticket_id in stream.state.tickets:
                return stream
        # Not in memory: its run has ended a while ago, if there ever was one.
        for head in await self.core.store.heads(HeadQuery("run", tenant=who.tenant, limit=RUNS_LOOKED_THROUGH)):
            if head.ended_ms and head.stream not in self.core.journal.streams:
                stream_or_none = await self.core.journal.load(head.stream)
                if stream_or_none is not None and ticket_id in stream_or_none.state.tickets:
                    return stream_or_none
        raise NotFound(
            f"there is no ticket {str(ticket_id)[:64]!r}", hint="aob approve lists the open ones",
            code="ticket_not_found",
        )  # fmt: skip

    async def _ticket_told(self, stream: Stream, ticket: Ticket) -> dict[str, Any]:
        run: Run | Workflow = stream.state
        about = (
            {"workflow": run.name, "tag": run.asked[ticket.id].tag} if isinstance(run, Workflow)
            else {"run_id": run.id, "workflow": run.workflow, "visit": ticket.visit}
        )  # fmt: skip
        told: dict[str, Any] = {
            "ticket_id": ticket.id, **about, "subject": ticket.subject, "role": ticket.role, "text": ticket.text,
            "choices": ticket.choices, "form": ticket.form,
            "shown": await self.core.value(run.tenant, ticket.shown), "state": ticket.answer or "open",
        }  # fmt: skip
        needed = ticket.needed
        told["role"] = needed[-1]
        if len(needed) > 1:
            told["roles"] = list(needed)
        if ticket.barred:
            told["not"] = list(ticket.barred)
        if ticket.due_ms:
            told["due"] = ticket.due_ms
        if ticket.about:
            told["patch_id"] = ticket.about
        if ticket.answer:
            told |= {"choice": ticket.answer, "by": ticket.by, "reason": ticket.reason,
                     "values": await self.core.value(run.tenant, ticket.values)}  # fmt: skip
        return told
