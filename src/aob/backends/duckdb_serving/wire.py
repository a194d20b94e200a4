"""Messages between the server and the DuckDB process, framed by their length."""

import struct
from typing import IO, Final

import msgspec

from aob.core.errors import AobError, Busy, Invalid, NotFound, Problem, TooLarge, Unavailable
from aob.core.serving import View
from aob.ports.event_log import Row

FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
HEAD: Final = struct.Struct("<I")


class Begin(msgspec.Struct, tag=True, array_like=True):
    """The first message: the file of the tenant (empty: in memory), and the memory limits of its database and of the
    process."""

    path: str
    memory_mb: int
    process_mb: int


class Declare(msgspec.Struct, tag=True, array_like=True):
    """The contracts of the tenant (msgpack of a ContractSet) and the views filled by the server. Answer: `Declared`."""

    contracts: bytes
    supplied: tuple[View, ...]


class Feed(msgspec.Struct, tag=True, array_like=True):
    """Rows of the tenant's log, in order. Loaded rows are skipped. Answered by `Fed`."""

    rows: list[Row]


class Reset(msgspec.Struct, tag=True, array_like=True):
    """Drops the tables; `Declare` creates them again. Answered by `Fed`."""


class Ask(msgspec.Struct, tag=True, array_like=True):
    """A statement. `trusted` ones are ours, not checked. `supplied`: JSON lists of rows by view. Answered by
    `Answer` or `Needs`."""

    sql: str
    parameters: bytes
    rows_max: int
    time_max_ms: int
    trusted: bool = False
    supplied: dict[str, bytes] = {}


class Stop(msgspec.Struct, tag=True, array_like=True):
    """The caller of this message has gone. Not answered."""

    id: int


class Declared(msgspec.Struct, tag=True, array_like=True):
    """The rows of the event log up to which rows are loaded, by partition. Also answers `Begin`, with none."""

    rows: dict[int, int]


class Fed(msgspec.Struct, tag=True, array_like=True):
    """How many events were loaded."""

    events: int


class Needs(msgspec.Struct, tag=True, array_like=True):
    """The statement reads these views, whose rows the server must supply."""

    views: list[str]


class Answer(msgspec.Struct, tag=True, array_like=True):
    """Rows of an answer, as one JSON list of lists."""

    columns: list[str]
    types: list[str]
    rows: bytes
    truncated: bool
    took_ms: float
    views: list[str]
    sql: str


class Fault(msgspec.Struct, tag=True, array_like=True):
    """An AobError by the name of its class."""

    kind: str
    code: str
    detail: str
    hint: str = ""
    problems: tuple[Problem, ...] = ()


Message = Begin | Declare | Feed | Reset | Ask | Stop
Reply = Declared | Fed | Needs | Answer | Fault


class Sent(msgspec.Struct, array_like=True):
    """A message with its number."""

    id: int
    message: Message


class Said(msgspec.Struct, array_like=True):
    """The reply to a message. `last`: the process has reached its limit and ends now."""

    id: int
    reply: Reply
    last: bool = False


_KINDS: Final = {kind.__name__: kind for kind in (Busy, NotFound, TooLarge, Unavailable)}


def framed(value: Sent | Said) -> bytes:
    """A frame."""
    data = msgspec.msgpack.encode(value)
    return HEAD.pack(len(data)) + data


def read_sent(pipe: IO[bytes]) -> Sent | None:
    """The next message; None at the end of the pipe."""
    head = pipe.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    size = HEAD.unpack(head)[0]
    data = pipe.read(size)
    return msgspec.msgpack.decode(data, type=Sent) if len(data) == size else None


def fault_of(error: AobError) -> Fault:
    """Encodes an error."""
    problems = error.problems if isinstance(error, Invalid) else ()
    return Fault(type(error).__name__, error.code, error.detail, error.hint, problems)


def error_of(fault: Fault) -> AobError:
    """Decodes an error."""
    if fault.kind == "Invalid":
        return Invalid(fault.detail, fault.problems, code=fault.code, hint=fault.hint)
    return _KINDS.get(fault.kind, Unavailable)(fault.detail, code=fault.code, hint=fault.hint)
