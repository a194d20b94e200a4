"""One message to one hook as the history stores it: payload, attempts, outcome."""

from typing import Final, Literal

import msgspec

from aob.core.metric_answers import Delivery
from aob.fanout.webhooks.notices import Notice
from aob.fanout.webhooks.posting import Outcome

ATTEMPTS_KEPT: Final = 30  # newest attempts kept of a message; most are probes of a target that is down


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One request. A probe of an open circuit does not count against the message."""

    at_ms: int
    status: int
    error: str
    took_ms: int
    probe: bool = False


class Message(msgspec.Struct, array_like=True, eq=False):
    """A message. `counted` are the attempts of this round, `refused` those that the target answered with a refusal;
    `again`: a person asked for a redelivery."""

    id: str
    kind: str
    key: str
    position: int
    type: str
    created_ms: int
    payload: bytes
    state: Literal["waiting", "delivered", "failed"] = "waiting"
    attempts: list[Attempt] = []
    next_ms: int = 0
    counted: int = 0
    refused: int = 0
    again: bool = False

    @classmethod
    def of(cls, notice: Notice, hook_id: str) -> "Message":
        """A new message."""
        id = notice.message_id(hook_id)
        return cls(id, notice.kind, notice.key, notice.position, notice.type, notice.at_ms, notice.body)

    def tried(self, outcome: Outcome, probe: bool) -> None:
        """Note an attempt."""
        self.attempts.append(Attempt(outcome.at_ms, outcome.status, outcome.error, outcome.took_ms, probe))
        del self.attempts[:-ATTEMPTS_KEPT]
        if not probe:
            self.counted += 1
            self.refused += outcome.alive and not outcome.delivered

    def view(self, hook_id: str, *, whole: bool = False) -> Delivery:
        """As callers see it; `whole` adds the payload."""
        told: Delivery = {
            "id": self.id, "webhook": hook_id, "type": self.type, "state": self.state,
            "attempts": [
                {"at": each.at_ms, "status": each.status, "error": each.error, "took_ms": each.took_ms,
                 "probe": each.probe}
                for each in self.attempts
            ],
            "created_at": self.created_ms,
            "next_at": self.next_ms if self.state == "waiting" and self.next_ms else None,
        }  # fmt: skip
        if whole:
            told["payload"] = msgspec.json.decode(self.payload)
        return told


class Progress(msgspec.Struct):
    """Progress of a hook: positions by kind up to which everything is settled, counts, the message being tried, the
    redeliveries that wait, and the ids of its history, oldest first."""

    cursors: dict[str, int] = {}
    delivered: int = 0
    failed: int = 0
    head: str = ""
    again: list[str] = []
    history: list[str] = []


encode: Final = msgspec.msgpack.Encoder().encode
message_of: Final = msgspec.msgpack.Decoder(Message).decode
progress_of: Final = msgspec.msgpack.Decoder(Progress).decode  # pages of the history, and of progress
