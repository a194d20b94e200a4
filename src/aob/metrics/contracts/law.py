"""The law of contracts: the revisions of a tenant's contracts. Streams `contracts/TENANT`. A revision holds only its
additions; documents are stored by hash outside the record. Versions are never changed or removed."""

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


class Defaulted(msgspec.Struct, array_like=True, tag=2):
    """Events of a type that name no version are judged by this one from now on."""

    event: str
    version: int
    by: str
    at_ms: int


Event = Declared | Defaulted


class Declare(msgspec.Struct):
    """Add contracts. `after` is the revision that they were checked against."""

    after: int
    names: tuple[str, ...]
    documents: bytes
    by: str


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

    def decide(self, stream: Stream, command: Declare | Default, now_ms: int) -> Verdict:
        """Revisions follow one another: a push checked against an older one raises Conflict."""
        stream.tenant = stream.name.removeprefix(PREFIX)
        if isinstance(command, Default):
            return Verdict([Defaulted(command.type, command.version, command.by, now_ms)], {})
        count = len(revisions_of(stream.state))
        if command.after != count:
            raise Conflict("the contracts have changed meanwhile", code="contracts_moved", hint="push them again")
        digest = digest_of(command.documents)
        event = Declared(count + 1, command.names, digest.hex(), command.by, now_ms, keeps=True)
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
