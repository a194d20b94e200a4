"""The law of alerts as the journal calls it. One stream an alert, `alert/TENANT/NAME`; all that decides is core."""

from typing import Any, Final

import msgspec

from aob.core.metric.alert import AlertEvent, AlertState, decide
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

PREFIX: Final = "alert/"
_decoder: Final = msgspec.json.Decoder(list[AlertEvent])
_encode: Final = msgspec.json.Encoder().encode


def stream_of(tenant: str, name: str) -> str:
    """The name of an alert's stream."""
    return f"{PREFIX}{tenant}/{name}"


class AlertLaw(Law):
    """The law of alerts."""

    kind = "alert"
    prefix = PREFIX

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

    def adopt(self, stream: Stream, context: object) -> None:
        """Nothing is derived."""

    def changes(self, stream: Stream, events: list[AlertEvent]) -> Changes:
        """Only the row that lists show: what is owed to the outside is read off the state."""
        return Changes(None, _status(stream.state))

    def over(self, stream: Stream) -> bool:
        """An alert that is dropped keeps its history, and may be made again."""
        return False

    def head(self, stream: Stream) -> Head:
        """One row an alert."""
        state: AlertState = stream.state
        first = state.history[0]["at"] if state.history else 0
        return Head(stream.name, self.kind, state.tenant, state.name, _status(state), "", first, 0, stream.seq)

    def quarantine(self, stream: Stream, reason: str) -> list[AlertEvent]:
        """An alert cannot be set aside: the next value is weighed anew."""
        return []

    def encode(self, events: list[AlertEvent]) -> bytes:
        """Events as one JSON list."""
        return _encode(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[AlertEvent]:
        """Events of this or any older release."""
        return _decoder.decode(data)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived."""
        stream.tenant = stream.state.tenant


def _status(state: AlertState) -> str:
    phases = {instance.phase for instance in state.instances.values()}
    return "firing" if phases & {"firing", "clearing"} else "pending" if "pending" in phases else "ok"
