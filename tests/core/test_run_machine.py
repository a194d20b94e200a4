"""The law under a state machine: legal moves mostly, illegal ones on purpose, every check after each of them.

At the end the world stops to be unkind, and within a bounded number of moves the run must be over.
"""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Raw

from aob.core.errors import AobError
from aob.core.policy.patch import PatchRules
from aob.core.run import bodies, pending
from aob.core.run.bodies import EVENTS_MAX, OPENED_MAX
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.testing.flows import random_flow, random_inputs, random_patch
from tests.core.run_desk import Desk

OUTPUT = st.sampled_from([None, 0, 3, {"n": 1}, {"n": 5, "ok": True}, "text", [1, 2]])
PICK = st.integers(0, 30)
LIVENESS_MAX = 3_000
SEEDS = range(150)


def chosen(found: list[Any], pick: int) -> Any:
    return found[pick % len(found)]


def liveness(desk: Desk) -> None:
    """Nothing breaks any more: every job succeeds, every ticket is answered, every wait gets its message."""
    if desk.run.quarantined:
        desk.do(cmd.Release("ann"))
    for _ in range(LIVENESS_MAX):
        run = desk.run
        if run.final:
            return
        tickets = [ticket for ticket in run.tickets.values() if not ticket.answer]
        if pending(run).goes_on:
            desk.go_on()
        elif desk.jobs:
            desk.complete(next(iter(desk.jobs)), 1)
        elif tickets:
            desk.answer("reject" if tickets[0].subject == "patch" else tickets[0].choices[0], ticket=tickets[0].id)
        elif run.waits:
            name, key = next(iter(run.waits.values()))
            desk.message(name, key, id=f"last{len(run.commands)}")
        elif desk.timers:
            desk.fire()
        else:
            raise AssertionError(f"nothing can happen any more: {list(run.tokens)}")
    raise AssertionError(f"the run is not over after {LIVENESS_MAX} moves")


class RunMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 5_000))
    def start(self, seed: int) -> None:
        self.dice = Random(seed)
        rules = PatchRules(trusted_kinds=self.dice.choice([(), ("agent",)]))
        bodies.EVENTS_MAX = self.dice.choice([1, 3, EVENTS_MAX])  # type: ignore[misc]
        bodies.OPENED_MAX = self.dice.choice([1, 9, OPENED_MAX])  # type: ignore[misc]
        self.desk = Desk(random_flow(self.dice), random_inputs(self.dice), rules=rules, goes_on=False)

    @precondition(lambda self: pending(self.desk.run).goes_on)
    @rule()
    def go_on(self) -> None:
        self.desk.go_on()

    @rule()
    def leaves_and_comes_back(self) -> None:
        self.desk.run = self.desk.paged()

    def tolerate(self, move: Any, *args: Any, **kwargs: Any) -> None:
        """A move that may be refused: it then changed nothing, which the desk checks."""
        try:
            move(*args, **kwargs)
        except AobError:
            return

    @precondition(lambda self: self.desk.jobs)
    @rule(pick=PICK, output=OUTPUT)
    def complete(self, pick: int, output: Any) -> None:
        visit = chosen(list(self.desk.jobs), pick)
        patches = [patch.id for patch in self.desk.run.patches.values() if patch.visit == visit]
        assert self.desk.complete(visit, output, patch=patches[-1] if patches else "")

    @precondition(lambda self: self.desk.jobs)
    @rule(pick=PICK, transient=st.booleans())
    def fail(self, pick: int, transient: bool) -> None:
        assert self.desk.fail(chosen(list(self.desk.jobs), pick), transient=transient)

    @precondition(lambda self: self.desk.jobs)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        assert self.desk.lose(chosen(list(self.desk.jobs), pick))

    @precondition(lambda self: self.desk.jobs)
    @rule(pick=PICK, number=st.integers(1, 2), effect=st.sampled_from(["none", "once"]), settle=st.booleans())
    def act(self, pick: int, number: int, effect: str, settle: bool) -> None:
        visit = chosen(list(self.desk.jobs), pick)
        self.tolerate(self.desk.intend, visit, number, effect=effect)
        if settle:
            self.tolerate(self.desk.settle, visit, number)

    @precondition(lambda self: self.desk.timers and not self.desk.run.quarantined)
    @rule()
    def soonest_timer(self) -> None:
        assert self.desk.fire()

    @precondition(lambda self: self.desk.run.timers)
    @rule(pick=PICK)
    def any_timer(self, pick: int) -> None:
        self.desk.do(cmd.Fire(chosen(list(self.desk.run.timers), pick)))

    @precondition(lambda self: any(not ticket.answer for ticket in self.desk.run.tickets.values()))
    @rule(pick=PICK, choice=PICK)
    def answer(self, pick: int, choice: int) -> None:
        open_ones = [ticket for ticket in self.desk.run.tickets.values() if not ticket.answer]
        ticket = chosen(open_ones, pick)
        self.tolerate(self.desk.answer, chosen(ticket.choices, choice), ticket=ticket.id)

    @precondition(lambda self: self.desk.run.waits)
    @rule(pick=PICK)
    def awaited_message(self, pick: int) -> None:
        name, key = chosen(list(self.desk.run.waits.values()), pick)
        self.tolerate(self.desk.message, name, key)

    @rule(name=st.sampled_from(["paid", "sent"]), key=st.sampled_from(["", "k"]), again=st.booleans())
    def any_message(self, name: str, key: str, again: bool) -> None:
        self.tolerate(self.desk.message, name, key, 1, id="again" if again else "")

    @precondition(lambda self: not self.desk.run.final)
    @rule(old=st.booleans(), by_visit=PICK)
    def propose(self, old: bool, by_visit: int) -> None:
        document = self.desk.given.graphs.document(len(self.desk.run.graph_ops))
        base = self.desk.given.graphs.ir(0).hash if old else ""
        jobs = list(self.desk.jobs)
        visit = chosen(jobs, by_visit) if jobs and by_visit % 2 else ""
        kind = "agent" if visit else "person"
        self.tolerate(self.desk.propose, random_patch(self.dice, document), base=base, visit=visit, kind=kind)

    @precondition(lambda self: any(patch.state == "applied" for patch in self.desk.run.patches.values()))
    @rule(pick=PICK)
    def roll_back(self, pick: int) -> None:
        applied = [patch.id for patch in self.desk.run.patches.values() if patch.state == "applied"]
        self.tolerate(self.desk.roll_back, chosen(applied, pick))

    @precondition(lambda self: not self.desk.run.final and self.dice.random() < 0.1)
    @rule()
    def cancel(self) -> None:
        self.desk.cancel()

    @precondition(lambda self: not self.desk.run.final and self.dice.random() < 0.1)
    @rule()
    def set_aside(self) -> None:
        if self.desk.run.quarantined:
            self.desk.do(cmd.Release("ann"))
        else:
            self.desk.do_events([ev.RunQuarantined("a test")])

    @rule(pick=PICK, attempt=st.integers(0, 3))
    def illegal_reports(self, pick: int, attempt: int) -> None:
        known = [*self.desk.run.tokens, *self.desk.run.scopes[""].done, "nobody", "each[9]/in"]
        visit = chosen(known, pick)
        token = self.desk.run.tokens.get(visit)
        if token is not None and token.attempt == attempt and token.state == "ready":
            return
        assert self.desk.do(cmd.Complete(visit, attempt, Raw(b"1"), b"")) == []
        assert self.desk.do(cmd.Fail(visit, attempt, Raw(b"{}"), True)) == []
        assert self.desk.do(cmd.Lost(visit, attempt)) == []

    @rule(by=st.integers(0, 120_000))
    def time_passes(self, by: int) -> None:
        self.desk.now += by

    @invariant()
    def has_begun(self) -> None:
        assert self.desk.run.workflow

    def teardown(self) -> None:
        try:
            if hasattr(self, "desk"):
                liveness(self.desk)
        finally:
            bodies.EVENTS_MAX, bodies.OPENED_MAX = EVENTS_MAX, OPENED_MAX  # type: ignore[misc]


RunMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRunMachine = RunMachine.TestCase


@pytest.mark.parametrize("seed", SEEDS)
def test_any_run_comes_to_an_end_when_nothing_breaks(seed: int) -> None:
    dice = Random(seed)
    liveness(Desk(random_flow(dice), random_inputs(dice)))
