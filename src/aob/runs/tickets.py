"""Verbs of tickets: requests for a decision by a person, and the answers."""

from heapq import nsmallest
from itertools import islice
from typing import Any, Final

from msgspec import Raw

from aob.core.agent import Key, keys
from aob.core.agent.record import commands as agent_cmd
from aob.core.answers import JsonObject, ticket_place
from aob.core.errors import Invalid, Problem, Quarantined, TooLarge
from aob.core.policy import Caller
from aob.core.rights import mine, require_decider
from aob.core.run import Run
from aob.core.run.record import commands as cmd
from aob.core.run.state import Ticket
from aob.core.verb import performs
from aob.core.verbs import ticket_verbs as verbs
from aob.journal import Decided, Stream
from aob.runs import Core
from aob.runs.incoming import json_of, large_of, name_of, text_of
from aob.runs.laws.catalog import Decide, Workflow

DUE_DIGITS: Final = 20
VALUES_MAX: Final = 64 * 1024  # bytes of what is filled into the form of an agent's question
RUNS_WALKED: Final = 5_000  # runs in memory whose decided tickets a list without a run shows
Told = tuple[str, dict[str, Any]]  # tenant and facts of a ticket; some facts are cells
_ASKING: Final = frozenset({"run", "agent"})  # kinds of streams that ask people, and are many
_CELLS: Final = frozenset({"shown", "values"})


def read_place(text: str) -> tuple[int, str]:
    """The deadline and id of the last ticket of a page. Raises Invalid."""
    due, _, id = text.partition(".")
    if not text:
        return -1, ""
    if not due.isdecimal() or len(due) > DUE_DIGITS or not id:
        raise Invalid("the page cannot be found", [
            Problem("?cursor", "is not the `next` of a page", "bad_cursor", hint="begin without a cursor")
        ])  # fmt: skip
    return int(due), id


class Tickets:
    """Verbs of tickets."""

    core: Core

    @performs(verbs.LIST)
    async def tickets(self, who: Caller, args: verbs.ListTickets) -> list[JsonObject]:
        """Tickets of the tenant, the soonest deadline first. Without a run, decided tickets are those of the last
        `RUNS_WALKED` runs that came into memory; older ones are listed by run. Raises Invalid for a bad cursor."""
        least, role = read_place(args.after), args.role
        found: list[tuple[tuple[int, str], str]] = []
        streams = {stream.name: stream for stream in await self._streams(who, args.run_id, args.open)}
        for stream in streams.values():
            for ticket in _tickets_of(stream):
                if (not args.open or not ticket.answer) and (role is None or role in ticket.needed):
                    found.append((ticket_place(ticket.due_ms, ticket.id), stream.name))
        if args.run_id is None:
            for row in self.core.journal.tickets.of(who.tenant):
                if row.stream not in streams and (role is None or role in row.roles.split("\n")):
                    found.append((ticket_place(row.due_ms, row.id), row.stream))
        told: list[JsonObject] = []
        for (_, id), name in nsmallest(args.limit, (each for each in found if each[0] > least)):
            try:
                holder = streams.get(name) or await self.core.journal.load(name)
            except Quarantined:
                continue  # its run cannot be read: `aob doctor` reports it
            if holder is not None and any(ticket.id == id for ticket in _tickets_of(holder)):
                told.append(await self._shown(holder, id))
        if args.run_id is not None:  # an empty list must be durable as well
            await self.core.journal.settled(streams[args.run_id])
        return told

    @performs(verbs.SHOW)
    async def ticket(self, who: Caller, args: verbs.NamedTicket) -> JsonObject:
        """One ticket, with the values it shows."""
        return await self._shown(await self.core.holding(who, "ticket", args.ticket_id), args.ticket_id)

    @performs(verbs.ANSWER)
    async def answer(self, who: Caller, args: verbs.AnswerTicket) -> JsonObject:
        """Decide a ticket. Repeating the same answer changes nothing; another answer raises Conflict
        `ticket_closed`."""
        choice, reason = name_of(args.choice, "/choice"), text_of(args.reason, "/reason")
        command = name_of(args.command or "", "/command", empty=True)
        data = json_of(args.values, "/values")
        cell, beside = large_of(data, "the values of a form")
        ticket_id = args.ticket_id
        stream = await self.core.holding(who, "ticket", ticket_id)
        ticket = _ticket(stream, ticket_id)

        def reads(decided: Decided) -> Told:
            return _ticket_told(decided.stream, _ticket(decided.stream, ticket_id))

        if isinstance(stream.state, Key):
            require_decider(who, ticket.id, ticket.needed, {})
            if len(data) > VALUES_MAX:
                raise TooLarge(f"the values of a form have {len(data):,} bytes, at most {VALUES_MAX:,} are taken")
            word = agent_cmd.Answer(ticket_id, choice, who.name, reason, Raw(data), who.id)
            return await self._filled((await self.core.journal.ask(stream.name, word, reads=reads)).said)
        if isinstance(stream.state, Workflow):
            move = Decide(ticket_id, choice, who, reason, self.core.run_law.rules.version)
            return await self._filled((await self.core.journal.ask(stream.name, move, reads=reads)).said)
        require_decider(who, ticket.id, ticket.needed, stream.state.barred(ticket))
        asked = cmd.Answer(ticket_id, choice, who, reason, cell, command, beside)
        return await self._filled((await self.core.ask(who, stream.name, asked, reads)).said)

    @performs(verbs.DECIDING)
    async def deciding(self, who: Caller, args: verbs.NamedTicket) -> JsonObject:
        """A ticket that the caller may decide. Raises Refused if they may not."""
        stream = await self.core.holding(who, "ticket", args.ticket_id)
        ticket = _ticket(stream, args.ticket_id)
        barred = {} if isinstance(ticket, keys.Ticket) else stream.state.barred(ticket)
        require_decider(who, ticket.id, ticket.needed, barred)
        return await self._shown(stream, args.ticket_id)

    async def _streams(self, who: Caller, run_id: str | None, only_open: bool = False) -> list[Stream]:
        """A run, or workflows and, unless only open tickets are asked for, the last runs and keys of agents that came
        into memory: open tickets of all of them have rows."""
        if run_id is not None:
            return [await self.core.stream(who, run_id)]
        self.core.journal.check()
        found = self.core.catalog(who.tenant)
        if not only_open:
            streams = islice(reversed(self.core.journal.streams.values()), RUNS_WALKED)
            found += [each for each in streams if each.law.kind in _ASKING and each.seq and mine(who, each.state)]
        return found

    async def _shown(self, stream: Stream, ticket_id: str) -> JsonObject:
        """A ticket's current state, once it is durable."""
        told = _ticket_told(stream, _ticket(stream, ticket_id))
        await self.core.journal.settled(stream)
        return await self._filled(told)

    async def _filled(self, told: Told) -> JsonObject:
        """A ticket with the values stored outside its record."""
        tenant, facts = told
        return {name: await self.core.value(tenant, fact) if name in _CELLS else fact for name, fact in facts.items()}


def _tickets_of(stream: Stream) -> list[Ticket | keys.Ticket]:
    """The tickets of a run, a workflow or an agent's key, of which only the last that are not open are known."""
    state = stream.state
    return [*state.tickets.values(), *(state.closed.values() if isinstance(state, Key) else ())]


def _ticket(stream: Stream, ticket_id: str) -> Ticket | keys.Ticket:
    """A ticket of a run, a workflow or an agent's key that has it."""
    state = stream.state
    found: Ticket | keys.Ticket = state.asked(ticket_id) if isinstance(state, Key) else state.tickets[ticket_id]
    return found


def _asked_told(key: Key, ticket: keys.Ticket) -> Told:
    """A snapshot of a question of an agent."""
    question = ticket.question
    told: dict[str, Any] = {
        "ticket_id": ticket.id, "agent": key.agent, "key": key.subject, "subject": ticket.subject,
        "role": ticket.role, "text": question.text, "choices": list(question.choices), "form": question.form,
        "shown": question.shown, "state": ticket.answer or "open",
    }  # fmt: skip
    if ticket.visit:
        told["visit"] = ticket.visit
    if question.due_ms:
        told["due"] = question.due_ms
    if ticket.answer:
        told |= {"choice": ticket.answer, "by": ticket.by, "reason": ticket.reason, "values": ticket.values}
    return key.tenant, told


def _ticket_told(stream: Stream, ticket: Ticket | keys.Ticket) -> Told:
    """A consistent snapshot of a ticket: no await here, because its run continues."""
    if isinstance(ticket, keys.Ticket):
        return _asked_told(stream.state, ticket)
    run: Run | Workflow = stream.state
    about = (
        {"workflow": run.name, "tag": run.asked[ticket.id].tag} if isinstance(run, Workflow)
        else {"run_id": run.id, "workflow": run.workflow, "visit": ticket.visit}
    )  # fmt: skip
    needed = ticket.needed
    told: dict[str, Any] = {
        "ticket_id": ticket.id, **about, "subject": ticket.subject, "role": needed[-1], "text": ticket.text,
        "choices": ticket.choices, "form": ticket.form, "shown": ticket.shown, "state": ticket.answer or "open",
    }  # fmt: skip
    if len(needed) > 1:
        told["roles"] = list(needed)
    if ticket.barred:
        told["not"] = list(ticket.barred)
    if ticket.due_ms:
        told["due"] = ticket.due_ms
    if ticket.about:
        told["patch_id"] = ticket.about
    if ticket.answer:
        told |= {"choice": ticket.answer, "by": ticket.by, "reason": ticket.reason, "values": ticket.values}
    return run.tenant, told
