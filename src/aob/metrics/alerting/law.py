"""The law of alerts as the journal calls it. One stream an alert, `alert/TENANT/NAME`; all that decides is core."""

from typing import Any, Final

import msgspec

from aob.core.metric.alert import AlertEvent, AlertState, decide
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

PREFIX: Final = "alert/"


def stream_of(tenant: str, name: str) -> str:
    """The name of an alert's stream."""
    return f"{PREFIX}{tenant}/{name}"


class AlertLaw(Law):
    """The law of alerts."""

    kind = "alert"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[AlertEvent])

    def fresh(self, name: str) -> AlertState:
        """An alert of which nothing is known."""
        _, tenant, alert = name.split("/", 2)
        return AlertState(tenant, alert)

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """The events of a command."""
        stream.tenant = stream.state.tenant
        return Verdict(decide(stream.state, command, now_ms), {})

    def fold(self, stream: Stream, events: list[AlertEvent]) -> None:
        """Folds events."""
        for event in events:
            stream.state.fold(event)

    def changes(self, stream: Stream, events: list[AlertEvent]) -> Changes:
        """Only the row that lists show: what is owed to the outside is read off the state."""
        return Changes(None, _status(stream.state))

    def head(self, stream: Stream) -> Head:
        """One row an alert."""
        state: AlertState = stream.state
        first = state.history[0]["at"] if state.history else 0
        return Head(stream.name, self.kind, state.tenant, state.name, _status(state), "", first, 0, stream.seq)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived."""
        stream.tenant = stream.state.tenant


def _status(state: AlertState) -> str:
    phases = {instance.phase for instance in state.instances.values()}
    return "firing" if phases & {"firing", "clearing"} else "pending" if "pending" in phases else "ok"
