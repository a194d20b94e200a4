"""The law of contracts: which revisions a tenant's contracts have had. Streams `contracts/TENANT`.

A revision holds only what it added; its documents lie beside the record under their hash. Versions are never changed
and never taken away.
"""

import msgspec

from aob.core.errors import Conflict
from aob.core.value import digest_of
from aob.journal import Law, Stream, Verdict
from aob.ports.store import Head

PREFIX = "contracts/"


class Declared(msgspec.Struct, array_like=True, tag=1):
    """A revision: the names that it added (`metric revenue@2`), and the hash of their documents. `keeps` is false for
    one of a release that made each newest version the default of its type."""

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
    """The law of contracts. A stream's state is the list of what happened to them."""

    kind = "contracts"
    prefix = PREFIX
    decoder = msgspec.json.Decoder(list[Event])
    vital = True

    def fresh(self, name: str) -> list[Event]:
        """No revisions."""
        return []

    def decide(self, stream: Stream, command: Declare | Default, now_ms: int) -> Verdict:
        """One revision after the other: who checked against an older one checks again."""
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
        """Folds events."""
        stream.state.extend(events)

    def head(self, stream: Stream) -> Head:
        """One row a tenant."""
        state: list[Event] = stream.state
        first = state[0].at_ms if state else 0
        return Head(stream.name, "contracts", stream.tenant, "contracts", "active", "", first, 0, stream.seq)


def revisions_of(state: list[Event]) -> list[Declared]:
    """The revisions among all that happened."""
    return [each for each in state if isinstance(each, Declared)]
