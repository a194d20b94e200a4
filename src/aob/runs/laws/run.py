"""The law of runs as the journal calls it: looks up graphs and rules, and delegates the rest to core.run."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

import msgspec

from aob.core.decision import Maker
from aob.core.errors import Invalid, NotFound, TooLarge
from aob.core.event import PARTITIONS, Message
from aob.core.policy import PatchRules
from aob.core.rules import RULES
from aob.core.run import Effects, Hop, Run, decide, fold, hop, react
from aob.core.run.paging import decode_run, encode_run
from aob.core.run.record import commands as cmd
from aob.core.run.record import decode_events, encode_events
from aob.core.run.record import events as ev
from aob.core.run.record import messages as told
from aob.core.run.state import TERMINAL, Ticket
from aob.core.run.stepping import Given, Needs
from aob.core.value import Ref, decode, digest_of, ref_in
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes, Made, Quick, Wanted
from aob.journal.messages import Outgoing
from aob.ports.store import Head, TicketRow, TimerRow
from aob.runs.graphs import Graphs, Versions, overlay_key
from aob.runs.values import Values
from aob.work.agent import recorded


def fold_version() -> str:
    """A word that differs whenever a page of state might be read in another way: the release, the rules number, and a
    hash of the sources of what a run is and of its records."""
    found = hashlib.sha256()
    core = files("aob.core")
    folders = [core.joinpath("run", folder) for folder in ("paging", "record", "state")]
    within = [file for folder in folders for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    for file in (*within, core.joinpath("intents", "intents.py")):
        if file.name.endswith(".py"):
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    try:
        release = version("agentic-orchestration-builder")
    except PackageNotFoundError:  # run from a folder that is not installed
        release = ""
    return f"{release}/{RULES}/{found.hexdigest()}"


class RunLaw(Law):
    """Streams `run_...`. A stream's `derived` is the Given of its run: its graphs, its cached values, the rules."""

    kind = "run"
    prefix = "run_"
    spread = True
    fold_version = fold_version()

    def __init__(
        self, graphs: Graphs, values: Values, rules: PatchRules, effects_of: Callable[[str], Mapping[str, str]]
    ) -> None:
        self._graphs, self._values, self.rules = graphs, values, rules
        self.effects_of = effects_of
        """The declared effects of the handlers of a tenant."""
        self.partitions_of: Callable[[], int] = lambda: PARTITIONS
        self.carried: set[tuple[str, str]] | None = None
        """Documents that this shard already stores, where each arrives with its first run instead of a push; None:
        all."""

    def change_rules(self, rules: PatchRules, streams: Iterable[Stream]) -> None:
        """Decisions are made by these rules of patches from now on, also those of runs in memory."""
        self.rules = rules
        for stream in streams:
            if isinstance(stream.derived, Given):
                stream.derived.rules = rules

    def fresh(self, name: str) -> Run:
        return Run(name)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        try:
            verdict = self._decided(stream, command, now_ms)
        except Needs as needs:
            try:
                self._values.asks(stream.name, stream.tenant, needs.ref.digest)
            except TooLarge as refused:
                raise Wanted(needs.ref, refused) from None
            raise Wanted(needs.ref) from None
        self._values.made(stream.name)
        return verdict

    def _decided(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        given = stream.derived
        if given is None:
            given = stream.derived = self._begin(stream, command)
        beside = command.beside if type(command) in _BRINGING else None
        if stream.removed_ms and type(command) is cmd.Start:
            command.again = stream.removed_ms
        own = b""
        if beside is not None:  # cached for this decision: the store does not have it yet
            own = command.digest if type(command) in _BY_DIGEST else digest_of(beside)
            self._values.remember(stream.tenant, own, beside)
        decision = decide(stream.state, command, given, now_ms)
        for digest, data in decision.values.items():
            self._values.remember(stream.tenant, digest, data)
        context = decision.graphs if decision.graphs is not given.graphs else None
        if beside is not None:
            decision.values[own] = beside
        if self.carried is not None and type(command) is cmd.Start and decision.events:
            self._carry(command.tenant, command.artifact, decision.values)
        ended = _ended(stream.state, decision.events) if stream.state.watchers else ()
        verdict = Verdict(decision.events, decision.values, context, ended)
        if type(command) is cmd.Settle and decision.events:
            verdict.records = self._decided_by_model(stream, command)
        return verdict

    def _decided_by_model(self, stream: Stream, command: cmd.Settle) -> list[Made]:
        """The record of a call of a model, in the commit of its result."""
        run: Run = stream.state
        token = run.tokens[command.visit]
        maker = Maker(
            run.id, run.id, command.visit, command.attempt, command.number,
            {"run": run.id, "workflow": run.workflow, "node": token.node}, run.id, f"{run.id}/{command.visit}",
            run.depth,
        )  # fmt: skip
        return [Made(*each) for each in recorded(maker, command, stream.tenant, self.partitions_of())]

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """Begin a run for another stream, or notify it of the end of one."""
        if message.refused:
            return Verdict([], {})  # a watcher refused a notice of an end
        asked, run = told.decode_message(message.body), stream.state
        answers: list[told.RunMessage] = []
        if isinstance(asked, told.AskStart):
            asked.start.beside = dict(message.values).get(asked.start.digest)
            verdict = self.decide(stream, asked.start, now_ms)
            answers.append(told.Started(asked.key, stream.name))
        elif isinstance(asked, told.AskEnd) and run.workflow:
            verdict = Verdict([], {})
        else:
            raise NotFound(f"there is no run {stream.name}")
        if not run.final and message.source not in run.watchers:
            verdict.events = [*verdict.events[:1], ev.RunWatched(message.source), *verdict.events[1:]]
        ends = [event.status for event in verdict.events if type(event) is ev.RunFinished]
        answers += [told.Ended(stream.name, status) for status in ([run.final] if run.final else ends)]
        verdict.messages = [Outgoing(message.source, told.encode_message(answer)) for answer in answers]
        return verdict

    def waits(self, command: Any) -> bool:
        """A run sends only its end, so it never waits."""
        return False

    def _carry(self, tenant: str, artifact: str, values: dict[bytes, bytes]) -> None:
        """Stores the document of a run in its own shard, in the same commit."""
        assert self.carried is not None
        if (tenant, artifact) in self.carried:
            return
        digest, data = self._document(tenant, artifact)
        values[digest] = data
        self.carried.add((tenant, artifact))

    def quick(self, stream: Stream, command: Any, now_ms: int) -> Quick | None:
        """Decides, folds and writes a plain hop in one step."""
        given = stream.derived
        if type(command) is not cmd.Complete or command.beside is not None or given is None or stream.state.watchers:
            return None
        hopped = hop(stream.state, command, given.graphs, now_ms)
        if hopped is None:
            return None
        events, data, effects = hopped
        changes = self._changes(stream, effects) if effects.over else Changes(effects, stream.state.status)
        return Quick(events, data, changes)

    def _begin(self, stream: Stream, command: Any) -> Given:
        if not isinstance(command, cmd.Start):
            # For a run that does not exist: the law itself reports it, no graph is needed.
            return Given(_NO_GRAPHS, self._values.of(stream.tenant), self.rules, {})
        stream.tenant = command.tenant
        stream.lazy = command.mode == "fast"
        overlay = overlay_key(command.overlay) if command.overlay else ()
        versions = self._graphs.get(command.tenant, command.artifact, command.rules, overlay)
        if versions is None:
            document = self._document(command.tenant, command.artifact)[1]
            versions = self._graphs.make(command.tenant, command.artifact, command.rules, decode(document), overlay)
        return Given(versions, self._values.of(command.tenant), self.rules, self.effects_of(command.tenant))

    def _document(self, tenant: str, artifact: str) -> tuple[bytes, bytes]:
        digest = bytes.fromhex(artifact.removeprefix("sha256:"))
        data = self._values.of(tenant).get(digest)
        if data is None:
            raise Needs(Ref(digest, 0))
        return digest, data

    def fold(self, stream: Stream, events: list[Any]) -> None:
        fold(stream.state, events)

    def page(self, stream: Stream) -> bytes | None:
        """A run as a page. Of one that is set aside there is none: why it is may not be an event."""
        run: Run = stream.state
        return None if run.quarantined else encode_run(run)

    def unpage(self, data: bytes) -> Run:
        """The run of a page."""
        return decode_run(data)

    def adopt(self, stream: Stream, context: Any) -> None:
        """A patch was applied: the run continues under newer graphs."""
        stream.derived = stream.derived.under(context)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        return self._changes(stream, react(stream.state, events))

    def _changes(self, stream: Stream, effects: Effects | Hop) -> Changes:
        run: Run = stream.state
        name = stream.name
        timers = [TimerRow(name, id, due) for id, due in effects.timers.items()] if effects.timers else None
        done = [(name, id) for id in effects.timers_done] if effects.timers_done else None
        if timers:
            stream.timed = True
        if effects.over and stream.timed:
            done = [(name, "")]
        changes = Changes(effects, run.status, timers, done, effects.over)
        if effects.over:
            changes.tickets_done = [(name, "")] if run.tickets else None
        elif effects.told or effects.tickets_done:
            shown = {id: run.tickets[id] for id, _ in effects.told}
            changes.tickets = [_row(stream, ticket) for ticket in shown.values() if not ticket.answer]
            changes.tickets_done = [(name, id) for id in effects.tickets_done]
        return changes

    def tickets(self, stream: Stream) -> list[TicketRow]:
        """The open tickets of a run that has not ended."""
        run: Run = stream.state
        return [] if run.final else [_row(stream, ticket) for ticket in run.tickets.values() if not ticket.answer]

    def rests(self, stream: Stream) -> bool:
        """Whether a run may be evicted: it waits. A fork stays, because it protects its source run from removal; so do
        runs with a lazily written head."""
        run: Run = stream.state
        return run.status == "WAITING" and not run.fork and not stream.lazy

    def rests_as(self, head: Head) -> bool:
        """A waiting run that is not a fork."""
        return head.status == "WAITING" and b'"fork"' not in head.info

    def over(self, stream: Stream) -> bool:
        return stream.state.final in TERMINAL

    def fire(self, timer: str) -> cmd.Fire:
        return cmd.Fire(timer)

    def head(self, stream: Stream) -> Head:
        run: Run = stream.state
        reason = run.cancelling or run.quarantined
        if run.error is not None and not reason:
            ref = ref_in(error := decode(run.error))
            if ref is not None:
                error = decode(self._values.of(run.tenant).get(ref.digest, b"null"))
            reason = str(error.get("message", ""))[:200] if isinstance(error, dict) else ""
        shown = {"tag": run.tag, "version": run.version, "artifact": run.artifact, "labels": run.labels, "by": run.by}
        if run.build:
            shown["build"] = run.build
        info = msgspec.json.encode({**shown, "fork": run.fork} if run.fork else shown)
        return Head(
            stream.name, "run", run.tenant, run.workflow, run.status, reason, run.started_ms, run.ended_ms, stream.seq,
            info,
        )  # fmt: skip

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        """Quarantines the run, unless it has ended or not begun."""
        run: Run = stream.state
        return [] if run.final or not run.workflow or run.quarantined else [ev.RunQuarantined(reason[:1_000])]

    def encode(self, events: list[Any]) -> bytes:
        return encode_events(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[Any]:
        """Events of this or any older release."""
        return decode_events(data)

    async def restore(self, stream: Stream) -> None:
        """Compiles the graphs of a restored run."""
        run: Run = stream.state
        stream.tenant = run.tenant
        stream.lazy = run.mode == "fast"
        stream.timed = True
        overlay = overlay_key(run.graph_ops)
        versions = self._graphs.get(run.tenant, run.artifact, run.rules, overlay)
        if versions is None:
            versions = await self._made(run, overlay)
        stream.derived = Given(versions, self._values.of(run.tenant), self.rules, self.effects_of(run.tenant))

    async def _made(self, run: Run, overlay: tuple[bytes, ...]) -> Versions:
        try:
            data = await self._values.fetch(run.tenant, bytes.fromhex(run.artifact.removeprefix("sha256:")))
            return self._graphs.make(run.tenant, run.artifact, run.rules, decode(data), overlay)
        except (Invalid, NotFound) as error:
            # Not an event: another release may read it. One run must not prevent a home from starting.
            run.quarantined = f"its graph cannot be read: {str(error)[:500]}"
            return _NO_GRAPHS


def _ended(run: Run, events: list[Any]) -> list[Outgoing]:
    """The messages to the watchers of a run when it ends."""
    ends = [told.encode_message(told.Ended(run.id, each.status)) for each in events if type(each) is ev.RunFinished]
    return [Outgoing(stream, end) for end in ends for stream in run.watchers]


def _row(stream: Stream, ticket: Ticket) -> TicketRow:
    return TicketRow(stream.name, ticket.id, stream.state.tenant, ticket.due_ms, "\n".join(ticket.needed))


_BY_DIGEST = frozenset({cmd.Complete, cmd.Start})  # commands whose digest is that of their value
_BRINGING = _BY_DIGEST | {cmd.Message, cmd.Answer, cmd.Settle}
_NO_GRAPHS = Versions([], [], {})
