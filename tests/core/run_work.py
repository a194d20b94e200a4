"""The law of a run under a counter: how many bytecodes a drama of a given size costs. Counts, never times."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from msgspec import Raw

from aob.core.graph import normalise
from aob.core.policy.patch import PatchRules
from aob.core.rules import RULES
from aob.core.run import Run, decide, fold
from aob.core.run.effects import react
from aob.core.run.record import commands as cmd
from aob.core.run.stepping import Given
from aob.core.value import NULL, canonical, digest_of
from aob.runs.graphs import Expected, Versions
from tests.core.run_desk import ANN, T0

NOTHING = digest_of(b"null")


class Bare:
    """One run, decided and folded as the shell does it and without any check."""

    def __init__(self, document: dict[str, Any], inputs: Any = None, *, rules: int = RULES) -> None:
        self.rules = rules
        self.run, self.now, self.values = Run("run_1"), T0, dict[bytes, bytes]()
        versions = Versions.base(normalise(document), Expected({}), rules)
        self.given = Given(versions, self.values, PatchRules(), {"work": "none"})
        self.inputs = canonical(inputs)
        self.most = self.events = 0

    def begin(self, **fields: Any) -> None:
        self.do(
            cmd.Start(
                "run_1", "w", "sha256:00", "1.0", "main", "default", "ann", Raw(self.inputs), digest_of(self.inputs),
                "full", "medium", 1, {}, rules=self.rules, **fields,
            )
        )  # fmt: skip

    def do(self, command: Any) -> None:
        decision = decide(self.run, command, self.given, self.now)
        self.values |= decision.values
        fold(self.run, decision.events)
        react(self.run, decision.events)
        if decision.graphs is not self.given.graphs:
            self.given = self.given.under(decision.graphs)
        self.most = max(self.most, len(decision.events))
        self.events += len(decision.events)

    def go_on(self) -> None:
        """What goes on by itself, to its end."""
        while self.run.going:
            self.do(cmd.Continue())

    ann = ANN

    def complete(self, visit: str) -> None:
        self.do(cmd.Complete(visit, 1, NULL, NOTHING))

    def complete_all(self) -> None:
        """Every job, the oldest first, until none is left."""
        self.go_on()
        while self.run.tokens:
            ready = [token.visit for token in self.run.tokens.values() if token.state == "ready"]
            if not ready:
                return
            for visit in ready:
                if visit in self.run.tokens:
                    self.complete(visit)
                    self.go_on()

    def answer_all(self, choice: str) -> None:
        for ticket in list(self.run.tickets.values()):
            if not ticket.answer:
                self.do(cmd.Answer(ticket.id, choice, ANN))


def bytecodes(work: Callable[[], Any]) -> int:
    """How many bytecodes some work takes."""
    count = 0

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return local

    def begun(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return local

    before = sys.gettrace()
    sys.settrace(begun)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
