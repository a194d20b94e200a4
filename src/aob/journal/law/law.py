"""The interface of a law: pure functions over one stream's state, and the encoding of its events."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import msgspec

from aob.core.errors import AobError, Conflict, OurError
from aob.core.event import Message
from aob.core.value import Ref
from aob.journal.law.stream import Stream
from aob.journal.messages import Outgoing
from aob.ports.log import Record
from aob.ports.store import Batch, Head, TicketRow, TimerRow

_encode: Final = msgspec.json.Encoder().encode


class Beside(msgspec.Struct, eq=False):
    """Rows that a commit writes beside its events; the `context` of a verdict of the journal's own laws."""

    def fill(self, batch: Batch) -> None:
        """Adds the rows to the batch of the commit."""

    def gone(self) -> set[str]:
        """The streams that leave memory when the commit is durable."""
        return set()


class Made(msgspec.Struct, frozen=True, gc=False):
    """A record that a decision appends to a partition of a topic, in its commit. `repeated`: the same one may have been
    appended by an earlier decision; then it is not appended again."""

    topic: str
    partition: int
    record: Record
    repeated: bool = False


class Passed(msgspec.Struct, frozen=True, gc=False):
    """A record that a group need not read again, from the commit of a decision on; nothing, if the group was set back
    since it was read."""

    group: str
    topic: str
    partition: int
    offset: int
    generation: int = 1


class Verdict(msgspec.Struct, gc=False):
    """The result of a command. `values` are stored outside the record; `context` is passed to `adopt` after the fold,
    or is `Beside`; `messages` are sent to other streams, in order, each once; `records` and `passed` are of the
    stream's tenant, and of partitions that its shard holds."""

    events: list[Any]
    values: dict[bytes, bytes]
    context: Any = None
    messages: Sequence[Outgoing] = ()
    records: Sequence[Made] = ()
    passed: Sequence[Passed] = ()


class Changes(msgspec.Struct, gc=False):
    """What a decision changes in the store's rows and outside. `effects` is opaque here."""

    effects: Any = None
    status: str = ""
    timers: list[TimerRow] | None = None
    timers_done: list[tuple[str, str]] | None = None
    over: bool = False
    tickets: list[TicketRow] | None = None
    tickets_done: list[tuple[str, str]] | None = None


class Quick(msgspec.Struct, gc=False):
    """A decision that is already folded: its events, as objects and as bytes, and their changes."""

    events: list[Any]
    data: bytes
    changes: Changes


class Wanted(Exception):  # noqa: N818  # not an error: the journal fetches the value and asks again
    """A decision needs a value that is stored outside the record; or would, were it not `refused`."""

    def __init__(self, ref: Ref, refused: AobError | None = None) -> None:
        super().__init__(ref.hex)
        self.ref, self.refused = ref, refused


class Law(Protocol):
    """One kind of stream. `prefix` identifies its streams by name, `decoder` reads their events. The defaults here fit
    a stream without an end and without derived data."""

    kind: str
    prefix: str
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
    vital: bool = False  # without the history of such a stream a shard does not start
    fold_version: str = ""  # identifies the fold's code; "": the state of a stream is never kept as a page
    spread: bool = False
    """Its streams are spread over all shards by name; those of other laws are in the first shard."""

    def fresh(self, name: str) -> Any:
        """The state of a stream without events."""

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """The events of a command. Raises AobError if it is refused, Wanted if it needs a value."""

    def quick(self, stream: Stream, command: Any, now_ms: int) -> Quick | None:
        """Decides, folds and writes in one step, with the same result as separately; None, without changes, if it
        cannot."""
        return None

    def receive(self, stream: Stream, message: Message, now_ms: int) -> Verdict:
        """The result of a message. Raises as `decide`: the message then counts as received, and its sender gets a
        message with `refused`, which is never answered."""
        raise Conflict(f"streams of {self.kind} take no messages", code="no_messages")

    def waits(self, command: Any) -> bool:
        """Whether a command may wait while too many messages of its stream's partition are undelivered."""
        return True

    def reached(self, name: str) -> None:
        """A stream has received a message, and its commit is durable: wakes readers."""
        return

    def fold(self, stream: Stream, events: list[Any]) -> None:
        """Folds events into the stream's state."""

    def page(self, stream: Stream) -> bytes | None:
        """The state of a stream as bytes; None when only its events can say it."""
        return None

    def unpage(self, data: bytes) -> Any:
        """The state that `page` has written."""
        raise OurError(f"streams of {self.kind} have no pages")

    def adopt(self, stream: Stream, context: Any) -> None:
        """Takes over what a decision produced (compiled graphs), after its events are folded."""
        return

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """What these events, already folded, change outside: by default only the row in lists."""
        return Changes(None, str(stream.seq))

    def fire(self, timer: str) -> Any:
        """The command for a due timer of one of its streams."""
        raise OurError(f"streams of {self.kind} set no timers, and {timer} is due")

    def head(self, stream: Stream) -> Head:
        """The row in lists."""

    def tickets(self, stream: Stream) -> list[TicketRow]:
        """Its open tickets, if any."""
        return []

    def rests(self, stream: Stream) -> bool:
        """Whether a stream is idle until its next command, so that it may be evicted."""
        return False

    def rests_as(self, head: Head) -> bool:
        """The same, judged by its head: it need not be loaded at a start."""
        return False

    def over(self, stream: Stream) -> bool:
        """Whether the stream has ended and may be evicted."""
        return False

    def quarantine(self, stream: Stream, reason: str) -> list[Any]:
        """The events that quarantine a stream after its law broke; empty if it cannot be quarantined."""
        return []

    def encode(self, events: list[Any]) -> bytes:
        """Events as one JSON list."""
        return _encode(events)

    def decode(self, data: bytes | msgspec.Raw) -> list[Any]:
        """Decodes events of this or any older release."""
        found: list[Any] = self.decoder.decode(data)
        return found

    async def restore(self, stream: Stream) -> None:
        """Sets the tenant and derived data (compiled graphs) of a recovered stream."""
        stream.tenant = stream.name.removeprefix(self.prefix)


def law_for(laws: Iterable[Law], name: str) -> Law | None:
    """The law whose prefix a stream's name has."""
    for law in laws:
        if name.startswith(law.prefix):
            return law
    return None


class RecordLaw(Law):
    """A law whose streams hold one record each: it is the state, and the stream ends with it."""

    def fresh(self, name: str) -> Any:
        return None

    def fold(self, stream: Stream, events: list[Any]) -> None:
        stream.state = events[-1]

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        return Changes(None, "COMPLETED", over=True)

    def over(self, stream: Stream) -> bool:
        return stream.state is not None
