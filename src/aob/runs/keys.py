"""Verbs of API keys. A secret is shown once, stored only as a hash and compared in constant time."""

import hashlib
import hmac
import secrets
from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, Problem, Refused
from aob.core.event import derived_id
from aob.core.hint import slip_of
from aob.core.node import ROLES
from aob.core.policy import LOCAL, Caller
from aob.core.rights import is_role, mine
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs as verbs
from aob.runs import Core
from aob.runs.incoming import name_of, tenant_of, text_of
from aob.runs.laws import keyring

NAMES_MAX: Final = 100
ROLES_MAX: Final = 32
HAD_RUN: Final = "made with `run` before `deploy` was a role of its own: it has `deploy` too"

START: Final = 8  # characters of a hash that index the keys


class Keys:
    """Verbs of API keys."""

    core: Core
    _by_start: dict[str, list[str]]

    @performs(verbs.CREATE)
    async def create_key(self, who: Caller, args: verbs.CreateKey) -> JsonObject:
        """Make a key; only this answer contains its secret. Raises Invalid for an unknown role."""
        name, roles = text_of(name_of(args.name, "/name"), "/name", NAMES_MAX), args.roles
        tenant = who.tenant if args.tenant is None else tenant_of(args.tenant)
        if tenant != who.tenant and who.tenant != LOCAL.tenant:
            raise Refused(f"{who.name} of {who.tenant} makes no keys for {tenant}",
                          hint=f"a key of the tenant `{LOCAL.tenant}` with the role admin does")  # fmt: skip
        given: object = roles
        if not isinstance(given, list | tuple) or len(given) > ROLES_MAX:
            raise Invalid("roles are a list", [Problem("/roles", f"at most {ROLES_MAX} roles", "wrong_type")])
        problems = [
            Problem(f"/roles/{index}", f"{role!r:.64} is not a role", "unknown_role", hint=_role_hint(role))
            for index, role in enumerate(given) if not is_role(role) or slip_of(role, ROLES)
        ]  # fmt: skip
        if problems or not roles:
            raise Invalid("a key needs roles", problems or [Problem("/roles", "is empty", "missing")])
        secret = f"aob_{secrets.token_urlsafe(24)}"
        id = derived_id("key", self.core.ids.next())
        command = keyring.CreateKey(id, name, tenant, tuple(roles), hashed(secret), who.name)
        await self.core.journal.ask(keyring.KEYRING, command)
        return {"id": id, "name": name, "tenant": tenant, "roles": list(roles), "secret": secret}

    @performs(verbs.LIST)
    async def list_keys(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The keys of the tenant, without secrets."""
        return [
            {"id": key.id, "name": key.name, "tenant": key.tenant, "roles": list(keyring.roles_of(key)), "by": key.by,
             "at": key.at_ms, "active": active,
             **({"note": HAD_RUN} if keyring.roles_of(key) != key.roles else {})}
            for key, active in self.core.key_law.ring.values() if mine(who, key)
        ]  # fmt: skip

    @performs(verbs.REVOKE)
    async def revoke_key(self, who: Caller, args: verbs.NamedKey) -> JsonObject:
        """Revoke a key, at once. Raises NotFound."""
        key_id = args.key_id
        await self.core.journal.ask(keyring.KEYRING, keyring.RevokeKey(name_of(key_id, "/key"), who.name, who.tenant))
        return {"id": key_id, "active": False}

    def authenticate(self, secret: str) -> Caller | None:
        """The caller that a secret belongs to, or None."""
        given = hashed(secret)
        ring = self.core.key_law.ring
        if len(self._by_start) != len(ring):
            self._by_start = {}
            for key, _ in ring.values():
                self._by_start.setdefault(key.hash[:START], []).append(key.id)
        found = None
        # Indexed by the start of a hash, which reveals nothing of a secret; the rest is compared in constant time.
        for id in self._by_start.get(given[:START], ()):
            key, active = ring[id]
            if hmac.compare_digest(key.hash, given) and active:
                found = Caller(key.tenant, key.name, frozenset(keyring.roles_of(key)), key.id)
        return found

    def holder(self, key_id: str) -> Caller | None:
        """The caller of a key, by the key's id; None once it is revoked."""
        key, active = self.core.key_law.ring.get(key_id, (None, False))
        return Caller(key.tenant, key.name, frozenset(keyring.roles_of(key)), key.id) if key and active else None

    def active_keys(self) -> list[tuple[str, Caller]]:
        """All keys that are not revoked: the hash of each secret, and its caller."""
        return [
            (key.hash, Caller(key.tenant, key.name, frozenset(keyring.roles_of(key)), key.id))
            for key, active in self.core.key_law.ring.values() if active
        ]  # fmt: skip


def _role_hint(role: object) -> str:
    near = slip_of(role, ROLES) if isinstance(role, str) else ""
    known = f"{', '.join(ROLES)}, or a name of letters for a role of your own"
    return f"did you mean `{near}`?" if near else known


def hashed(secret: str) -> str:
    """The stored hash of a secret. A secret has 192 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
