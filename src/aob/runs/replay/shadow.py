"""A run only in memory: commands go through the law, results are those recorded by another run. Reports how each visit
was settled and where the run ended. Calls only deterministic handlers, writes nothing, and takes its time from the
record."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any, Final

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject, JsonValue
from aob.core.graph.compiled import IR, Node
from aob.core.run import Run, born, decide, end_as, evolve
from aob.core.run.record import commands as cmd
from aob.core.run.record import events as ev
from aob.core.run.state import OPENING, READY, Scope, Timer, Token
from aob.core.run.stepping import DeniedError, Given, Step, input_cell, input_value
from aob.core.value import NULL, Cell, Ref, canonical, decode, digest_of, digest_of_cell, inline
from aob.ports.workers import Job
from aob.runs.values import Made, Values

STEPS_MAX: Final = 100_000
CONTINUES_MAX: Final = 200_000  # as many as the passes of the largest map take
BREATH: Final = 256  # steps between yields to the event loop

_CHOICES: Final = {"approve": "approved", "reject": "rejected"}


class Recorded(msgspec.Struct):
    """A recorded visit: hash of its node's definition, hash of its input, outcome, time and event number; `due_ms` is
    the due time of the timer that it waited for."""

    definition: str
    input: bytes
    outcome: Any
    at_ms: int
    order: int
    due_ms: int = 0


Compute = Callable[[Job], Awaitable[bytes | None]]
"""The output of a deterministic handler without effect, as canonical JSON; None if there is none."""


class Shadow:
    """One replay. Without `compute` no handler is called."""

    def __init__(
        self, values: Values, source: Run, given: Given, version: int, recorded: Mapping[str, Recorded],
        assume: Mapping[str, bytes], compute: Compute | None = None,
    ) -> None:  # fmt: skip
        self._compute = compute
        self.values, self.source, self.given, self.version = values, source, given, version
        self.recorded, self.assume = recorded, assume
        self.run = Run(source.id)
        self.now = 0
        self._turns: list[tuple[int, int, int, str]] = []  # time, order at that time, order of creation, visit
        self._now: deque[tuple[int, str]] = deque()  # order of creation and visit of those whose turn is at once
        self._born = 0
        self.visits: dict[str, JsonObject] = {}
        self.unknown: dict[str, None] = {}

    async def run_through(self, start_ms: int) -> JsonObject:
        """Runs until the end, or until only unknown visits are left. Returns the report."""
        source, self.now = self.source, start_ms
        overlay = tuple(Raw(canonical([])) for _ in range(self.version))
        await self._put(
            cmd.Start(
                source.id, source.workflow, source.artifact, source.version, source.tag, source.tenant, source.by,
                source.inputs, source.inputs_digest, source.mode, source.priority, source.depth, source.labels, overlay,
                rules=source.rules,
            )
        )  # fmt: skip
        for count in range(STEPS_MAX):
            await self._go_on()
            if self.run.final or self.run.going or not await self._advance():
                break
            if not count % BREATH:
                await asyncio.sleep(0)
        return await self._report()

    async def _go_on(self) -> None:
        """Continues the run until nothing proceeds by itself."""
        for _ in range(CONTINUES_MAX):
            if not self.run.going:
                return
            await self._put(cmd.Continue())
            await asyncio.sleep(0)

    async def _advance(self) -> bool:
        """Settles the next token by the times of the record; False if nothing can proceed."""
        while self._turns or self._now:
            if not self._now or (self._turns and self._turns[0][::2] < (self.now, self._now[0][0])):
                turn, _, _, visit = heappop(self._turns)
            else:
                (_, visit), turn = self._now.popleft(), self.now
            token = self.run.tokens.get(visit)
            if token is None:
                continue
            timer = self._timer(visit)
            if timer is not None:
                self.now = max(self.now, turn)
                await self._put(cmd.Fire(timer.id))
            else:
                await self._settle(token)
            return True
        return False

    def _timer(self, visit: str) -> Timer | None:
        """The timer of a visit that only waits for a timer."""
        timers = (self.run.timers[id] for id in self.run.timed.get(visit, ()))
        return next((timer for timer in timers if timer.kind in OPENING), None)

    def _take_turn(self, visit: str) -> None:
        """Schedules a new token: at the time it ended in the record, at the due time of its timer if that differs, or
        at once. Visits that ended at one instant keep the order of the record, e.g. late timers."""
        self._born += 1
        timer, known = self._timer(visit), self.recorded.get(visit)
        if timer is not None and (known is None or not known.due_ms == timer.due_ms <= known.at_ms):
            heappush(self._turns, (timer.due_ms, self._born, self._born, visit))
        elif visit in self.run.bodies or visit not in self.run.tokens:
            return  # its passes settle it, or it is gone again
        elif known is None or visit in self.assume:
            self._now.append((self._born, visit))
        else:
            heappush(self._turns, (known.at_ms, known.order, self._born, visit))

    async def _settle(self, token: Token) -> None:
        """Ends a job, ticket or message as assumed, or as recorded if its definition and input are equal."""
        visit, known = token.visit, self.recorded.get(token.visit)
        if visit in self.assume:
            self._note(visit, "assumed")
            await self._end(token, self._assumed(token, self._cell(self.assume[visit])))
            return
        why = await self._differs(token, known)
        if known is None or why:
            data = await self._computed(token) if token.state == READY else None
            if data is not None:
                self._note(visit, "computed")
                cell = self._cell(data)
                await self._end(token, ev.NodeCompleted(visit, token.attempt, "success", cell, b""))
                return
            performs = "; a replay performs nothing" if token.state == READY else ""
            self._unknown(visit, f"{why}{performs}: --assume {visit}=VALUE settles it")
            return
        self.now = max(self.now, known.at_ms)
        self._note(visit, "recorded", known.outcome)
        await self._end(token, known.outcome)

    async def _computed(self, token: Token) -> bytes | None:
        """The output of a deterministic handler for this visit's input here."""
        scope, _, node = self._place(token)
        if self._compute is None or node.kind != "function" or node.spec.effect != "none":
            return None

        def looked() -> tuple[Step, Any]:
            step = Step(self.run, self.given, self.now)
            return step, input_value(step, scope, node)

        try:
            step, value = await self._with_values(looked)
        except DeniedError:
            return None
        if step.items:  # items are read by page on use, which a shadow does not support
            return None
        run, visit = self.source, token.visit
        return await self._compute(
            Job(
                run.id, visit, token.attempt, node.task, value, node.input is not None, run.key(visit), run.tenant,
                run.mode, run.priority, run.depth,
            )
        )  # fmt: skip

    def _assumed(self, token: Token, cell: Cell) -> ev.NodeCompleted:
        """For an approval the value may be its choice, or an object with a `choice`."""
        _, _, node = self._place(token)
        value = decode(cell)
        choice = value.get("choice") if isinstance(value, dict) else value
        on = _CHOICES.get(choice, "approved") if node.kind == "approval" and isinstance(choice, str) else "success"
        if node.kind == "approval" and on == "success":
            on = "approved"
        return ev.NodeCompleted(token.visit, token.attempt, on, cell, b"")

    async def _differs(self, token: Token, known: Recorded | None) -> str:
        """Why the record does not apply to this visit; empty if it does."""
        if known is None:
            return "never happened" if token.state == READY else "nobody ever answered"
        scope, _, node = self._place(token)
        if known.definition != node.hash:
            return "is another node now"
        step = Step(self.run, self.given, known.at_ms)
        return "" if await input_digest(self.values, step, scope, node) == known.input else "gets another input"

    async def _with_values(self, make: Callable[[], Made]) -> Made:
        return await self.values.given(self.source.tenant, make)

    def _place(self, token: Token) -> tuple[Scope, IR, Node]:
        scope = self.run.scopes[token.scope]
        ir = Step(self.run, self.given, self.now).ir_of(scope)
        return scope, ir, ir.nodes[token.node]

    async def _end(self, token: Token, outcome: Any) -> None:
        """Ends the visit as recorded; what follows is computed anew."""
        step = await self._with_values(lambda: self._ended(token, outcome))
        self._fold(step.events, step.values)

    def _ended(self, token: Token, outcome: Any) -> Step:
        step = Step(self.run, self.given, self.now)
        end_as(step, token.visit, outcome)
        return step

    async def _put(self, command: Any) -> None:
        decision = await self._with_values(lambda: decide(self.run, command, self.given, self.now))
        self._fold(decision.events, decision.values)

    def _fold(self, events: list[Any], values: Mapping[bytes, bytes]) -> None:
        for digest, data in values.items():
            self.values.remember(self.source.tenant, digest, data)
        for event in events:
            self.run = evolve(self.run, event)
            if isinstance(event, ev.NodeCompleted):
                self._note(event.visit, "computed", event)
        for visit in born(events):
            self._take_turn(visit)

    def _cell(self, data: bytes) -> Cell:
        if inline(data):
            return Raw(data)
        digest = digest_of(data)
        self.values.remember(self.source.tenant, digest, data)
        return Ref(digest, len(data)).cell()

    def _note(self, visit: str, how: str, event: Any = None) -> None:
        if visit not in self.visits:
            self.visits[visit] = {"visit": visit, "how": how, **({"on": event.on} if event is not None else {})}

    def _unknown(self, visit: str, why: str) -> None:
        self.unknown[visit] = None
        self.visits[visit] = {"visit": visit, "how": "unknown", "why": why}

    async def _report(self) -> JsonObject:
        run, source = self.run, self.source
        status, output = run.final or ("UNKNOWN" if self.unknown else run.status), run.output if run.final else NULL
        cut_short = source.final and not run.final and not any(visit in self.recorded for visit in self.unknown)
        if cut_short and not self.assume and self.version == len(source.graph_ops):
            # The run ended from outside, by a cancel or its deadline, and these visits never ended there either.
            status, output = source.final, source.output
        return {
            "run_id": source.id, "mode": "freeze", "shadow": True, "status": status,
            "same": status == source.final and bytes(output) == bytes(source.output),
            "output": await self._value(output) if status == (run.final or source.final) else None,
            "visits": list(self.visits.values()), "unknown": list(self.unknown), "calls": 0,
            "at": datetime.fromtimestamp(source.started_ms / 1_000, UTC).isoformat(),
        }  # fmt: skip

    async def _value(self, cell: Cell) -> JsonValue:
        step = Step(self.run, self.given, self.now)
        return await self._with_values(lambda: step.load(cell))


async def input_digest(values: Values, step: Step, scope: Scope, node: Node) -> bytes:
    """The hash of what a node gets; empty if its input cannot be made."""
    try:
        return digest_of_cell(await values.given(step.run.tenant, lambda: input_cell(step, scope, node)))
    except DeniedError:
        return b""


def root_node(visit: str) -> str:
    """The root node that a visit belongs to: `each[3]/fetch` belongs to `each`."""
    return visit.partition("/")[0].partition("[")[0].partition("#")[0]
