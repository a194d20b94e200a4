"""The acts in their order. Everything that is said is read from the platform, or from the books outside of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from rich.markup import escape

from aob.client import AsyncClient
from aob.core.errors import Unavailable
from triage.agents import AGENTS, BOOKED, QUESTIONS, REGULAR, SORTED, UNKNOWN
from triage.brains import SURE, badge, score
from triage.checking import by_desk, digest, wrong
from triage.corpus import PACKAGE, corpus
from triage.ledger import Ledger
from triage.letters import LETTER
from triage.person import decided, gone
from triage.telling import Telling, books
from triage.visitors import MENDED, POISON, questions, record

DEAD: Final = "dead.sorter"
WAIT_S_MAX: Final = 60.0
SHOWN_S: Final = 0.1
LOOK_MS: Final = 5_000


class Killable(Protocol):
    """What the agents run in: it can be killed with -9, and their work goes on."""

    async def kill(self) -> int:
        """Kill it; its process id."""

    async def start(self) -> float:
        """Let the work go on; after how many seconds it does."""


class Story:
    """One telling. `command` makes a line to type of words of `aob`; `wrong` is what is not as it must be."""

    def __init__(
        self, telling: Telling, aob: AsyncClient, ledger: Ledger, agents: Killable, command: Callable[[str], str]
    ) -> None:
        self.telling, self.aob, self.ledger, self.agents, self.command = telling, aob, ledger, agents, command
        self.wrong: list[str] = []
        self.unknown = 0
        """How many questions a person is asked about."""

    async def tell(self, count: int) -> None:
        """All acts, with so many questions."""
        self.learns()
        await self.stands()
        await self.flows(count)
        await self.person(count)
        await self.letter()
        await self.poison()
        await self.holds(count + 1)

    def learns(self) -> None:
        """The classifier is taught and examined."""
        self.telling.act("A classifier learns which desk answers which question")
        told = score()
        learned_ms = told.learned_s * 1_000
        self.telling.line(f"brain: [cyan]{escape(badge())}[/]")
        self.telling.line(f"the classifier: {told.learned} texts of {PACKAGE} {corpus().version}, {learned_ms:.0f} ms")
        self.telling.line(
            f"on {told.held_out} questions it has never seen: {told.right:.0%} right (mean of desks {told.by_desk:.0%})"
        )
        self.telling.line(
            f"where it is sure ({SURE:.0%} or more): {told.sure_right:.0%} of {told.sure} right; "
            "what it is not sure of goes to the front desk"
        )
        self.telling.fact(
            "brain", brain=badge(), learned=told.learned, held_out=told.held_out, right=round(told.right, 3),
            by_desk=round(told.by_desk, 3), sure=told.sure, sure_right=round(told.sure_right, 3),
        )  # fmt: skip

    async def stands(self) -> None:
        """The organisation as the platform tells it."""
        self.telling.act("The organisation")
        for agent in (await self.aob.agents())["agents"]:
            if agent["agent"] not in AGENTS:
                continue  # it belongs to tasks and plans in general
            told = (await self.aob.agent(agent["agent"]))["definition"]
            way = f"{' '.join(told['consumes'])} → {' '.join(told['produces'])}"
            self.telling.line(f"[magenta]{agent['agent']}[/]: {escape(way)}   [dim]{escape(told['description'])}[/]")
            self.telling.fact("agent", agent=agent["agent"], way=way)

    async def flows(self, count: int) -> None:
        """Questions come, are sorted and booked; in the middle the agents are killed while a booking is under way."""
        self.telling.act("A night's questions come in, all at once")
        self.ledger.holding = count // 3
        sent = len((await self.aob.produce(QUESTIONS, questions(count)))["records"])
        self.telling.line(f"{sent} records in {QUESTIONS}; one of them is an empty page")
        self.telling.fact("asked", records=sent)
        async with asyncio.timeout(WAIT_S_MAX):
            await self._shown(self._asked(count))
        await self.killed()
        await self._shown(self.ledger.until(count - self.unknown, WAIT_S_MAX))
        self.telling.table(self.ledger.bookings.values())
        regulars = sum(one["priority"] == "high" for one in self.ledger.bookings.values())
        self.telling.line(
            f"{regulars} are of regulars: agents read a live number, and see who asked {REGULAR} times or more"
        )

    async def _asked(self, count: int) -> None:
        """Until all are sorted, people are asked about what was not, and a booking is held back."""
        while True:
            unknown, known = await self._records(UNKNOWN), await self._records(SORTED)
            if len(unknown) + len(known) >= count:
                break
            await asyncio.sleep(SHOWN_S)
        self.unknown = len(unknown)
        visitors = {each["subject"] for each in unknown}
        await self._tickets(len(visitors))
        await self.ledger.held.wait()

    async def _tickets(self, count: int) -> list[Any]:
        """The open tickets, once there are so many."""
        while True:
            tickets = list(await self.aob.tickets())
            if len(tickets) >= count:
                return tickets
            await asyncio.sleep(SHOWN_S)

    async def person(self, count: int) -> None:
        """The questions of the clerk, opened before the kill, are decided; their records go on."""
        self.telling.act("A person is asked about what no word is known of; asked before the kill, answered after it")
        for _ in range(self.unknown):
            async with asyncio.timeout(WAIT_S_MAX):
                tickets = await self._tickets(1)
            ticket = min(tickets, key=lambda one: str(one["text"]))
            self.telling.line(f"{escape(str(ticket['text']))}   [dim]a graph of LangGraph waits, no process does[/]")
            command = self.command(f"approve {ticket['ticket_id']} DESK")
            choice = await decided(self.telling, self.aob, ticket, command)
            self.telling.fact("person", asked=ticket["text"], choice=choice)
            await gone(self.aob, ticket["ticket_id"])
        await self._shown(self.ledger.until(count, WAIT_S_MAX))
        self.telling.line(f"all {count} are booked")

    async def killed(self) -> None:
        """Kill the agents while the books have a booking of which its agent has not heard."""
        self.telling.act("kill -9, while the books have taken a booking and its agent has not heard of it")
        before, open_ones = len(self.ledger.bookings), (await self.aob.metric("open_questions"))["value"]
        pid = await self.agents.kill()
        self.ledger.release()
        took = await self.agents.start()
        self.telling.line(f"[bold red]kill -9 {pid}[/] with {before} booked; the work goes on after {took:.1f} s")
        self.telling.fact("killed", booked=before, open=open_ones, seconds=round(took, 2))

    async def letter(self) -> None:
        """A letter with several questions is split by a plan into tasks; their results are its answer."""
        self.telling.act("A letter with several questions: a plan splits it into tasks")
        self.telling.line(f"[italic]{escape(LETTER)}[/]")
        plan = {"plan_id": "letter-1", "plan_type": "letter", "context": {"id": "letter-1", "text": LETTER}}
        await self.aob.submit_plan(plan)
        async with asyncio.timeout(WAIT_S_MAX):
            while (told := await self.aob.plan("letter-1", wait_ms=LOOK_MS))["status"] == "running":
                pass
        results = told["result"]["task_results"] if told["result"] else []
        for each in results:
            found = each["result"]["data"]
            self.telling.line(f"[cyan]{escape(found['question'])}[/]  {found['desk']}: {escape(found['answer'])}")
        if not results:
            self.wrong.append(f"the plan letter-1 is {told['status']}")
        self.telling.line(f"[dim]{self.command('task list --plan letter-1')}[/]")
        self.telling.fact("plan", status=told["status"], answers=[each["result"]["data"]["answer"] for each in results])

    async def poison(self) -> None:
        """The empty page is a dead letter; it is mended and handled."""
        self.telling.act("A record that cannot be worked on")
        letter = (await self._some(DEAD, 1))[0]["data"]
        self.telling.line(f"{letter['record']} is a dead letter: [red]{escape(letter['error']['message'])}[/]")
        self.telling.line("its key went on: the other questions of this visitor are booked")
        self.telling.line(f"[dim]{self.command(f'topic consume {DEAD} --json')}[/]")
        self.telling.fact("dead", record=letter["record"], code=letter["error"]["code"])
        before = len(self.ledger.bookings)
        await self.aob.produce(QUESTIONS, [record(f"{POISON}-mended", POISON.partition("-")[0], MENDED)])
        await self.ledger.until(before + 1, WAIT_S_MAX)
        last = max(self.ledger.bookings.values(), key=lambda one: int(one["number"]))
        self.telling.line(f"mended and sent again: [cyan]{escape(last['text'])}[/] → {last['desk']}")
        self.telling.fact("mended", text=last["text"], desk=last["desk"])

    async def holds(self, count: int) -> None:
        """What the platform says against what the books say."""
        self.telling.act("What the platform says, and what the books say")
        bookings = list(self.ledger.bookings.values())
        await self._some(BOOKED, count)
        rows = (await self.aob.metric("booked", by=["desk"]))["rows"]
        counted = {row["by"]["desk"]: int(row["value"]) for row in rows}
        self.wrong += wrong(bookings, count, counted)
        again, answer = self.ledger.requests - len(bookings), digest(bookings)
        if not self.wrong:
            self.telling.line(f"{count} questions, {len(bookings)} bookings, each one once; asked again: {again}")
            self.telling.line(f"the live number `booked` by desk equals the books: {sum(counted.values())}")
        self.telling.line(
            f"the answer of this run: [bold]{answer}[/], the same each time with this brain and these answers"
        )
        self.telling.fact(
            "checked", bookings=len(bookings), asked_again=again, by_desk=by_desk(bookings), answer=answer,
            wrong=self.wrong,
        )  # fmt: skip

    async def _records(self, topic: str) -> list[Any]:
        """The records that a topic has."""
        found, position = list[Any](), None
        while True:
            answer = await self.aob.consume(topic, position=position)
            if not answer["records"]:
                return found
            position = answer["position"]
            found += answer["records"]

    async def _some(self, topic: str, count: int) -> list[Any]:
        """The first records of a topic, as soon as there are so many. Raises Unavailable when there never are."""
        found: list[Any] = []
        position: str | None = None
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while len(found) < count:
                    answer = await self.aob.consume(topic, position=position, wait_ms=LOOK_MS)
                    position = answer["position"]
                    found += answer["records"]
        except TimeoutError as error:
            raise Unavailable(f"{topic} has {len(found)} records of {count} after {WAIT_S_MAX:g} s") from error
        return found

    async def _shown(self, what: Awaitable[Any]) -> None:
        """Wait for something, while the table fills before the eyes of whoever looks."""
        waited = asyncio.ensure_future(what)
        if (live := self.telling.filling()) is None:
            await waited
            return
        with live:
            while not waited.done():
                live.update(books(self.ledger.bookings.values()), refresh=True)
                await asyncio.wait([waited], timeout=SHOWN_S)
        await waited
