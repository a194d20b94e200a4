"""Which variables of the environment a worker's process has, and which of them its handlers see: no key of the API, of
the database or of the secrets there."""

from collections.abc import MutableMapping
from typing import Final

KEYS: Final = frozenset({"AOB_API_KEY", "AOB_KEY", "AOB_API_KEYS", "AGENTFLOW_API_KEYS"})
OF_HOMES: Final = ("AOB_STORE", "AOB_MASTER_KEY", "AOB_SMTP_PASSWORD")
"""How those begin that only the settings of a home need."""


def passed_on(env: MutableMapping[str, str], *, home: bool) -> dict[str, str]:
    """What a process of handlers is given, and one that performs built-in kinds by the settings of a `home`."""
    return {name: value for name, value in env.items() if name not in KEYS and (home or not name.startswith(OF_HOMES))}


def taken(env: MutableMapping[str, str]) -> dict[str, str]:
    """All of it; what only a home needs is not there for handlers any more."""
    whole = dict(env)
    for name in whole:
        if name.startswith(OF_HOMES):
            del env[name]
    return whole
