"""One key of an agent under a state machine: a shell that forgets, repeats, is late and dies, two sources, zombies. One
visible effect a record, in the order of its source; at the end the world stops to be unkind, and all are handled.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aob.core.agent import Rules
from aob.core.agent.record import Input, Later
from aob.core.errors import AobError
from tests.core.agent.desk import DAY, Desk, cell, cmd, ev, output

PICK = st.integers(0, 7)
SOURCES = ("orders/3", "gate:paid/1")
LIVENESS_MAX = 2_000

RULES = st.builds(
    Rules,
    attempts=st.integers(1, 3),
    first_ms=st.sampled_from([0, 100]),
    deadline_ms=st.sampled_from([0, 50_000]),
    on_poison=st.sampled_from(["skip", "park"]),
    while_waiting=st.sampled_from(["enqueue", "reject", "rollback", "interrupt"]),
    on_uncertain=st.sampled_from(["ask", "repeat", "fail"]),
    budget=st.sampled_from([{}, {"usd": 3.0}]),
    over_budget=st.sampled_from(["stop", "ask", "degrade"]),
)


class Shell:
    """The reader and the workers of one key, as far as the law can see them: what is read, what is being handled."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.ends = dict.fromkeys(SOURCES, 0)
        self.generations = desk.reads = dict.fromkeys(SOURCES, 1)
        self.marked: dict[str, set[int]] = {source: set() for source in SOURCES}
        self.job: tuple[Input, int] | None = None  # what a worker has
        self.late: list[Any] = []  # reports that may still arrive, from workers that are thought dead
        self.topic: dict[str, Any] = {}  # by id: what others see
        self.acted: list[tuple[str, int]] = []  # effects that really happened: visit and count

    def next(self) -> Input | None:
        """The first record of a source that no mark covers, of the first source that has one."""
        for source in SOURCES:
            for offset in range(self.ends[source]):
                if offset not in self.marked[source]:
                    return Input(source, self.generations[source], offset, f"rec_{source}_{offset}")
        return None

    def do(self, command: Any) -> Any:
        decision = self.desk.do(command)
        for mark in decision.marks:
            assert mark.generation == self.generations[mark.source], "a mark is of the generation that is read"
            assert mark.offset not in self.marked[mark.source], "a record is marked once"
            self.marked[mark.source].add(mark.offset)
        for each in decision.outputs:
            known = self.topic.setdefault(each.id, each)
            assert (known.topic, known.data) == (each.topic, each.data) or known.topic == "asked"
        self.follow()
        return decision

    def follow(self) -> None:
        """Gives the job that the key has to a worker, and takes away one that it has not."""
        record = self.desk.key.open
        if self.job is not None:
            given = self.job[0]
            if record is not None or given.behind or self.desk.key.knows(given):
                self.job = None
        if record is not None and record.state == "ready":
            self.job = (record.input, record.attempt)

    def read(self) -> None:
        """Takes the next record to the key, if it has no job."""
        given = self.next()
        if given is None or self.job is not None:
            return
        word = self.desk.admit(given)
        if word == "known":
            self.do(cmd.Pass(given))
        elif word == "queue":
            self.do(cmd.Queue(given))
        elif word == "":
            self.job = (given, 1)


class KeyMachine(RuleBasedStateMachine):
    @initialize(rules=RULES)
    def start(self, rules: Rules) -> None:
        self.desk = Desk(rules)
        self.shell = Shell(self.desk)

    @rule(source=st.sampled_from(SOURCES))
    def arrives(self, source: str) -> None:
        self.shell.ends[source] += 1

    @rule()
    def read(self) -> None:
        try:
            self.shell.read()
        except AobError:
            return

    def reports(self, made: Any, *, lost: bool = False, twice: bool = False) -> None:
        """A report arrives, is repeated, or comes after everybody has given it up."""
        if lost:
            self.shell.late.append(made)
            return
        self.shell.do(made)
        if twice:
            assert not self.desk.do(made).events

    @precondition(lambda self: self.shell.job)
    @rule(outputs=st.integers(0, 2), later=st.booleans(), lost=st.booleans(), twice=st.booleans(), usd=PICK)
    def end(self, outputs: int, later: bool, lost: bool, twice: bool, usd: int) -> None:
        given, attempt = self.shell.job
        made = tuple(output("out", [given.source, given.offset, n]) for n in range(outputs))
        told = (Later(self.desk.now + 500, cell("wake"), "name"),) if later else ()
        usage = {"usd": usd} if usd > 5 else None
        self.reports(cmd.End(given, attempt, 1, cell(given.offset), made, told, None, usage), lost=lost, twice=twice)

    @precondition(lambda self: self.shell.job)
    @rule(transient=st.booleans(), lost=st.booleans(), spent=st.booleans())
    def fail(self, transient: bool, lost: bool, spent: bool) -> None:
        given, attempt = self.shell.job
        error = cell({"code": "budget_spent" if spent else "boom", "message": ""})
        self.reports(cmd.Fail(given, attempt, 1, error, transient), lost=lost)

    @precondition(lambda self: self.shell.job)
    @rule(count=st.integers(1, 2), effect=st.sampled_from(["once", "keyed"]), settles=st.booleans())
    def act(self, count: int, effect: str, settles: bool) -> None:
        given, attempt = self.shell.job
        what, digest = cell({"effect": effect}), effect.encode()
        try:
            self.shell.do(cmd.Intend(given, attempt, 1, count, "mail", digest, what))
        except AobError:
            return
        record = self.desk.key.open
        known = record.intents.find("mail", digest, count) if record and record.intents else None
        if settles and known is not None and known.result is None:
            self.shell.do(cmd.Settle(given, attempt, 1, known.number, cell(1), usage={"usd": 1}))

    @precondition(lambda self: self.shell.job)
    @rule(person=st.booleans(), suspends=st.booleans(), count=st.integers(1, 2))
    def ask(self, person: bool, suspends: bool, count: int) -> None:
        given, attempt = self.shell.job
        if person:
            rungs = ((self.desk.now + 300, "remind", ""), (self.desk.now + 600, "approve", ""))
            question = ev.Question("approve", "?", due_ms=self.desk.now + 900, rungs=rungs)
            self.shell.do(cmd.Interrupt(given, attempt, 1, count, b"q", cell("q"), question))
        else:
            due = self.desk.now + 700
            self.shell.do(cmd.Ask(given, attempt, 1, count, b"a", cell("a"), output("asked", "a"), due))
        record = self.desk.key.open
        if suspends and record is not None and record.awaits:
            self.shell.do(cmd.Suspend(given, attempt, 1, tuple(record.awaits)))

    @precondition(lambda self: self.desk.key.tickets)
    @rule(pick=PICK, choice=PICK)
    def answer(self, pick: int, choice: int) -> None:
        ticket = [*self.desk.key.tickets.values()][pick % len(self.desk.key.tickets)]
        chosen = ticket.question.choices[choice % len(ticket.question.choices)]
        self.shell.do(cmd.Answer(ticket.id, chosen, "ann"))

    @precondition(lambda self: self.desk.key.open and self.desk.key.open.awaits)
    @rule(failed=st.booleans())
    def reply(self, failed: bool) -> None:
        for id, kind in [*self.desk.key.open.awaits.values()]:
            if kind == "ask":
                self.shell.do(cmd.Replied(id, cell("r"), failed))

    @precondition(lambda self: self.desk.key.timers)
    @rule()
    def ring(self) -> None:
        id, due = min(self.desk.key.timers.items(), key=lambda timer: (timer[1], timer[0]))
        self.desk.now = max(self.desk.now, due)
        self.shell.do(cmd.Ring(id))

    @precondition(lambda self: self.shell.late)
    @rule(pick=PICK)
    def a_zombie_reports(self, pick: int) -> None:
        self.shell.do(self.shell.late[pick % len(self.shell.late)])

    @rule(stop=st.booleans())
    def the_process_dies(self, stop: bool) -> None:
        """What it had in memory is gone; what a worker had of the key's own is lost."""
        job, self.shell.job = self.shell.job, None
        if job is not None:
            self.shell.do(cmd.Lost(*job, 1, "stop" if stop else "crash"))
        self.shell.follow()

    @rule()
    def pause(self) -> None:
        self.shell.do(cmd.Hold("ann"))

    @precondition(lambda self: self.desk.key.holds)
    @rule(again=st.booleans())
    def free(self, again: bool) -> None:
        self.shell.do(cmd.Free(next(iter(self.desk.key.holds)), "ann", again))

    @precondition(lambda self: self.desk.key.dead)
    @rule(pick=PICK)
    def replay(self, pick: int) -> None:
        dead = [*self.desk.key.dead]
        self.shell.do(cmd.Replay(dead[pick % len(dead)], "ann"))

    @precondition(lambda self: self.desk.key.open)
    @rule()
    def cancel(self) -> None:
        self.shell.do(cmd.Cancel(self.desk.key.open.visit, "ann", ""))

    @rule(source=st.sampled_from(SOURCES), to=PICK, told=st.booleans())
    def set_back(self, source: str, to: int, told: bool) -> None:
        """The group is set to another offset; what is being handled of it is stopped."""
        shell = self.shell
        shell.generations[source] += 1
        shell.marked[source] = set(range(min(to, shell.ends[source])))
        if shell.job is not None and shell.job[0].source == source and not shell.job[0].behind:
            shell.job = None
        if told:
            shell.do(cmd.SetBack(source, shell.generations[source], to))
        shell.follow()

    @invariant()
    def each_handling_has_one_end(self) -> None:
        ends = [
            (e.source, e.generation, e.offset, e.behind) for e in self.desk.told if isinstance(e, ev.Ended)
        ]  # fmt: skip
        assert len(ends) == len(set(ends))

    @invariant()
    def sources_are_taken_in_their_order(self) -> None:
        places: dict[str, tuple[int, int]] = {}
        for source, generation, offset in taken(self.desk.told):
            assert places.get(source, (0, -1)) < (generation, offset)
            places[source] = (generation, offset)

    def teardown(self) -> None:
        if hasattr(self, "shell"):
            liveness(self)


def taken(told: list[Any]) -> Iterator[tuple[str, int, int]]:
    """The records of sources, as they came into the hands of the key."""
    open_one = ""
    for e in told:
        if isinstance(e, ev.Taken) or (isinstance(e, ev.Queued) and e.input.cause == "behind"):
            open_one = e.input.visit if isinstance(e, ev.Taken) else open_one
            yield e.input.source, e.input.generation, e.input.offset
        elif isinstance(e, ev.Ended) and not e.behind and open_one != f"{e.source}@{e.generation}.{e.offset}":
            yield e.source, e.generation, e.offset


def liveness(machine: KeyMachine) -> None:
    """Nothing breaks any more: every job ends, every question is answered, every hold is freed."""
    desk, shell = machine.desk, machine.shell
    for _ in range(LIVENESS_MAX):
        if shell.job is not None:
            given, attempt = shell.job
            made = (output("out", [given.source, given.offset, 0]),)
            shell.do(cmd.End(given, attempt, 1, None, made))
        elif desk.key.tickets:
            ticket = next(iter(desk.key.tickets.values()))
            shell.do(cmd.Answer(ticket.id, ticket.question.choices[0], "ann"))
        elif desk.key.holds:
            shell.do(cmd.Free(next(iter(desk.key.holds)), "ann"))
        elif desk.key.timers:
            machine.ring()
        elif shell.next() is not None:
            shell.read()
        else:
            break
    key = desk.key
    assert (key.open, key.queue, key.reminders.keys() - {each.offset for each in key.dead.values()}) == (
        None,
        [],
        set(),
    )
    assert all(shell.marked[source] >= set(range(shell.ends[source])) for source in SOURCES)
    assert desk.now < 2_000_000_000_000 + DAY


KeyMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestKey = KeyMachine.TestCase
