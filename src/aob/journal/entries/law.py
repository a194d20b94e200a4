"""The law of rows beside events: a command is rows to write and to remove, all in the commit of its batch. Such a
stream has no event and no head, and is in no list; its rows go where its partition goes."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from aob.core.errors import NotFound
from aob.journal.law import Beside, Law, Stream, Verdict
from aob.ports.store import Batch, Entry, Head

THREAD: Final = "thread/"
MEMORY: Final = "memory/"
PREFIXES: Final = (THREAD, MEMORY)


class Enter(Beside):
    """A command: rows of one stream, in order."""

    entries: Sequence[Entry] = ()

    def fill(self, batch: Batch) -> None:
        if not isinstance(batch.entries, list):
            batch.entries = list(batch.entries)
        batch.entries.extend(self.entries)


class EntryLaw(Law):
    """The law of the streams with a prefix."""

    spread = True
    decoder = msgspec.json.Decoder()

    def __init__(self, prefix: str) -> None:
        self.prefix, self.kind = prefix, prefix.rstrip("/")

    def fresh(self, name: str) -> Any:
        return None

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """The rows, and no event."""
        if type(command) is not Enter:
            raise NotFound(f"{stream.name} has rows only")
        return Verdict([], {}, command)

    def fold(self, stream: Stream, events: list[Any]) -> None:
        """Nothing: it has no events."""

    def head(self, stream: Stream) -> Head:
        return Head(stream.name, self.kind, stream.tenant, "", "", "", 0, 0, 0)
