"""Callers, their tenants and roles. Deny by default."""

from typing import Final

import msgspec

from aob.core.node import ROLES as ROLES


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller: a person, an agent or a program with a key. `id` is the id of that key; empty for a
    caller in this process without a key."""

    tenant: str
    name: str
    roles: frozenset[str]
    id: str = ""

    def may(self, role: str) -> bool:
        """Whether this caller has the role (admin has every role)."""
        return role in self.roles or "admin" in self.roles

    @property
    def owns_home(self) -> bool:
        """Whether the caller is the owner of the home: in process, or with the home's own key."""
        return self.name == LOCAL.name and self.tenant == LOCAL.tenant and "admin" in self.roles


LOCAL: Final = Caller("default", "local", frozenset(ROLES))
"""The caller of an in-process application and of the loopback key: the owner of the home."""
