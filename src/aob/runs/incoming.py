"""Checks a caller's values and texts by the same limits over HTTP and in process. Stateless. Raises Invalid or
TooLarge. Refuses values that JSON would change (NaN, half a surrogate pair)."""

import math
import re
from typing import Any, Final

from msgspec import Raw

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, Problem, TooLarge
from aob.core.value import Cell, Ref, canonical, digest_of, inline

DEPTH_MAX: Final = 200
NAME_MAX: Final = 256
TEXT_MAX: Final = 10_000
VALUE_MAX: Final = 1_000_000  # bytes of a message or of form values; more than 4 KiB are stored outside the record
TENANT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
TAG: Final = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
VERSION: Final = re.compile(r"v\d+(\.\d+)?")


def json_of(value: object, path: str = "") -> bytes:
    """The canonical JSON of a value. Raises Invalid for values that JSON cannot represent exactly."""
    try:
        data = canonical(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Invalid("this value is not JSON", [Problem(path, str(error)[:200], "not_json")]) from None
    # The encoder writes NaN and infinity as null; depth is limited so that every reader can parse it.
    if b"null" in data or data.count(b"[") + data.count(b"{") > DEPTH_MAX:
        problem = _strange(value, path)
        if problem is not None:
            raise Invalid("this value is not JSON", [problem])
    return data


def large_of(data: bytes, what: str) -> tuple[Cell, bytes | None]:
    """Canonical bytes as a record cell, and the bytes to store outside the record. Raises TooLarge over 1 MB."""
    if inline(data):
        return Raw(data), None
    if len(data) > VALUE_MAX:
        raise TooLarge(f"{what} has {len(data):,} bytes, at most {VALUE_MAX:,} are taken",
                       hint="put the data into an object store and send its key")  # fmt: skip
    return Ref(digest_of(data), len(data)).cell(), data


def _strange(value: object, path: str) -> Problem | None:
    stack: list[tuple[object, int]] = [(value, 1)]
    while stack:
        here, depth = stack.pop()
        if isinstance(here, float) and not math.isfinite(here):
            return Problem(path, f"{here} is no JSON number", "not_json")
        children = here.values() if isinstance(here, dict) else here if isinstance(here, list | tuple) else ()
        if children and depth > DEPTH_MAX:
            return Problem(path, f"is nested deeper than {DEPTH_MAX}", "too_deep")
        stack.extend((child, depth + 1) for child in children)
    return None


def name_of(value: object, path: str, *, empty: bool = False) -> str:
    """A short name: a key, an id, the name of a message. Raises Invalid otherwise."""
    text = text_of(value, path, NAME_MAX)
    if not text and not empty:
        raise Invalid("a name is missing", [Problem(path, "is empty", "missing")])
    if not text.isprintable():
        raise Invalid("a name is not usable", [Problem(path, "holds characters that cannot be printed", "bad_name")])
    return text


def text_of(value: object, path: str, limit: int = TEXT_MAX) -> str:
    """A text for people. Raises Invalid for other types, TooLarge over `limit` characters."""
    if not isinstance(value, str):
        raise Invalid("a text is expected", [Problem(path, f"is {type(value).__name__}, not a text", "wrong_type")])
    if len(value) > limit:
        raise TooLarge(f"{path} has {len(value):,} characters, at most {limit:,} are taken")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid("a text is not usable", [Problem(path, "holds half a surrogate pair", "not_json")]) from None
    return value


def tag_of(value: object) -> str:
    """The name of a tag to write. Raises Invalid for names that look like a version or a hash."""
    text = text_of(value, "/tag", NAME_MAX)
    if not TAG.fullmatch(text) or VERSION.fullmatch(text):
        raise Invalid("the tag is not usable", [
            Problem("/tag", f"{text[:64]!r} is no name for a tag", "bad_name",
                    hint="letters, digits, `_`, `-` and `.`, at most 64, and nothing like v1.0")
        ])  # fmt: skip
    return text


def tenant_of(value: object) -> str:
    """The name of a tenant. Raises Invalid."""
    text = text_of(value, "/tenant", NAME_MAX)
    if not TENANT.fullmatch(text):
        raise Invalid("the tenant is not usable", [
            Problem("/tenant", f"{text[:64]!r} is no name for a tenant", "bad_name",
                    hint="letters, digits, `_` and `-`, at most 64")
        ])  # fmt: skip
    return text


def object_of(value: Any, path: str) -> JsonObject:
    """An object; raises Invalid otherwise."""
    if not isinstance(value, dict):
        raise Invalid("an object is expected", [Problem(path, f"is {type(value).__name__}", "wrong_type")])
    return value
