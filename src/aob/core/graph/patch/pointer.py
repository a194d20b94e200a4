"""Converts JSON Pointers (RFC 6901) to tokens and back, and defines JSON types. Does not read documents."""

import re
from typing import Final, TypeAlias

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None  # A plain JSON value

Document: TypeAlias = dict[str, Json]  # A workflow in canonical form, or a JSON object in it

Tokens = tuple[str, ...]

POINTER_MAX: Final = 4_096  # characters of a pointer

_BAD_TILDE: Final = re.compile(r"~(?![01])")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


def parse_pointer(text: str) -> Tokens:
    """The unescaped tokens of a pointer; `""` is the whole document, `()`. Raises ValueError with the reason."""
    if not text:
        return ()
    if text[0] != "/":
        raise ValueError("a JSON Pointer is empty or begins with `/`")
    if len(text) > POINTER_MAX:
        raise ValueError(f"a JSON Pointer has at most {POINTER_MAX} characters")
    if "~" not in text:
        return tuple(text[1:].split("/"))
    if _BAD_TILDE.search(text):
        raise ValueError("`~` is written `~0` and `/` inside a name `~1`; any other `~` is an error")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))


def escape(token: str) -> str:
    """A name escaped for a pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def format_pointer(tokens: Tokens) -> str:
    """The pointer of these tokens: the inverse of `parse_pointer`."""
    return "".join("/" + escape(token) for token in tokens)


def index_of(token: str) -> int | None:
    """The array index of a token: digits without leading zeros; else None."""
    return int(token) if _INDEX.fullmatch(token) else None


def same(left: Json, right: Json) -> bool:
    """Equality of JSON values by RFC 6902: 1 equals 1.0, and true never equals 1. Any depth."""
    pairs: list[tuple[Json, Json]] = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        if a is b:
            continue
        if isinstance(a, dict):
            if not isinstance(b, dict) or a.keys() != b.keys():
                return False
            pairs.extend((value, b[key]) for key, value in a.items())
        elif isinstance(a, list):
            if not isinstance(b, list) or len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, bool) or isinstance(b, bool) or a != b:
            return False
    return True
