"""What an agent is given and what it gives: the envelope of an input, an output, a reminder, a question. Data only; the
payload of an input stays in its topic."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.value import NULL, Cell

REMINDER: Final = "reminder"  # the source of what an agent told itself with `later`; its offsets are the key's own

SEEN_BYTES: Final = 8  # of the hash of a payload and its correlation, for the detector of loops


class Input(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record as an agent gets it. `source` is a partition of a topic (`orders/17`), a type of events at the gate, a
    feed of the platform, or REMINDER; `generation` counts how often the group was set to another offset, from 1. `seen`
    is a hash of the payload and the correlation; empty: not watched for loops. `asker` is the stream that waits for a
    reply, `ask` the id it waits under. `behind` is its number in the key's own queue (0: straight from its source)."""

    source: str
    generation: int
    offset: int
    id: str
    correlation: str = ""
    depth: int = 1
    seen: bytes = b""
    trace: str = ""
    asker: str = ""
    ask: str = ""
    behind: int = 0
    cause: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """Its position in its source: an earlier generation is before all of a later one."""
        return self.generation, self.offset

    @property
    def visit(self) -> str:
        """The name of this handling of the record, unique in its key."""
        name = f"{self.source}@{self.generation}.{self.offset}"
        return f"{name}~{self.behind}" if self.behind else name

    @property
    def first(self) -> str:
        """The name of the first handling of this record: the same however often it is handled again."""
        return f"{self.source}@1.{self.offset}"

    @property
    def again(self) -> bool:
        """Whether this handling may not be the first one of the record."""
        return self.generation > 1 or self.cause in ("replay", "again")


class Output(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record that an agent produces. `data` is its payload itself, `size` the number of its bytes. The law fills in
    what follows `size`."""

    topic: str
    type: str
    data: Cell
    size: int
    subject: str = ""
    id: str = ""
    correlation: str = ""
    causation: str = ""
    depth: int = 0
    trace: str = ""
    asker: str = ""
    ask: str = ""


class Later(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A reminder to itself at `due_ms`. A named one replaces the earlier one of its name; without data (None) it only
    takes that back."""

    due_ms: int
    data: Cell | None
    name: str = ""


class Question(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a person is asked. `due_ms`: when the question expires (0: never). `notify` are addresses to notify. `rungs`
    are what happens while nobody answers: when, `remind reassign approve reject`, and the role to reassign to."""

    role: str
    text: str
    choices: tuple[str, ...] = ("approve", "reject")
    form: JsonObject = {}
    shown: Cell = NULL
    due_ms: int = 0
    notify: tuple[str, ...] = ()
    rungs: tuple[tuple[int, str, str], ...] = ()


class Mark(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record of a source that its group need not read again: it has ended, or its key's record holds it."""

    source: str
    generation: int
    offset: int


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The answer to the `ask` of another stream. `failed`: `data` is an error."""

    stream: str
    ask: str
    data: Cell
    failed: bool = False
