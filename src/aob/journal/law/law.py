"""What the journal asks of a law: pure functions over one stream's state, and how its events look in bytes."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from aob.core.errors import Conflict, OurError
from aob.core.event import Message
from aob.core.value import Ref
from aob.journal.law.stream import Stream
from aob.journal.messages import Outgoing
from aob.ports.store import Head, TicketRow, TimerRow

_encode: Final = msgspec.json.Encoder().encode


class Verdict(msgspec.Struct, gc=False):
    """What a command leads to. `values` are kept beside the record; `context` is handed to `adopt` after the fold;
    `messages` go to other streams, in order, each once."""

    events: list[Any]
    values: dict[bytes, bytes]
    context: Any = None
    messages: Sequence[Outgoing] = ()


class Changes(msgspec.Struct, gc=False):
    """What a decision means for the store's rows and for the outside. `effects` is the law's own and opaque here."""

    effects: Any = None
    status: str = ""
    timers: list[TimerRow] | None = None
    timers_done: list[tuple[str, str]] | None = None
    over: bool = False
    tickets: list[TicketRow] | None = None
    tickets_done: list[tuple[str, str]] | None = None


class Quick(msgspec.Struct, gc=False):
    """A decision that is folded already: its events, the same as they are written, and what they change."""

    events: list[Any]
    data: bytes
    changes: Changes


class Wanted(Exception):  # noqa: N818  # not an error: the journal fetches the value and asks again
    """A decision needs a value that lies outside the record."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(ref.hex)
        self.ref = ref


class Law(Protocol):
    """One kind of stream. `prefix` tells its streams from others by their names, `decoder` reads their events. What is
    written out here holds for a stream that has no end and of which nothing is derived."""

    kind: str
    prefix: str
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
    vital: bool = False
    """Without the history of such a stream nothing is safe, and a shard does not start."""
    spread: bool = False
    """Its streams lie in the partitions of their names, over all shards; those of other laws in the first shard."""

    def fresh(self, name: str) -> Any:
        """The state of a stream that has no events."""
        ...

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """The events of a command. Raises AobError when it cannot be, Wanted when it needs a value."""
        ...

    def quick(self, stream: Stream, command: Any, now_ms: int) -> Quick | None:
        """A decision that a law can make, fold and write at once, as it would one after the other. None, and nothing is
        changed, for all others."""
        return None

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """What a message leads to. Raises as `decide`: the message counts as received, and its sender is told so by a
        message with `refused`; of one that says so nobody is told again."""
        raise Conflict(f"streams of {self.kind} take no messages", code="no_messages")

    def waits(self, command: Any) -> bool:
        """Whether a command may wait while too many messages of its stream's partition are undelivered."""
        return True

    def reached(self, name: str) -> None:
        """A stream has taken a message, and its commit is durable: whoever looks at it may look again."""
        return

    def fold(self, stream: Stream, events: list[Any]) -> None:
        """Folds events into the stream's state."""
        ...

    def adopt(self, stream: Stream, context: Any) -> None:
        """Takes over what a decision made on its way (compiled graphs), after its events are folded."""
        return

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """What these events, already folded, change outside: only the row that lists show."""
        return Changes(None, str(stream.seq))

    def fire(self, timer: str) -> Any:
        """The command that says that a timer of one of its streams is due."""
        raise OurError(f"streams of {self.kind} set no timers, and {timer} is due")

    def head(self, stream: Stream) -> Head:
        """The row that lists show."""
        ...

    def tickets(self, stream: Stream) -> list[TicketRow]:
        """Its open tickets, where it has such."""
        return []

    def rests(self, stream: Stream) -> bool:
        """Whether nothing is to be done for a stream until it is asked: it may leave memory."""
        return False

    def rests_as(self, head: Head) -> bool:
        """The same, as far as its head says: it need not come into memory at a start."""
        return False

    def over(self, stream: Stream) -> bool:
        """Whether the stream has ended and may leave memory."""
        return False

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        """The events that set a stream aside after its law broke; empty when it cannot be set aside."""
        return []

    def encode(self, events: list[Any]) -> bytes:
        """Events as one JSON list."""
        return _encode(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[Any]:
        """Events back from JSON, of this or any older release."""
        found: list[Any] = self.decoder.decode(data)
        return found

    async def restore(self, stream: Stream) -> None:
        """After a stream was read back: whose it is, and what is derived (compiled graphs)."""
        stream.tenant = stream.name.removeprefix(self.prefix)
