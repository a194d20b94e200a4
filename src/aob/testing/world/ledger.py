"""Reads durable rows of the reference store directly and checks them against every rule as they grow."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from aob.backends.memory.store import MemoryStore
from aob.core.answers import JsonObject
from aob.core.graph import Handlers
from aob.core.run import Run, evolve, react
from aob.core.run.effects import Pending
from aob.core.run.record import decode_events
from aob.core.run.record import events as ev
from aob.core.value import decode, digest_of_cell
from aob.journal.parts import Part
from aob.runs.graphs import Versions
from aob.testing.run_checks import Story, after, broken, reaction_wrong

_parts = msgspec.json.Decoder(list[Part])

_TOLD: Final = ("visit", "path", "id", "attempt", "on", "state", "status", "cause")


class Thought(msgspec.Struct):
    """An output of a handler without an effect: its number, those of the outputs it was made of, and the mark of the
    inputs of its run, if its own input has it."""

    number: int
    of: list[int]
    mark: str


class Ledger:
    """The log so far. `runs` are its runs, `ready` every token it ever made ready."""

    def __init__(self, store: MemoryStore, handlers: Handlers, told: Callable[[str], None]) -> None:
        self._store, self._handlers, self._told = store, handlers, told
        self.documents: dict[str, JsonObject] = {}  # documents that were pushed, by artifact
        self._bases: dict[tuple[str, int], Versions] = {}
        self.row = self.at_ms = 0
        self.seqs: Counter[str] = Counter()
        self.runs: dict[str, Run] = {}
        self.versions: dict[str, Versions] = {}
        self.stories: dict[str, Story] = {}
        self.ready: set[tuple[str, str, int]] = set()
        self.intents: set[tuple[str, str, int, int]] = set()
        self.repeats: Counter[tuple[str, str, int]] = Counter()
        self.changed: set[str] = set()
        self.events: Counter[str] = Counter()
        self.thoughts: dict[bytes, Thought] = {}  # the outputs of handlers without an effect, by hash
        self.known: set[tuple[str, int]] = set()  # their numbers, by run, where the log says that they count

    def catch_up(self) -> list[str]:
        """Folds newly durable rows; returns every rule that they break."""
        wrong: list[str] = []
        for row in self._store.durable(self.row):
            if row.row != self.row + 1:
                wrong.append(f"row {row.row} follows row {self.row}")
            if row.at_ms < self.at_ms:
                wrong.append(f"row {row.row} is of {row.at_ms}, before {self.at_ms}")
            self.row, self.at_ms = row.row, row.at_ms
            for part in _parts.decode(row.data):
                stream, seq, raw = part.stream, part.seq, part.events
                if not part.sound:
                    wrong.append(f"{stream}: the checksum of event {seq} differs (row {row.row})")
                if seq != self.seqs[stream]:
                    wrong.append(f"{stream}: event {seq} follows {self.seqs[stream]} events (row {row.row})")
                if stream.startswith("run_"):
                    events = decode_events(raw)
                    self.seqs[stream] = seq + len(events)
                    wrong += [f"{stream} row {row.row}: {each}" for each in self._decision(stream, events, row.row)]
                else:
                    self.seqs[stream] = seq + len(decode(raw))
        return wrong

    def _decision(self, stream: str, events: list[Any], row: int) -> Iterator[str]:
        run = self.runs.setdefault(stream, Run(stream))
        story = self.stories.setdefault(stream, Story())
        was = after(run)
        for event in events:
            self.events[type(event).__name__] += 1
            self._told(f"{row} {stream} {line_of(event)}")
            yield from story.add(event)
            yield from self._limits(run, event)
            run = self.runs[stream] = evolve(run, event)
            self._note(stream, event)
        self._graphs(stream, events)
        now = after(run)
        self.ready |= {(stream, visit, attempt) for visit, attempt in now.jobs.items()}
        self.changed.add(stream)
        yield from reaction_wrong(was, now, react(run, events), events)
        yield from broken(run, self.versions[stream])

    def _note(self, stream: str, event: Any) -> None:
        if isinstance(event, ev.Intent):
            self.intents.add((stream, event.visit, event.number, event.attempt))
        elif isinstance(event, ev.Uncertain) and event.then == "repeat":
            self.repeats[(stream, event.visit, event.number)] += 1

    def _limits(self, run: Run, event: Any) -> Iterator[str]:
        """Rules that need the graph or the result: how often a visit may be tried, whose result was taken."""
        if isinstance(event, ev.AttemptFailed):
            token = run.tokens.get(event.visit)
            if token is None:
                yield f"an attempt of {event.visit} failed and it has no token"
                return
            scope = run.scopes[token.scope]
            versions = self.versions[run.id]
            ir = versions.body(scope.version, scope.body) if scope.body else versions.ir(scope.version)
            most = ir.nodes[token.node].spec.retry.attempts
            if event.attempt - token.lost >= most:  # those that were lost use none
                yield f"attempt {event.attempt} of {event.visit} goes on to another, and it has {most}"
        elif isinstance(event, ev.NodeCompleted) and event.attempt:
            output = decode(event.output)
            yield from self._thought(run, event)
            made = output.get("attempt", event.attempt) if isinstance(output, dict) else event.attempt
            if isinstance(output, dict) and output.get("visit") == event.visit and made != event.attempt:
                yield f"{event.visit} ended as attempt {event.attempt} with the result of attempt {made}"
        elif isinstance(event, ev.RunQuarantined):
            yield f"{run.id} was set aside: {event.reason}"

    def _thought(self, run: Run, event: ev.NodeCompleted) -> Iterator[str]:
        """Work begun before its commit counts only where everything it was made of was committed."""
        thought = self.thoughts.get(digest_of_cell(event.output))
        if thought is None:
            return
        self.known.add((run.id, thought.number))
        for number in thought.of:
            if (run.id, number) not in self.known:
                yield f"{event.visit} was made of output {number}, which never was"
        if thought.mark and thought.mark != decode(run.inputs).get("mark"):
            yield f"{event.visit} was made of the inputs {thought.mark}, which were never started with"

    def _graphs(self, stream: str, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, ev.RunStarted):
                versions = self._base(event.artifact, event.rules)
                for operations in event.overlay:
                    versions = versions.again(decode(operations))
                self.versions[stream] = versions
            elif isinstance(event, ev.PatchApplied):
                self.versions[stream] = self.versions[stream].again(decode(event.operations))

    def _base(self, artifact: str, rules: int) -> Versions:
        """Compiled once for all runs of a document."""
        if (artifact, rules) not in self._bases:
            self._bases[(artifact, rules)] = Versions.base(self.documents[artifact], self._handlers, rules)
        return self._bases[(artifact, rules)]

    def pending(self) -> Mapping[str, Pending]:
        """The pending items of every live run."""
        return {name: after(run) for name, run in self.runs.items() if not run.final}


def line_of(event: Any) -> str:
    """An event in a line of a trace: its name and its distinguishing fields."""
    name = type(event).__name__
    parts = [str(getattr(event, field)) for field in _TOLD if getattr(event, field, "") not in ("", None)]
    for field in ("ready", "skipped", "visits"):
        if getattr(event, field, None):
            parts.append(f"{field}={','.join(getattr(event, field))}")
    return f"{name} {' '.join(parts)}"
