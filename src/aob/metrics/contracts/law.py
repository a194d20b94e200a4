"""The law of contracts: the revisions of a tenant's contracts. Streams `contracts/TENANT`. A revision holds only its
additions; documents are stored by hash outside the record. Versions of contracts are never changed or removed. The
versions of the registry's subjects stand in the same history: one table, one order of ids."""

from typing import Literal

import msgspec

from aob.core.errors import Conflict
from aob.core.value import digest_of
from aob.journal import Law, Stream, Verdict
from aob.ports.store import Head

PREFIX = "contracts/"


class Declared(msgspec.Struct, array_like=True, tag=1):
    """A revision: the added names (`metric revenue@2`), and the hash of their documents. `keeps` is false for a release
    that made each newest version the default of its type."""

    revision: int
    names: tuple[str, ...]
    documents: str
    by: str
    at_ms: int
    keeps: bool = False
    ids: tuple[int, ...] = ()
    """For each name the id of its schema in the registry, 0 for what is no event; empty before there was one."""


class Defaulted(msgspec.Struct, array_like=True, tag=2):
    """Events of a type that name no version are judged by this one from now on."""

    event: str
    version: int
    by: str
    at_ms: int


class Registered(msgspec.Struct, array_like=True, tag=3):
    """A version of a subject: the id of its schema, what the schema is told apart by, and the hash of its document."""

    subject: str
    version: int
    id: int
    digest: str
    document: str
    by: str
    at_ms: int = 0


class Removed(msgspec.Struct, array_like=True, tag=4):
    """A version of a subject was deleted, 0: all of them; for good when it is `permanent`."""

    subject: str
    version: int
    permanent: bool
    by: str
    at_ms: int = 0


class Configured(msgspec.Struct, array_like=True, tag=5):
    """The level of compatibility, or the mode, of a subject, or of all that have none of their own (empty); an empty
    value is the default."""

    subject: str
    what: Literal["level", "mode"]
    value: str
    by: str
    at_ms: int = 0


OfRegistry = Registered | Removed | Configured
Event = Declared | Defaulted | OfRegistry


class Declare(msgspec.Struct):
    """Add contracts. `after` is the revision that they were checked against."""

    after: int
    names: tuple[str, ...]
    documents: bytes
    by: str
    ids: tuple[int, ...]


class Amend(msgspec.Struct):
    """Change the registry. `after` is how many changes there were when it was checked; `document` that of a schema."""

    after: int
    event: OfRegistry
    document: bytes = b""


class Default(msgspec.Struct):
    """Make a version the default of its event type."""

    type: str
    version: int
    by: str


class ContractsLaw(Law):
    """The law of contracts. A stream's state is the list of its events."""

    kind = "contracts"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Event])
    vital = True

    def fresh(self, name: str) -> list[Event]:
        return []

    def decide(self, stream: Stream, command: Declare | Default | Amend, now_ms: int) -> Verdict:
        """Revisions follow one another: a push checked against an older one raises Conflict."""
        stream.tenant = stream.name.removeprefix(PREFIX)
        if isinstance(command, Default):
            return Verdict([Defaulted(command.type, command.version, command.by, now_ms)], {})
        amends = isinstance(command, Amend)
        count = len(stream.state) if amends else len(revisions_of(stream.state))
        if command.after != count:
            raise Conflict("the contracts have changed meanwhile", code="contracts_moved", hint="push them again")
        if isinstance(command, Amend):
            values = {digest_of(command.document): command.document} if command.document else {}
            return Verdict([msgspec.structs.replace(command.event, at_ms=now_ms)], values)
        digest = digest_of(command.documents)
        event = Declared(count + 1, command.names, digest.hex(), command.by, now_ms, True, command.ids)
        return Verdict([event], {digest: command.documents})

    def fold(self, stream: Stream, events: list[Event]) -> None:
        stream.state.extend(events)

    def head(self, stream: Stream) -> Head:
        state: list[Event] = stream.state
        first = state[0].at_ms if state else 0
        return Head(stream.name, "contracts", stream.tenant, "contracts", "active", "", first, 0, stream.seq)


def revisions_of(state: list[Event]) -> list[Declared]:
    """The revisions among all events."""
    return [each for each in state if isinstance(each, Declared)]
