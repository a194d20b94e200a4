"""The law of API keys: hashes only, never a secret. One stream, `keyring/all`."""

from typing import Any, Final, TypeAlias

import msgspec

from aob.core.errors import Conflict, NotFound
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

KEYRING = "keyring/all"


class KeyCreated(msgspec.Struct, array_like=True, tag=1):
    """A key: the sha256 of its secret, who it stands for, in which tenant, with which roles. `rules` is 0 for keys
    of before `deploy` was a role: those with `run` may deploy."""

    id: str
    name: str
    tenant: str
    roles: tuple[str, ...]
    hash: str
    by: str
    at_ms: int
    rules: int = 0


class KeyRevoked(msgspec.Struct, array_like=True, tag=2):
    """A key that opens nothing any more."""

    id: str
    by: str
    at_ms: int


ROLE_RULES: Final = 1
"""What the roles of a key that is made now mean."""


def roles_of(key: KeyCreated) -> tuple[str, ...]:
    """The roles of a key as they are meant today."""
    return (*key.roles, "deploy") if key.rules < ROLE_RULES and "run" in key.roles else key.roles


KeyEvent = KeyCreated | KeyRevoked


class CreateKey(msgspec.Struct):
    """Make a key."""

    id: str
    name: str
    tenant: str
    roles: tuple[str, ...]
    hash: str
    by: str


class RevokeKey(msgspec.Struct):
    """Take a key back. `tenant` is the caller's: a key of another tenant is not there."""

    id: str
    by: str
    tenant: str


Ring: TypeAlias = dict[str, tuple[KeyCreated, bool]]
"""Keys by id, and whether each still opens something."""


def held_roles(ring: Ring, tenant: str) -> frozenset[str]:
    """Every role that a key of a tenant has now."""
    own = [roles_of(key) for key, active in ring.values() if active and key.tenant == tenant]
    return frozenset(role for roles in own for role in roles)


class KeyringLaw(Law):
    """The law of keys. `ring` is what was known last, also while the store is away and the journal's memory is empty:
    who may ask is then told that, and not turned away."""

    kind = "keyring"
    prefix = "keyring/"
    decoder = msgspec.json.Decoder(list[KeyEvent])
    vital = True

    def __init__(self) -> None:
        self.ring: Ring = {}

    def fresh(self, name: str) -> Ring:
        """No keys."""
        return {}

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Creating twice under one id is a conflict; revoking twice is fine."""
        state: Ring = stream.state
        if isinstance(command, CreateKey):
            if command.id in state:
                raise Conflict(f"key {command.id} exists", code="key_exists")
            created = KeyCreated(
                command.id,
                command.name,
                command.tenant,
                command.roles,
                command.hash,
                command.by,
                now_ms,
                ROLE_RULES,
            )
            return Verdict([created], {})
        key = state.get(command.id)
        if key is None or key[0].tenant != command.tenant:
            raise NotFound(f"there is no key {command.id}", hint="aob key list")
        return Verdict([KeyRevoked(command.id, command.by, now_ms)] if key[1] else [], {})

    def fold(self, stream: Stream, events: list[KeyEvent]) -> None:
        """Folds events."""
        for event in events:
            if isinstance(event, KeyCreated):
                stream.state[event.id] = (event, True)
            else:
                stream.state[event.id] = (stream.state[event.id][0], False)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        """Only the row in the list of streams."""
        self.ring = stream.state
        return Changes(None, str(stream.seq))

    def head(self, stream: Stream) -> Head:
        """One row for the ring."""
        return Head(stream.name, "keyring", "", "keys", "active", "", 0, 0, stream.seq)

    async def restore(self, stream: Stream) -> None:
        """Nothing is derived."""
