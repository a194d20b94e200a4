"""A desk to try the law of a run at: every command that is put on it is checked against all that must always hold."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Raw

from aob.core.graph import normalise
from aob.core.policy import Caller
from aob.core.policy.patch import PatchRules
from aob.core.rules import RULES
from aob.core.run import Run, decide, evolve, hop, pending
from aob.core.run.deciding import Hopped
from aob.core.run.effects import react
from aob.core.run.paging import decode_run, encode_run
from aob.core.run.record import commands as cmd
from aob.core.run.record import decode_events, encode_events
from aob.core.run.stepping import Given
from aob.core.run.stepping.names import input_value
from aob.core.run.stepping.step import Step
from aob.core.value import NULL, canonical, decode, digest_of
from aob.runs.graphs import Expected, Versions
from aob.testing.run_checks import Story, after, broken, picture, reaction_wrong

ANN = Caller("default", "ann", frozenset({"admin"}))
T0 = 1_700_000_000_000


def function(**fields: Any) -> dict[str, Any]:
    return {"kind": "function", "config": {"handler": "work"}, **fields}


def edge(source: str, target: str, **fields: Any) -> dict[str, Any]:
    return {"from": source, "to": target, **fields}


def edges(*pairs: str) -> dict[str, Any]:
    """`edges("a b", "b c")`: plain edges e1, e2."""
    return {f"e{n}": edge(*pair.split()) for n, pair in enumerate(pairs, 1)}


def kind(name: str, fields: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    return {"kind": name, "config": config, **(fields or {})}


def join(**config: Any) -> dict[str, Any]:
    return kind("join", **config)


def approval(**fields: Any) -> dict[str, Any]:
    return {"kind": "approval", "config": fields.pop("config", {}), **fields}


def sleep(wait: Any, **fields: Any) -> dict[str, Any]:
    return {"kind": "timer", "config": {"for": wait}, **fields}


def each(
    items: str, nodes: dict[str, Any], inner: dict[str, Any] | None = None, fields: dict[str, Any] | None = None,
    **config: Any,
) -> dict[str, Any]:  # fmt: skip
    body = {"nodes": nodes, "edges": inner or {}}
    return {"kind": "map", "config": {"items": items, **config}, "body": body, **(fields or {})}


def loop(limit: int, nodes: dict[str, Any], inner: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    return {"kind": "loop", "config": {"max": limit, **config}, "body": {"nodes": nodes, "edges": inner or {}}}


def flow(nodes: Mapping[str, Any], edges: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"workflow": "w", "nodes": dict(nodes), "edges": dict(edges or {}), **fields}


class Desk:
    """One run, its log, and a clock that only moves when it is told to."""

    def __init__(self, document: dict[str, Any], inputs: Any = None, *, begin: bool = True, **given: Any) -> None:
        self.document = normalise(document)
        self.now = T0
        self.run = Run("run_1")
        self.rules = given.get("rules") or PatchRules()
        self.values: dict[bytes, bytes] = given.get("values", {})
        self.rules_number = given.get("rules_number", RULES)
        versions = Versions.base(self.document, Expected({}), self.rules_number)
        for operations in given.get("overlay") or ():
            versions = versions.extended(operations)
        self.overlay = tuple(Raw(canonical(each)) for each in given.get("overlay") or ())
        self.given = Given(versions, self.values, self.rules, given.get("effects") or {"work": "none", "other": "none"})
        self.log: list[bytes] = []
        self.events: list[Any] = []
        self.hops = 0
        self.inputs = inputs
        self.goes_on: bool = given.get("goes_on", True)
        """Whether what goes on by itself does so at once after each command."""
        if begin:
            self.begin()

    # -- putting commands -------------------------------------------------------------------------------------------

    def do(self, command: Any) -> list[Any]:
        """The events of a command, folded; everything that must hold is checked on the way."""
        before, was = picture(self.run), after(self.run)
        hopped = self.hopped(command) if type(command) is cmd.Complete else None
        again = copy.deepcopy(command) if not isinstance(command, cmd.Start) else command
        try:
            decision = decide(self.run, command, self.given, self.now)
        except BaseException:
            assert picture(self.run) == before, "decide changed the run and raised"
            raise
        assert picture(self.run) == before, "decide changed the run"
        other = decide(self.run, again, self.given, self.now)
        assert encode_events(other.events) == encode_events(decision.events), "the same inputs gave other events"
        assert same_bytes(decision.events), "events change on their way through JSON"
        self.values |= decision.values
        graphs = self.given.graphs
        self._fold(decision.events, decision.graphs, was)
        if hopped is not None:
            (made, data, effects), run = hopped
            self.hops += 1
            assert encode_events(made) == encode_events(decision.events), "a hop leads to other events"
            assert encode_events(decode_events(data)) == encode_events(decision.events), "it is written as others"
            assert picture(run) == picture(self.run), "it folds to another run"
            assert pending(run) == pending(self.run)
            assert (decision.values, decision.graphs) == ({}, graphs), "it has no values, and no other graphs"
            react_made = reaction_wrong(was, after(run), effects, made)
            assert not [*react_made], "it has other effects"
        while self.goes_on and pending(self.run).goes_on:
            self.go_on()
        return decision.events

    def go_on(self) -> list[Any]:
        """The next of the decisions that nobody asks for. Never one that leads to nothing."""
        goes_on, self.goes_on = self.goes_on, False
        events = self.do(cmd.Continue())
        self.goes_on = goes_on
        assert events, "the run is said to go on, and does not"
        return events

    def hopped(self, command: cmd.Complete) -> tuple[Hopped, Run] | None:
        """What a hop makes of a command, and the run that it leaves; None when it leaves it to others."""
        run = copy.deepcopy(self.run)
        made = hop(run, copy.deepcopy(command), self.given.graphs, self.now)
        if made is not None:
            return made, run
        assert picture(run) == picture(self.run), "what is no hop changes nothing"
        return None

    def do_events(self, events: list[Any]) -> None:
        """Folds events of the shell, checked as those of a command are."""
        self._fold(events, self.given.graphs, after(self.run))

    def _fold(self, events: list[Any], graphs: Any, was: Any) -> None:
        for event in events:
            self.run = evolve(self.run, event)
        if graphs is not self.given.graphs:
            self.given = self.given.under(graphs)
        effects = react(self.run, events)
        if events:
            self.log.append(encode_events(events))
            self.events += events
        wrong = [*reaction_wrong(was, after(self.run), effects, events), *broken(self.run, self.given.graphs)]
        wrong += pairwise_broken(self.events)
        assert not wrong, "\n".join(wrong)
        assert picture(folded("run_1", self.log)) == picture(self.run), "the log folds to another run"
        assert picture(self.paged()) == picture(self.run), "its page is another run"

    def paged(self) -> Run:
        """The run as its page says."""
        return decode_run(encode_run(self.run))

    def record(self, events: list[Any]) -> None:
        """Folds events that no command of this test led to."""
        self.log.append(encode_events(events))
        self.events += events
        for event in events:
            self.run = evolve(self.run, event)

    def begin(self, workflow: str = "w", **fields: Any) -> list[Any]:
        data = canonical(self.inputs)
        start = cmd.Start(
            "run_1", workflow, "sha256:00", "1.0", "main", "default", "ann", Raw(data), digest_of(data), "full",
            "medium", 1, {}, self.overlay, rules=self.rules_number, **fields,
        )  # fmt: skip
        return self.do(start)

    def complete(self, visit: str, output: Any = None, *, attempt: int | None = None, **fields: Any) -> list[Any]:
        data = canonical(output)
        return self.do(cmd.Complete(visit, attempt or self.attempt(visit), Raw(data), digest_of(data), **fields))

    def fail(
        self, visit: str, code: str = "broke", *, transient: bool = False, attempt: int | None = None, after_ms: int = 0
    ) -> list[Any]:
        error = Raw(canonical({"code": code, "message": f"{visit} broke"}))
        return self.do(cmd.Fail(visit, attempt or self.attempt(visit), error, transient, after_ms))

    def lose(self, visit: str) -> list[Any]:
        return self.do(cmd.Lost(visit, self.attempt(visit)))

    def intend(self, visit: str, number: int = 1, *, what: Any = None, effect: str = "once") -> list[Any]:
        told = {"effect": effect, **(what or {})}
        data = canonical(told)
        return self.do(cmd.Intend(visit, self.attempt(visit), number, "effect", digest_of(data), Raw(data)))

    def settle(self, visit: str, number: int = 1, result: Any = None) -> list[Any]:
        return self.do(cmd.Settle(visit, self.attempt(visit), number, Raw(canonical(result))))

    def fire(self, visit: str = "", kind: str = "") -> list[Any]:
        """Lets the soonest timer of a visit (or kind) come due and fires it."""
        found = [
            timer for timer in self.run.timers.values()
            if (not visit or timer.visit == visit) and (not kind or timer.kind == kind)
        ]  # fmt: skip
        timer = min(found, key=lambda each: (each.due_ms, each.id))
        self.now = max(self.now, timer.due_ms)
        return self.do(cmd.Fire(timer.id))

    def answer(self, choice: str, *, ticket: str = "", who: Caller = ANN, values: Any = None, **more: Any) -> list[Any]:
        id = ticket or self.ticket().id
        return self.do(cmd.Answer(id, choice, who, values=Raw(canonical(values)), **more))

    def message(self, name: str, key: str = "", payload: Any = None, *, id: str = "") -> list[Any]:
        data = canonical(payload)
        digest = digest_of(canonical([name, key, payload]))
        return self.do(cmd.Message(id or f"m{len(self.run.commands)}", name, key, Raw(data), digest))

    def cancel(self, reason: str = "enough") -> list[Any]:
        return self.do(cmd.Cancel("ann", reason))

    def propose(
        self, operations: list[dict[str, Any]], *, id: str = "", base: str = "", kind: str = "person", visit: str = "",
        author: str = "ann",
    ) -> str:  # fmt: skip
        """Proposes a patch; the state that it has afterwards."""
        name = id or f"patch_{len(self.run.patches) + 1}"
        data = canonical(operations)
        self.do(cmd.Propose(name, author, kind, "because", base, Raw(data), digest_of(data), visit))
        return self.run.patches[name].state

    def apply(self, operations: list[dict[str, Any]], **fields: Any) -> list[Any]:
        """Proposes a patch that must be applied at once; the events of it."""
        before = len(self.events)
        assert self.propose(operations, **fields) == "applied", self.problems(f"patch_{len(self.run.patches)}")
        return self.events[before:]

    def problems(self, patch: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = decode(self.run.patches[patch].problems)
        return found

    def roll_back(self, patch: str) -> str:
        id = f"back_{patch}"
        self.do(cmd.Propose(id, "ann", "person", "", "", Raw(b"[]"), digest_of(patch.encode()), "", patch))
        return self.run.patches[id].state

    def work_off(self, limit: int = 500) -> None:
        """Completes every job with null until none is left."""
        for _ in range(limit):
            jobs = self.jobs
            if not jobs:
                return
            self.complete(next(iter(jobs)))

    def record_completions(self, visits: Iterable[str]) -> None:
        """Completes many visits without the checks of each: they would take long."""
        for visit in visits:
            command = cmd.Complete(visit, 1, NULL, digest_of(b"null"))
            decision = decide(self.run, command, self.given, self.now)
            self.values |= decision.values
            self.record(decision.events)

    # -- looking ----------------------------------------------------------------------------------------------------

    def attempt(self, visit: str) -> int:
        token = self.run.tokens.get(visit)
        return token.attempt if token is not None else 1

    def input_of(self, visit: str) -> Any:
        """The input that a job would get."""
        token = self.run.tokens[visit]
        step = Step(self.run, self.given, self.now)
        scope = self.run.scopes[token.scope]
        return input_value(step, scope, step.ir_of(scope).nodes[token.node])

    @property
    def jobs(self) -> dict[str, int]:
        return pending(self.run).jobs

    @property
    def timers(self) -> dict[str, int]:
        """Kind and visit of each timer, and how long it still takes."""
        return {f"{t.kind} {t.visit}".strip(): t.due_ms - self.now for t in self.run.timers.values()}

    @property
    def status(self) -> str:
        return self.run.status

    @property
    def hash(self) -> str:
        return self.given.graphs.ir(len(self.run.graph_ops)).hash

    def ticket(self) -> Any:
        """The one open ticket."""
        (found,) = [ticket for ticket in self.run.tickets.values() if not ticket.answer]
        return found

    def how(self, visit: str) -> str:
        """How a visit of a live scope ended: the outcome, or its state, or `` when it has not begun."""
        path, _, node = visit.rpartition("/")
        scope = self.run.scopes.get(path)
        if scope is not None and node in scope.done:
            return str(scope.done[node].on)
        token = self.run.tokens.get(visit)
        return token.state if token is not None else ""

    def output(self, visit: str = "") -> Any:
        """The output of a visit, or of the run."""
        if not visit:
            return decode(self.fetched(self.run.output))
        path, _, node = visit.rpartition("/")
        return decode(self.fetched(self.run.scopes[path].done[node].output))

    def fetched(self, cell: Any) -> bytes:
        value = decode(cell)
        if isinstance(value, dict) and "$ref" in value:
            return self.values[bytes.fromhex(value["$ref"].removeprefix("sha256:"))]
        return bytes(cell)

    @property
    def error(self) -> dict[str, Any]:
        assert self.run.error is not None
        told: dict[str, Any] = decode(self.run.error)
        return told

    def kinds(self, events: list[Any]) -> list[str]:
        return [type(event).__name__ for event in events]


def named(events: list[Any], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def folded(name: str, decisions: Iterable[bytes]) -> Run:
    """The run folded from encoded decisions."""
    run = Run(name)
    for data in decisions:
        for event in decode_events(data):
            run = evolve(run, event)
    return run


def pairwise_broken(events: Iterable[Any]) -> Iterator[str]:
    """Rules that relate the events of a whole run to each other."""
    story = Story()
    for event in events:
        yield from story.add(event)


def same_bytes(events: list[Any]) -> bool:
    """Whether events are equal after encoding and decoding."""
    data = encode_events(events)
    return encode_events(decode_events(data)) == data and canonical(events) == canonical(decode_events(data))
