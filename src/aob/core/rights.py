"""Access rules: the role for an action, the tenant of a resource, and who may decide a ticket. Pure. The table of verbs
(`core.verbs`) holds their actions. Only this module compares callers with them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from aob.core.errors import NotFound, Refused
from aob.core.hint import nearest
from aob.core.node import ROLES
from aob.core.policy import LOCAL, Caller

ANY: Final = "any"  # open to every key: the verb itself checks more, by its subject (a ticket names its role)

ROLE_PATTERN: Final = r"^[^\W\d_]+([-_][^\W\d_]+)*$"  # the name of a role: letters, with single `-` or `_` between them
ROLE_CHARS_MAX: Final = 64
ID_SHOWN: Final = 64  # characters of an unknown id in an error
Found = TypeVar("Found")
_ROLE: Final = re.compile(ROLE_PATTERN)

TENANT_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"  # the name of a tenant

BARRED: Final = {"starter": "started the run", "author": "wrote a part of what runs", "proposer": "proposed this patch"}
"""The reasons for which a ticket may bar a caller, as shown."""


def may(who: Caller, action: str) -> None:
    """Raises Refused unless the caller has the role of the action. Checked before anything is loaded; `owned` checks
    what was loaded."""
    if action != ANY:
        require(who, action)


def require(who: Caller, role: str) -> None:
    """Raises Refused with the missing role."""
    if not who.may(role):
        raise Refused(
            f"{who.name} lacks the role `{role}`",
            hint=f"use a key with the role {role}: aob key create NAME --role {role}",
        )


class Owned(Protocol):
    """A resource of a tenant."""

    @property
    def tenant(self) -> str:
        """The tenant it belongs to."""


class Kept(NamedTuple):
    """A kind of resource with ids over all tenants: the argument of verbs that names one, and the error for none."""

    argument: str
    none: str
    hint: str
    code: str = NotFound.code


KEPT_BY_ID: Final = {
    "run": Kept("run_id", "there is no run {}", "aob run list shows the runs of this home"),
    "ticket": Kept("ticket_id", "there is no ticket {!r}", "aob approve lists the open ones", code="ticket_not_found"),
    "patch": Kept("patch_id", "there is no patch {!r}", "aob patch list RUN", code="patch_not_found"),
    "key": Kept("key_id", "there is no key {}", "aob key list"),
}
"""Each is loaded and goes through `owned`. All other resources of verbs are kept and looked for by tenant."""


def owned(who: Owned, kind: str, id: str, found: Found | None, resource: Owned | None) -> Found:
    """The second half of `may`: what was found, if the loaded resource is of the caller's tenant. Raises NotFound for
    another tenant's as for nobody's, to hide its existence."""
    if found is None or resource is None or resource.tenant != who.tenant:
        kept = KEPT_BY_ID[kind]
        raise NotFound(kept.none.format(id[:ID_SHOWN]), hint=kept.hint, code=kept.code)
    return found


def sees_home(who: Caller) -> bool:
    """Whether a caller may be told what concerns all tenants: an admin of the home's own tenant."""
    return who.tenant == LOCAL.tenant and who.may("admin")


def mine(who: Caller, resource: Owned) -> bool:
    """Whether a resource belongs to the caller's tenant: for lists and feeds, which leave out the others."""
    return resource.tenant == who.tenant


def is_role(name: object) -> bool:
    """Whether a role can have this name."""
    return isinstance(name, str) and len(name) <= ROLE_CHARS_MAX and _ROLE.fullmatch(name) is not None


def needed_roles(subject: str, role: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """The roles that a decider needs, all of them. An approval needs only its own; a patch `approve` and those of the
    approvals that it concerns; everything else `approve`."""
    if subject == "approval":
        return (role or "approve",)
    return tuple(dict.fromkeys(("approve", *more))) if subject == "patch" else ("approve",)


def require_decider(who: Caller, ticket: str, needed: Sequence[str], barred: Mapping[str, Collection[str]]) -> None:
    """Raises Refused unless the caller may decide: has every role, and is not barred. `barred` gives key ids and caller
    names by reason."""
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
    """Custom roles in approvals of a document that no key has, each with a similar existing role, if any."""
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
