"""One decision in progress: its events and their changes, on top of an unchanged run. `route` signals every out-edge of
a decided node and processes all that follows in the same commit: skips, joins, branches, tickets, timers, scopes, and
the end of the run. Shared by every command."""

from collections import ChainMap, deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Raw

from aob.core.answers import JsonValue
from aob.core.errors import AobError
from aob.core.graph.compiled.ir import IR, Edge, Node
from aob.core.items import Items, listed_in, manifest_of
from aob.core.policy.patch import refused_now
from aob.core.run.record import events as ev
from aob.core.run.state.run import DUE, EXHAUSTED, SKIPPED, Body, Run, Scope, Token, offered_for, verdict_of
from aob.core.run.stepping.given import Given, Needs
from aob.core.value import ITEMS, NULL, Cell, Ref, canonical, decode, digest_of, inline, ref_in


class DeniedError(AobError):
    """An expression could not be evaluated; becomes the failure of its node."""

    code = "expression_failed"


PAGED_MAX: Final = 16 * 1024 * 1024  # bytes of pages of items that one decision may read

_NOTHING: Final[frozenset[str]] = frozenset()
_MADE_LATE: Final[dict[str, type]] = {
    "asked": dict, "bodies": dict, "born": dict, "cancelled": set, "closed": set, "signals": dict, "opened": dict,
    "passes": dict, "settled": set, "shut": set, "taken": set, "timed": dict, "undone": dict, "versions": dict,
}  # fmt: skip


class Step:
    """Events of one decision, and the outcomes, counts and scopes that they will lead to."""

    __slots__ = (
        "brought", "copied", "done", "ending", "events", "finished", "given", "going", "inner", "items", "later",
        "moved", "now", "paged", "run", "touched", "values", *_MADE_LATE,
    )  # fmt: skip

    # Rarely needed fields are created on first use: most decisions are one hop of a chain.
    asked: dict[str, list[str]]  # tickets opened here, by visit
    bodies: dict[str, Body]
    born: dict[str, dict[str, None]]  # nodes that get a token here, by the path of their pass
    cancelled: set[str]
    closed: set[str]
    signals: dict[tuple[str, str], tuple[int, int]]
    opened: dict[str, Scope]
    passes: dict[str, list[str]]  # passes opened here, by the visit of their map or loop
    settled: set[str]  # timers and tickets ended here
    shut: set[str]  # passes that were cut short: nothing follows from them
    taken: set[str]
    timed: dict[str, list[str]]  # timers set here, by visit
    undone: dict[str, int]
    versions: dict[str, int]  # versions that scopes move to here; read if `moved`

    def __init__(self, run: Run, given: Given, now: int) -> None:
        self.run, self.given, self.now = run, given, now
        self.events: list[Any] = []
        self.done: dict[str, dict[str, Any]] = {}
        self.inner: deque[tuple[Scope, IR, Node]] = deque()
        self.ending: deque[tuple[Scope, Cell, bool]] = deque()
        self.values: dict[bytes, bytes] = {}
        self.touched: dict[str, Scope] = {}
        self.going: deque[str] = deque()
        self.later: Iterator[str] = iter(())
        self.copied: frozenset[str] = _NOTHING
        self.finished = self.moved = False
        self.paged = self.brought = 0
        self.items: list[Items] = []

    def __getattr__(self, name: str) -> Any:
        made = _MADE_LATE[name]()
        setattr(self, name, made)
        return made

    # -- looking at the run as it will be -------------------------------------------------------------------------

    def version_of(self, scope: Scope) -> int:
        """The graph version of a scope, after moves of this decision."""
        return self.versions.get(scope.path, scope.version) if self.moved else scope.version

    def ir_of(self, scope: Scope) -> IR:
        """The body of a scope, in the scope's version."""
        version = self.versions.get(scope.path, scope.version) if self.moved else scope.version
        if scope.body:
            return self.given.graphs.body(version, scope.body)
        return self.given.graphs.ir(version)

    def place(self, token: Token) -> tuple[Scope, IR, Node]:
        """The scope, body and node of a token."""
        scope = self.scope(token.scope)
        ir = self.ir_of(scope)
        return scope, ir, ir.nodes[token.node]

    def move(self, scope: Scope, version: int) -> None:
        """A scope continues under another version of the graph."""
        self.versions[scope.path] = version
        self.moved = True

    def scope(self, path: str) -> Scope:
        """A scope, also one that this decision opened."""
        return self.run.scopes.get(path) or self.opened[path]

    def outcome(self, scope: Scope, node: str) -> Any:
        """The outcome of a node in a scope, or None."""
        drafted = self.done.get(scope.path)
        if drafted is not None and node in drafted:
            return drafted[node]
        return scope.done.get(node)

    def body(self, visit: str) -> Body:
        """The progress of a map or loop, as a copy that this decision may change."""
        if visit not in self.bodies:
            kept = self.run.bodies[visit]
            mine = self.bodies[visit] = Body(visit, kept.kind, kept.items, kept.count, kept.window)
            mine.previous = kept.previous
            mine.next, mine.live, mine.closed, mine.failed = kept.next, kept.live, kept.closed, kept.failed
            mine.outputs, mine.pages = ChainMap({}, kept.outputs), ChainMap({}, kept.pages)
            mine.filled, mine.lost = ChainMap({}, kept.filled), ChainMap({}, kept.lost)
        return self.bodies[visit]

    def outcome_of(self, visit: str) -> Any:
        """The outcome of a visit, or None."""
        path, _, node = visit.rpartition("/")
        scope = self.run.scopes.get(path) or self.opened.get(path)
        return None if scope is None else self.outcome(scope, node)

    def ticket_id(self, visit: str, attempt: int, subject: str) -> str:
        """The deterministic id of a ticket of this visit."""
        return self.run.ticket_id(visit, attempt, subject)

    def cell(self, value: JsonValue) -> Cell:
        """A Python value as a cell; too large for a record, it is stored outside."""
        return self.written(canonical(value))

    def written(self, data: bytes) -> Cell:
        """Canonical bytes as a cell."""
        return Raw(data) if inline(data) else self.beside(data)

    def beside(self, data: bytes) -> Cell:
        """Stores canonical bytes outside the record, whatever their size. Returns the reference."""
        digest = digest_of(data)
        self.values[digest] = data
        return Ref(digest, len(data)).cell()

    def load(self, cell: Cell) -> JsonValue:
        """The value of a cell. Raises Needs if it is outside the record and not in memory."""
        value = decode(cell)
        if type(value) is dict:
            if "$ref" in value:
                ref = ref_in(value)
                if ref is not None:
                    return decode(self.fetch(ref))
            elif ITEMS in value and (listed := listed_in(value)) is not None:
                made = manifest_of(value, listed, self.fetch, self._page)
                self.items.append(made["items"])
                return made
        return value

    def fetch(self, ref: Ref) -> bytes:
        """The bytes behind a reference. Raises Needs if they are not in memory."""
        data = self.values.get(ref.digest) or self.given.values.get(ref.digest)
        if data is None:
            raise Needs(ref)
        return data

    def _page(self, ref: Ref) -> bytes:
        """A page of a map's items. Raises DeniedError if the decision has read too much already."""
        self.paged += ref.size
        if self.paged > PAGED_MAX:
            raise DeniedError(f"this reads more than {PAGED_MAX >> 20} MiB of items: let a node of its own read them")
        return self.fetch(ref)

    def over(self) -> bool:
        """Whether this decision has ended the run."""
        return self.finished

    # -- what follows from an outcome -----------------------------------------------------------------------------

    def route(self, scope: Scope, ir: IR, node: Node, event: Any) -> None:
        """Adds the event of a node's outcome and gives each of its out-edges its signal."""
        self.events.append(event)
        done = self.decided(scope, node.id, event)
        on, took = event.on, event.took
        if on == EXHAUSTED:
            on = offered_for(node)
        starving: list[Node] = []
        for offered, edges in node.outs.items():
            offers = offered == on
            for edge in edges:
                taken = offers and (took is None or edge.id in took)
                target = edge.target
                if not taken or target.need != 1:
                    self._signal(scope, ir, edge, taken, event, starving)
                elif target.id in scope.done or target.id in done:
                    continue  # it was cancelled before it began
                elif target.inner or target.late or self.copied:
                    self.enter(scope, ir, target, event)
                else:
                    self.ready(scope, target, event)
        if starving:
            self.starve(scope, ir, starving, event)

    def decided(self, scope: Scope, node: str, outcome: Any) -> dict[str, Any]:
        """Records the outcome of a node; its scope may have ended. Returns the outcomes of this decision in that
        scope."""
        path = scope.path
        done = self.done.get(path)
        if done is None:
            done = self.done[path] = {}
        done[node] = outcome
        self.touched[path] = scope
        return done

    def ready(self, scope: Scope, node: Node, event: Any) -> None:
        """A node becomes a job."""
        event.ready.append(node.id)
        if scope.path:
            self.bear(scope, node.id)

    def bear(self, scope: Scope, node: str) -> None:
        """A node gets its token in this decision."""
        if scope.path:
            self.born.setdefault(scope.path, {})[node] = None

    def starve(self, scope: Scope, ir: IR, starving: list[Node], event: Any) -> None:
        """Skips the out-edges of skipped nodes."""
        while starving:
            skipped = starving.pop()
            for edges in skipped.outs.values():
                for edge in edges:
                    self._signal(scope, ir, edge, False, event, starving)

    def _signal(self, scope: Scope, ir: IR, edge: Edge, taken: bool, event: Any, starving: list[Node]) -> None:
        target = edge.target
        if self.outcome(scope, target.id) is not None:
            return  # decided early (a join): later signals are recorded by their source and ignored
        key = (scope.path, target.id)
        have_taken, have_skipped = self.signals.get(key) or scope.signals.get(target.id, (0, 0))
        have_taken, have_skipped = have_taken + taken, have_skipped + (not taken)
        verdict = verdict_of(target, have_taken, have_skipped)
        if verdict == "wait":
            self.signals[key] = (have_taken, have_skipped)
            (event.signalled_taken if taken else event.signalled_skipped).append(target.id)
            if target.kind == "join" and have_taken + have_skipped == 1 and target.config.deadline:
                self.inner.append((scope, ir, target))
        elif verdict == "run":
            self.enter(scope, ir, target, event)
        else:
            event.skipped.append(target.id)
            self.decided(scope, target.id, SKIPPED)
            starving.append(target)
            if target.kind == "join" and target.config.deadline:
                self.withdraw({scope.prefix + target.id})

    def enter(self, scope: Scope, ir: IR, node: Node, event: Any) -> None:
        """Starts a node: as a job, or later in this decision if it is not one."""
        if self.copied and node.id in self.copied and not scope.path:
            return
        if node.inner:
            self.inner.append((scope, ir, node))
            if node.kind == "join":
                self.decided(scope, node.id, DUE)
        elif node.patched and self.refusal(scope, node):
            self.inner.append((scope, ir, node))
        else:
            self.ready(scope, node, event)
            if node.spec.timeout.deadline_ms:
                self.inner.append((scope, ir, node))

    def refusal(self, scope: Scope, node: Node) -> str:
        """Why the current rules refuse a node that a patch added; empty if they do not. A replay performs nothing, so
        it checks nothing."""
        if not self.given.judges:
            return ""
        return refused_now(dict(node.definition), self._in_base(scope, node.id), self.given.rules, self.run.agents)

    def _in_base(self, scope: Scope, node: str) -> dict[str, Any] | None:
        """The definition of a node before all patches."""
        graphs = self.given.graphs
        try:
            base = graphs.body(0, scope.body) if scope.body else graphs.ir(0)
        except KeyError:
            return None
        return dict(base.nodes[node].definition) if node in base.nodes else None

    # -- events that every command may need -----------------------------------------------------------------------

    def set_timer(self, id: str, visit: str, kind: str, due_ms: int) -> None:
        """Sets a timer, unless it exists."""
        if id not in self.run.timers:
            self.events.append(ev.TimerSet(id, visit, kind, due_ms))
            self.timed.setdefault(visit, []).append(id)

    def end_timer(self, id: str, *, fired: bool = False) -> None:
        """A timer has fired or is no longer needed."""
        if id not in self.settled:
            self.settled.add(id)
            self.events.append(ev.TimerDone(id, fired))

    def drop_timers(self, visit: str) -> None:
        """Ends the timers of a visit."""
        if self.run.timers:
            for timer in self.run.timed.get(visit, ()):
                self.end_timer(timer)

    def open_ticket(self, event: ev.TicketOpened) -> None:
        """Opens a ticket."""
        self.events.append(event)
        self.asked.setdefault(event.visit, []).append(event.id)

    def close_ticket(self, event: ev.TicketAnswered) -> None:
        """Closes a ticket, once."""
        if event.id not in self.settled:
            self.settled.add(event.id)
            self.events.append(event)

    def close_tickets(self, visit: str) -> None:
        """Withdraws the open tickets of a visit."""
        for ticket in self.run.asked.get(visit, ()):
            self.close_ticket(ev.TicketAnswered(ticket, "withdrawn", "run", "", NULL))

    def withdraw(self, visits: Iterable[str]) -> None:
        """Ends timers and open tickets of these visits, also those of this decision."""
        for visit in visits:
            for timer in (*self.run.timed.get(visit, ()), *self.timed.get(visit, ())):
                self.end_timer(timer)
        for visit in visits:
            for ticket in (*self.run.asked.get(visit, ()), *self.asked.get(visit, ())):
                self.close_ticket(ev.TicketAnswered(ticket, "withdrawn", "run", "", NULL))
