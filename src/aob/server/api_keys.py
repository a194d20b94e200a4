"""Keys of the environment (`AOB_API_KEYS`), in addition to those of the home; finds a caller by its secret. Keeps
digests only. One wrong entry refuses all: a server must not start with other keys than meant."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from aob.core.answers import KeyRow
from aob.core.errors import Invalid, Problem
from aob.core.hint import slip_of
from aob.core.node import ROLES
from aob.core.policy import LOCAL, Caller
from aob.core.rights import TENANT_PATTERN, is_role

API_KEYS: Final = "AOB_API_KEYS"
ENV_PREFIX: Final = "env_"  # prefix of the id of a key of the environment
SECRET_CHARS_MIN: Final = 16
ID_CHARS: Final = 20  # characters of a secret's digest in the id of its key
_TENANT: Final = re.compile(TENANT_PATTERN)
SHAPE: Final = "NAME:SECRET:ROLE+ROLE[:TENANT], several with commas between"


class ApiKeys:
    """Callers by the digest of their secret: the time of a lookup does not depend on how much of a secret is right."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self._callers = dict(callers)
        self._holders = {caller.id: caller for caller in callers.values()}

    def __len__(self) -> int:
        return len(self._callers)

    def authenticate(self, secret: str) -> Caller | None:
        """The caller with this secret."""
        return self._callers.get(_digest(secret))

    def holder(self, key_id: str) -> Caller | None:
        """The caller with this key id; another secret is another key."""
        return self._holders.get(key_id)

    def rows(self, tenant: str) -> list[KeyRow]:
        """The keys of a tenant as lists show them. Since when a line is in the environment is unknown, so no key gets a
        role that it does not name: a note lists what it lacks."""
        return [_row(caller) for caller in self._callers.values() if caller.tenant == tenant]

    def roles(self) -> dict[str, frozenset[str]]:
        """The roles of a tenant's keys, by tenant."""
        found: dict[str, frozenset[str]] = {}
        for caller in self._callers.values():
            found[caller.tenant] = found.get(caller.tenant, frozenset()) | caller.roles
        return found

    def lacking(self) -> list[tuple[str, str]]:
        """Ids of keys with `run` and without `deploy`, each with the line that would give it."""
        told = [(caller.id, lacks_deploy(caller)) for caller in self._callers.values()]
        return [(id, words) for id, words in told if words]


NO_KEYS: Final = ApiKeys({})


def lacks_deploy(caller: Caller) -> str:
    """The note on a key with `run`, which once allowed pushing documents, and without `deploy`, which allows it now."""
    if "run" not in caller.roles or caller.may("deploy"):
        return ""
    roles = [role for role in ROLES if role in caller.roles or role == "deploy"]
    roles += sorted(caller.roles - set(ROLES))
    tenant = f":{caller.tenant}" if caller.tenant != LOCAL.tenant else ""
    return f"`run` without `deploy` pushes nothing; if it should, write {caller.name}:SECRET:{'+'.join(roles)}{tenant}"


def _row(caller: Caller) -> KeyRow:
    row: KeyRow = {
        "id": caller.id, "name": caller.name, "roles": sorted(caller.roles), "tenant": caller.tenant,
        "by": "environment", "active": True,
    }  # fmt: skip
    if told := lacks_deploy(caller):
        row["note"] = told
    return row


def read_api_keys(text: str) -> ApiKeys:
    """Keys as `name:secret:roles[:tenant],…`. Raises Invalid with every entry that is wrong, without its secret."""
    callers: dict[bytes, Caller] = {}
    problems: list[Problem] = []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        name, secret, roles, tenant = ([part.strip() for part in entry.split(":")] + [""] * 4)[:4]
        found = list(_problems(entry, name, secret, roles, tenant))
        if _digest(secret) in callers:
            found.append("its secret is that of another key")
        problems += (Problem(f"{API_KEYS}/{number}", f"{name or 'this key'}: {each}", hint=SHAPE) for each in found)
        id = f"{ENV_PREFIX}{_digest(secret).hex()[:ID_CHARS]}"
        callers[_digest(secret)] = Caller(tenant or LOCAL.tenant, name, frozenset(roles.split("+")), id)
    if problems:
        raise Invalid(f"{API_KEYS} is wrong", problems, hint=SHAPE, code="bad_settings")
    return ApiKeys(callers)


def _problems(entry: str, name: str, secret: str, roles: str, tenant: str) -> Iterator[str]:
    if entry.count(":") not in (2, 3) or not name:
        yield "a key has a name, a secret, its roles, and may have a tenant"
    if len(secret) < SECRET_CHARS_MIN:
        yield f"its secret has {len(secret)} characters, at least {SECRET_CHARS_MIN} are needed"
    for role in sorted(set(roles.split("+"))):
        if near := slip_of(role, ROLES):
            yield f"there is no role {role}: did you mean `{near}`?"
    if unknown := sorted(role for role in set(roles.split("+")) if not is_role(role)):
        yield f"there is no role {', '.join(unknown) or '(none)'}; there are {', '.join(ROLES)} and names of letters"
    if tenant and not _TENANT.fullmatch(tenant):
        yield f"{tenant[:64]!r} is no name for a tenant: letters, digits, `_` and `-`, at most 64"


def _digest(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
