"""A desk to try the law of an agent's key at: every command that is put on it is checked against all that must always
hold."""

import hashlib
from typing import Any

from msgspec import Raw

from aob.core.agent import Decision, Key, Rules, admission, decide, decode_key, encode_key, pending, react
from aob.core.agent.folding import evolve
from aob.core.agent.record import Input, Later, Mark, Output, Question, commands, decode_events, encode_events
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent_name import agent_stream
from aob.core.value import canonical, decode

T0 = 1_700_000_000_000
DAY = 86_400_000
REPORTS = (cmd.End, cmd.Fail, cmd.Lost, cmd.Suspend)


def cell(value: Any) -> Raw:
    return Raw(canonical(value))


def record(offset: int, source: str = "orders/3", generation: int = 1, **more: Any) -> Input:
    return Input(source, generation, offset, more.pop("id", f"rec_{source}_{offset}"), **more)


def output(topic: str = "out", value: Any = 1, subject: str = "k") -> Output:
    data = canonical(value)
    return Output(topic, "made", Raw(data), len(data), subject)


class Desk:
    """One key of one agent, a clock, and everything that its decisions sent."""

    def __init__(self, rules: Rules | None = None, key: str = "ann") -> None:
        self.key = Key(agent_stream("default", "org.shop.triage", key))
        self.rules, self.now, self.version = rules or Rules(), T0, 1
        self.reads: dict[str, int] = {}
        self.outputs: list[Output] = []
        self.marks: list[Mark] = []
        self.replies: list[Any] = []
        self.told: list[Any] = []  # the events of all decisions

    def do(self, command: Any) -> Decision:
        """Decides a command; checks that deciding changes nothing, that pages and events read back as what they were,
        and that the effects are the difference of what should exist."""
        before, page = pending(self.key), encode_key(self.key)
        decision = decide(self.key, command, self.rules, self.now, self.reads)
        assert encode_key(self.key) == page
        written = encode_events(decision.events)
        assert encode_events(decode_events(written)) == written
        again = decode_key(page)
        for event in decision.events:
            evolve(self.key, event)
        for event in decode_events(written):
            evolve(again, event)
        assert encode_key(again) == encode_key(self.key)
        self._differs(before, decision, command)
        self._bounded()
        assert not decision.outputs or decision.events
        self.outputs += decision.outputs
        self.marks += decision.marks
        self.replies += decision.replies
        self.told += decision.events
        return decision

    def _differs(self, before: Any, decision: Decision, command: Any) -> None:
        if not decision.events:
            return
        after, effects = pending(self.key), react(self.key, decision.events)
        assert effects.jobs == {v: n for v, n in after.jobs.items() if before.jobs.get(v) != n}
        own = command.input.visit if isinstance(command, REPORTS) else ""
        assert {v for v in before.jobs if v not in after.jobs} <= {*effects.gone, own}
        assert not set(effects.gone) & after.jobs.keys()
        left = {id: due for id, due in before.timers.items() if id not in effects.timers_done}
        assert {**left, **effects.timers} == after.timers
        assert (before.tickets - {*effects.tickets_done}) | {
            id for id in effects.tickets if id not in effects.tickets_done
        } == after.tickets

    def _bounded(self) -> None:
        key, record = self.key, self.key.open
        waits = [timer for timer in key.timers if timer.startswith("wait:")]
        assert record is not None or not waits
        assert record is not None or "retry" not in key.timers
        assert record is None or record.state != "backoff" or "retry" in key.timers
        assert record is not None or key.holds or not key.queue, "a free key has begun the first of its queue"
        assert all(ticket.visit in ("", record.visit if record else "") for ticket in key.tickets.values())
        assert {int(id[7:]) for id in key.timers if id.startswith("remind:")} == {
            number for number, each in key.reminders.items() if not each.rung
        }
        assert len(key.seen) <= 64
        assert len(key.queue) <= 2_001

    def admit(self, given: Input) -> str:
        return admission(self.key, given)

    def end(self, given: Input, *outputs: Output, attempt: int = 1, state: Any = ..., **more: Any) -> Decision:
        kept = None if state is ... else cell(state)
        return self.do(cmd.End(given, attempt, self.version, kept, outputs, **more))

    def fail(self, given: Input, attempt: int = 1, code: str = "boom", **more: Any) -> Decision:
        error = cell({"code": code, "message": "no"})
        return self.do(cmd.Fail(given, attempt, self.version, error, **more))

    def lose(self, given: Input, attempt: int = 1, why: str = "crash") -> Decision:
        return self.do(cmd.Lost(given, attempt, self.version, why))

    def intend(self, given: Input, attempt: int = 1, what: Any = None, count: int = 1, kind: str = "mail") -> Decision:
        data = canonical(what if what is not None else {"to": "ann"})
        digest = hashlib.sha256(data).digest()
        return self.do(cmd.Intend(given, attempt, self.version, count, kind, digest, Raw(data)))

    def settle(self, given: Input, number: int = 1, attempt: int = 1, result: Any = 1, **more: Any) -> Decision:
        return self.do(cmd.Settle(given, attempt, self.version, number, cell(result), **more))

    def ask(self, given: Input, attempt: int = 1, count: int = 1, what: Any = "who?", wait_ms: int = 1_000) -> Decision:
        data = canonical(what)
        request = output("asked", what)
        digest = hashlib.sha256(data).digest()
        return self.do(cmd.Ask(given, attempt, self.version, count, digest, Raw(data), request, self.now + wait_ms))

    def interrupt(self, given: Input, attempt: int = 1, due_ms: int = 0, what: str = "refund?") -> Decision:
        data = canonical(what)
        question = Question("approve", what, form={"n": "integer"}, due_ms=due_ms)
        digest = hashlib.sha256(data).digest()
        return self.do(cmd.Interrupt(given, attempt, self.version, 1, digest, Raw(data), question))

    def suspend(self, given: Input, *numbers: int, attempt: int = 1) -> Decision:
        return self.do(cmd.Suspend(given, attempt, self.version, numbers))

    def answer(self, choice: str = "approve", ticket: str = "", values: Any = None) -> Decision:
        return self.do(cmd.Answer(ticket or next(iter(self.key.tickets)), choice, "ann", "", cell(values)))

    def queue(self, given: Input) -> Decision:
        return self.do(cmd.Queue(given))

    def ring(self, timer: str = "") -> Decision:
        """The soonest timer, or this one, is due."""
        id = timer or min(self.key.timers, key=lambda id: (self.key.timers[id], id))
        self.now = max(self.now, self.key.timers.get(id, 0))
        return self.do(cmd.Ring(id))

    @property
    def visit(self) -> Input:
        """The record in hand."""
        assert self.key.open is not None
        return self.key.open.input

    @property
    def attempt(self) -> int:
        assert self.key.open is not None
        return self.key.open.attempt

    @property
    def state(self) -> Any:
        return decode(self.key.state)

    def letters(self) -> list[Any]:
        """The dead letters so far."""
        return [decode(each.data) for each in self.outputs if each.topic == "dead.org.shop.triage"]

    def kinds(self, decision: Decision) -> list[str]:
        return [type(event).__name__ for event in decision.events]


__all__ = ["DAY", "T0", "Desk", "Later", "cell", "cmd", "commands", "ev", "output", "record"]
