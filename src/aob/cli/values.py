"""Converts users' text to values: `name=value` pairs, JSON, files, documents. Raises Invalid with an example."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.document import key_twice
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, NotFound
from aob.core.hint import nearest

DOCUMENT_SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))


def json_or_text(text: str) -> JsonValue:
    """`3`, `true`, `{"a": 1}` are JSON; anything else is the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return text


def duration_ms(text: str) -> int:
    """The milliseconds of `30s`, `5m` or a number of seconds, for an option's `type`."""
    try:
        return parse_duration(float(text) if text.replace(".", "", 1).isdigit() else text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def pairs(texts: Sequence[str], option: str) -> JsonObject:
    """`name=value` pairs; values are JSON where they can be."""
    return {name: json_or_text(value) for name, value in named(texts, option, "order_id=o-17").items()}


def named(texts: Sequence[str], option: str, example: str) -> dict[str, str]:
    """`name=value` pairs of text."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Invalid(f"{option} {text!r} is not name=value", hint=f"{option} {example}")
        found[name] = value
    return found


def labels(texts: Sequence[str]) -> dict[str, str]:
    """The labels of `--label`."""
    return named(texts, "--label", "team=sales")


def json_from(text: str, option: str) -> JsonValue:
    """JSON as typed, from a file, or from standard input (`-`)."""
    data = text if text[:1] in "{[" else read(text).decode("utf-8-sig", "replace")
    twice = key_twice(data)
    if twice is not None:
        raise Invalid(f"{option} says {twice[:100]!r} twice in one object", hint="remove one")
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Invalid(f"{option} {text!r} holds no JSON: {error}", hint=f"{option} takes JSON, a file, or -") from error


def patch_from(text: str, **given: str | None) -> JsonObject:
    """A patch body, from a list of operations or a whole body, with overrides from options."""
    body = json_from(text, "operations")
    if isinstance(body, list):
        body = {"operations": body}
    if not isinstance(body, dict) or "operations" not in body:
        raise Invalid("this is no patch", hint='a list of operations, or {"operations": [...]}')
    return body | {name: value for name, value in given.items() if value is not None}


def inputs_of(whole: str | None, parts: Sequence[str]) -> JsonObject:
    """The inputs of a start: `--inputs`, overridden by single ones of `--input`."""
    found = json_from(whole, "--inputs") if whole is not None else {}
    if not isinstance(found, dict):
        raise Invalid("--inputs holds no JSON object", hint='--inputs \'{"order_id": "o-17"}\'')
    return {**found, **pairs(parts, "--input")}


def is_document(text: str) -> bool:
    """Whether a word names a file and not a workflow: it has a file's suffix, or contains a folder."""
    return text == "-" or Path(text).suffix in DOCUMENT_SUFFIXES or "/" in text


def _beside(path: Path) -> str:
    """The existing file next to it that was probably meant."""
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir()))
    except OSError:
        near = ""
    return f"did you mean {path.with_name(near)}?" if near else "say where it is"


def read(name: str) -> bytes:
    """The bytes of a file or of standard input (`-`). Raises NotFound or Invalid with the system's words."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {name}", code="file_not_found", hint=_beside(Path(name))) from error
    except OSError as error:
        raise Invalid(f"{name} cannot be read: {error.strerror}") from error
