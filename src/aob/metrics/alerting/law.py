"""The law of alerts as the journal calls it. One stream per alert, `alert/TENANT/NAME`; core makes the decisions. An
alert starts a workflow by a message to the future run, in the commit of its decision; the run answers by messages when
it exists and when it ends."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from aob.core.event import Message
from aob.core.metric.alert import AlertEvent, AlertState, Begin, commands, decide
from aob.core.run.record import commands as cmd
from aob.core.run.record import messages as runs
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.journal.messages import Outgoing
from aob.ports.store import Head

PREFIX: Final = "alert/"


class Ask(msgspec.Struct):
    """A command that starts a run, with the start itself."""

    command: Begin | commands.Resume
    key: str
    start: cmd.Start


class AskEnds(msgspec.Struct):
    """Ask all runs without a known end to report it: those of an earlier release were never asked, and a message may be
    lost."""


def stream_of(tenant: str, name: str) -> str:
    """The name of an alert's stream."""
    return f"{PREFIX}{tenant}/{name}"


class AlertLaw(Law):
    """The law of alerts."""

    kind = "alert"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[AlertEvent])
    woken: Callable[[str], None] | None = None  # called with the stream of an alert that may start another run now

    def fresh(self, name: str) -> AlertState:
        _, tenant, alert = name.split("/", 2)
        return AlertState(tenant, alert)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        state: AlertState = stream.state
        stream.tenant = state.tenant
        if isinstance(command, AskEnds):
            asks = [Outgoing(run, runs.encode_message(runs.AskEnd(run))) for run in state.runs]
            return Verdict([], {}, None, asks)
        if not isinstance(command, Ask):
            return Verdict(decide(state, command, now_ms), {})
        events, start = decide(state, command.command, now_ms), command.start
        beside = {} if start.beside is None else {start.digest: start.beside}
        body = runs.encode_message(runs.AskStart(command.key, msgspec.structs.replace(start, beside=None)))
        return Verdict(events, {}, None, [Outgoing(start.run, body, beside)] if events else ())

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """The result of a start, or the end of a run."""
        state: AlertState = stream.state
        stream.tenant = state.tenant
        told = runs.decode_message(message.body)
        command: commands.Settle | commands.RunOver
        if isinstance(told, runs.AskStart | runs.Started):
            due, run = state.due.get(told.key), "" if isinstance(told, runs.AskStart) else told.run
            command = commands.Settle(due.key if due else "", told.key, run, message.refused)
        else:
            command = commands.RunOver(told.run)
        return Verdict(decide(state, command, now_ms), {})

    def reached(self, name: str) -> None:
        """Evaluates the alert again: it may have room for another run."""
        if self.woken is not None:
            self.woken(name)

    def fold(self, stream: Stream, events: list[AlertEvent]) -> None:
        for event in events:
            stream.state.fold(event)

    def changes(self, stream: Stream, events: list[AlertEvent]) -> Changes:
        return Changes(None, _status(stream.state))

    def head(self, stream: Stream) -> Head:
        state: AlertState = stream.state
        first = state.history[0]["at"] if state.history else 0
        return Head(stream.name, self.kind, state.tenant, state.name, _status(state), "", first, 0, stream.seq)

    async def restore(self, stream: Stream) -> None:
        stream.tenant = stream.state.tenant


def _status(state: AlertState) -> str:
    phases = {instance.phase for instance in state.instances.values()}
    return "firing" if phases & {"firing", "clearing"} else "pending" if "pending" in phases else "ok"
