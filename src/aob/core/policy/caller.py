"""Who asks, in which tenant, and with which roles. Deny by default."""

from typing import Final

import msgspec

from aob.core.errors import Refused

ROLES: Final = ("view", "run", "approve", "patch", "admin")
"""`view` reads, `run` starts and cancels, `approve` answers tickets, `patch` proposes, `admin` does all of these."""


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller: a person, an agent or a program with a key."""

    tenant: str
    name: str
    roles: frozenset[str]

    def may(self, role: str) -> bool:
        """Whether this caller has the role (admin has every role)."""
        return role in self.roles or "admin" in self.roles


LOCAL: Final = Caller("default", "local", frozenset(ROLES))
"""The caller of an in-process application and of the loopback key: the person who owns the home."""


def require(who: Caller, role: str) -> None:
    """Raises Refused, naming the role that is missing."""
    if not who.may(role):
        raise Refused(
            f"{who.name} lacks the role `{role}`",
            hint=f"use a key with the role {role}: aob key create NAME --role {role}",
        )
