"""Who may do what: the role that an action needs, whose a resource is, and who may decide a ticket. Pure.

The actions of verbs stand in their table (`core.verbs`). Here is the one place that compares a caller with one.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from aob.core.errors import Refused
from aob.core.hint import nearest
from aob.core.node import ROLES
from aob.core.policy import Caller

ANY: Final = "any"
"""What is open to every key: the verb itself asks for more, by what it is about (a ticket names its role)."""

ROLE_PATTERN: Final = r"^[^\W\d_]+([-_][^\W\d_]+)*$"
"""The name of a role: letters; `-` and `_` may stand between them."""
ROLE_CHARS_MAX: Final = 64
_ROLE: Final = re.compile(ROLE_PATTERN)

TENANT_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
"""The name of a tenant."""

BARRED: Final = {"starter": "started the run", "author": "wrote a part of what runs", "proposer": "proposed this patch"}
"""Whom a ticket may bar, and why, as it is told."""


def may(who: Caller, action: str) -> None:
    """Raises Refused unless the caller may do this at all: has the role. Asked before anything is loaded; of what was
    loaded `mine` is asked."""
    if action != ANY:
        require(who, action)


def require(who: Caller, role: str) -> None:
    """Raises Refused, naming the role that is missing."""
    if not who.may(role):
        raise Refused(
            f"{who.name} lacks the role `{role}`",
            hint=f"use a key with the role {role}: aob key create NAME --role {role}",
        )


class Owned(Protocol):
    """Whatever belongs to a tenant."""

    @property
    def tenant(self) -> str:
        """Whose it is."""


def mine(who: Caller, resource: Owned) -> bool:
    """Whether a resource that was loaded is the caller's tenant's. What is not is not there for them: NotFound, never
    Refused, for its existence is nobody's business."""
    return resource.tenant == who.tenant


def is_role(name: object) -> bool:
    """Whether a role can have this name."""
    return isinstance(name, str) and len(name) <= ROLE_CHARS_MAX and _ROLE.fullmatch(name) is not None


def needed_roles(subject: str, role: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The roles that whoever decides must have, all of them. An approval asks for its own and nothing else; a patch
    for `approve` and those of the approvals that it concerns; everything else for `approve`."""
    if subject == "approval":
        return (role or "approve",)
    return tuple(dict.fromkeys(("approve", *more))) if subject == "patch" else ("approve",)


def require_decider(who: Caller, ticket: str, needed: Sequence[str], barred: Mapping[str, Collection[str]]) -> None:
    """Raises Refused unless the caller may decide: has every role, and is not barred. `barred` gives the ids of keys
    and the names of callers by the word for why."""
    lacking = [role for role in needed if not who.may(role)]
    if lacking:
        raise Refused(
            f"{ticket} is for the role{'s'[: len(needed) > 1]} {' and '.join(f'`{role}`' for role in needed)}",
            hint=f"use a key that has {' and '.join(lacking)}: aob key create NAME --role {' --role '.join(needed)}",
        )
    for word, those in barred.items():
        if who.id in those or (who.name in those and word != "proposer"):
            raise Refused(
                f"{who.name} {BARRED[word]} and may not decide {ticket}",
                code="not_you",
                hint="somebody else has to decide it, with a key of their own",
            )


def unheld_roles(document: Mapping[str, object], held: Collection[str]) -> list[tuple[str, str]]:
    """Roles of one's own that approvals of a document ask for and no key has, each with the one that was meant, if any
    is like it."""
    asked = dict.fromkeys(_asked(document))
    lacking = [role for role in asked if role not in held and role not in ROLES]
    return [(role, nearest(role, (each for each in held if each not in ROLES))) for role in lacking]


def _asked(document: Mapping[str, object]) -> Iterator[str]:
    nodes = document.get("nodes")
    for node in nodes.values() if isinstance(nodes, dict) else ():
        if not isinstance(node, dict):
            continue
        config, body = node.get("config"), node.get("body")
        if node.get("kind") == "approval" and isinstance(config, dict):
            rungs = config.get("escalate")
            for each in (config, *(rungs if isinstance(rungs, list) else ())):
                role = each.get("role") if isinstance(each, dict) else None
                if isinstance(role, str) and role:
                    yield role
        if isinstance(body, dict):
            yield from _asked(body)
