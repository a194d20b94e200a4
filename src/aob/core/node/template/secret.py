"""`{secret:NAME}`: a reference to a secret of the home, in texts that a person wrote. Names only, never a value."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

NAME: Final = r"(?!hook_)[A-Za-z_][A-Za-z0-9_]{0,63}"
"""The name of a secret. Those of webhooks are in the same folder and cannot be referred to."""
NAME_HINT: Final = "a name is letters, digits and `_`, at most 64"
_NAME: Final = re.compile(NAME)
_REFERENCE: Final = re.compile(r"\{secret:([^{}]*)\}")


class SecretRef(msgspec.Struct, frozen=True):
    """A `{secret:NAME}` in a text."""

    name: str

    def __str__(self) -> str:
        return f"{{secret:{self.name}}}"


def is_secret_name(name: str) -> bool:
    """Whether a secret can have this name."""
    return _NAME.fullmatch(name) is not None


def references(text: str) -> Iterator[str]:
    """The names of the secrets in a setting."""
    yield from (found.group(1) for found in _REFERENCE.finditer(text))


def put_in(text: str, value: Callable[[str], str]) -> str:
    """A setting with references replaced by the values of their secrets. References inside values are not resolved."""
    return _REFERENCE.sub(lambda found: value(found.group(1)), text)
