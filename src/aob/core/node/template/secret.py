"""`{secret:NAME}`: a reference to a secret of the home, in texts that a person wrote. Names only, never a value."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

NAME: Final = r"(?!hook_)[A-Za-z_][A-Za-z0-9_]{0,63}"
"""The name of a secret. Those of webhooks lie in the same folder and are nobody's to name."""
NAME_HINT: Final = "a name is letters, digits and `_`, at most 64"
_NAME: Final = re.compile(NAME)
_REFERENCE: Final = re.compile(r"\{secret:([^{}]*)\}")


class SecretRef(msgspec.Struct, frozen=True):
    """A `{secret:NAME}` of a text."""

    name: str

    def __str__(self) -> str:
        return f"{{secret:{self.name}}}"


def is_secret_name(name: str) -> bool:
    """Whether a secret can have this name."""
    return _NAME.fullmatch(name) is not None


def references(text: str) -> Iterator[str]:
    """The names of the secrets that a setting refers to."""
    yield from (found.group(1) for found in _REFERENCE.finditer(text))


def put_in(text: str, value: Callable[[str], str]) -> str:
    """A setting with the value of each secret in the place of its reference. What a value holds is not looked at."""
    return _REFERENCE.sub(lambda found: value(found.group(1)), text)
