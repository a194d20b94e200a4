"""The law of API keys: stores hashes only, never a secret. One stream, `keyring/all`."""

from typing import Any, Final, TypeAlias

import msgspec

from aob.core.errors import Conflict
from aob.core.rights import owned
from aob.journal import Law, Stream, Verdict
from aob.journal.law import Changes
from aob.ports.store import Head

KEYRING = "keyring/all"


class KeyCreated(msgspec.Struct, array_like=True, tag=1):
    """A key: the sha256 of its secret, its name, tenant and roles. `rules` is 0 for keys made before `deploy` was a
    role: those with `run` may deploy."""

    id: str
    name: str
    tenant: str
    roles: tuple[str, ...]
    hash: str
    by: str
    at_ms: int
    rules: int = 0


class KeyRevoked(msgspec.Struct, array_like=True, tag=2):
    """A revoked key."""

    id: str
    by: str
    at_ms: int


ROLE_RULES: Final = 1  # the current meaning of roles in new keys


def roles_of(key: KeyCreated) -> tuple[str, ...]:
    """The roles of a key by their current meaning."""
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
    """Revoke a key. `tenant` is the caller's: keys of another tenant are not found."""

    id: str
    by: str
    tenant: str


Ring: TypeAlias = dict[str, tuple[KeyCreated, bool]]  # keys by id, and whether each is active


def held_roles(ring: Ring, tenant: str) -> frozenset[str]:
    """Every role that an active key of a tenant has."""
    own = [roles_of(key) for key, active in ring.values() if active and key.tenant == tenant]
    return frozenset(role for roles in own for role in roles)


class KeyringLaw(Law):
    """The law of keys. `ring` is the last known state, kept while the store is unavailable, so that callers get that
    error and not a refusal."""

    kind = "keyring"
    prefix = "keyring/"
    decoder = msgspec.json.Decoder(list[KeyEvent])
    vital = True

    def __init__(self) -> None:
        self.ring: Ring = {}

    def fresh(self, name: str) -> Ring:
        return {}

    def decide(self, stream: Stream, command: Any, now_ms: int) -> Verdict:
        """Creating twice under one id is a conflict; revoking twice changes nothing."""
        state: Ring = stream.state
        if isinstance(command, CreateKey):
            if command.id in state:
                raise Conflict(f"key {command.id} exists", code="key_exists")
            created = KeyCreated(
                command.id, command.name, command.tenant, command.roles, command.hash, command.by, now_ms, ROLE_RULES
            )
            return Verdict([created], {})
        key, active = state.get(command.id, (None, False))
        owned(command, "key", command.id, key, key)
        return Verdict([KeyRevoked(command.id, command.by, now_ms)] if active else [], {})

    def fold(self, stream: Stream, events: list[KeyEvent]) -> None:
        for event in events:
            if isinstance(event, KeyCreated):
                stream.state[event.id] = (event, True)
            else:
                stream.state[event.id] = (stream.state[event.id][0], False)

    def changes(self, stream: Stream, events: list[Any]) -> Changes:
        self.ring = stream.state
        return Changes(None, str(stream.seq))

    def head(self, stream: Stream) -> Head:
        return Head(stream.name, "keyring", "", "keys", "active", "", 0, 0, stream.seq)

    async def restore(self, stream: Stream) -> None:
        """Nothing to restore."""
