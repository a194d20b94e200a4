"""Fills texts with `{name}` from the input of a node: `{order.id}`, `{items[0]}`; `{{` is a brace; and with
`{secret:NAME}`, a secret of the home, by name only. A template is a string, or lists and maps with strings as leaves.
Names are only looked up, never evaluated."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from aob.core.errors import CallerError
from aob.core.items import Items
from aob.core.value import canonical

Value: TypeAlias = Any  # A plain JSON value

TEMPLATES_CACHED_MAX: Final = 4_096
_SECRET: Final = re.compile(r"(?!hook_)[A-Za-z_][A-Za-z0-9_]{0,63}")
"""The name of a secret. Those of webhooks are in the same folder and cannot be referred to."""
_REFERENCE: Final = re.compile(r"\{secret:([^{}]*)\}")
_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)(\}?)")
_NAME: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+|\[\d+\])*)\s*")
_STEP: Final = re.compile(r"[A-Za-z0-9_-]+")


class SecretRef(msgspec.Struct, frozen=True):
    """A `{secret:NAME}` in a text."""

    name: str

    def __str__(self) -> str:
        return f"{{secret:{self.name}}}"


def is_secret_name(name: str) -> bool:
    """Whether a secret can have this name."""
    return _SECRET.fullmatch(name) is not None


def references(text: str) -> Iterator[str]:
    """The names of the secrets in a setting."""
    yield from (found.group(1) for found in _REFERENCE.finditer(text))


def put_in(text: str, value: Callable[[str], str]) -> str:
    """A setting with references replaced by the values of their secrets. References inside values are not resolved."""
    return _REFERENCE.sub(lambda found: value(found.group(1)), text)


class TemplateError(CallerError, ValueError):
    """An invalid template, or a name in it without a value in the input."""

    code = "bad_template"
    status = 422


class Hole(msgspec.Struct, frozen=True):
    """A `{name}` of a template: its path, such as `("order", "id")`, and its place in the text."""

    path: tuple[str, ...]
    offset: int

    @property
    def text(self) -> str:
        return ".".join(self.path)


@lru_cache(maxsize=TEMPLATES_CACHED_MAX)
def parse_template(text: str, secrets: bool = False) -> tuple[str | Hole | SecretRef, ...]:
    """The literal parts and the holes of a text, in order; with `secrets` also its references to secrets. Raises
    TemplateError for any other brace."""
    parts: list[str | Hole | SecretRef] = []
    at = 0
    for found in _PART.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        at = found.end()
        if found.group() in {"{{", "}}"}:
            parts.append(found.group()[0])
            continue
        if found.group(1).startswith("secret:") and found.group(2):
            parts.append(_secret(found.group(1).removeprefix("secret:"), secrets))
            continue
        name = _NAME.fullmatch(found.group(1))
        if name is None or not found.group(2):
            why = f"{found.group()[:40]!r} at character {found.start() + 1} is not a name in braces"
            raise TemplateError(why, hint="write {name} or {order.id} for a value of the input, and {{ for a brace")
        parts.append(Hole(tuple(_STEP.findall(name.group(1))), found.start()))
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def _secret(name: str, allowed: bool) -> SecretRef:
    if not allowed:
        hint = "a secret is put into the headers of an http node and into settings of the home, nowhere else"
        raise TemplateError(f"{{secret:{name[:64]}}} stands where no secret can", hint=hint)
    if not is_secret_name(name):
        why = f"{name[:64]!r} cannot be the name of a secret"
        raise TemplateError(why, hint="a name is letters, digits and `_`, at most 64")
    return SecretRef(name)


def holes(template: object, path: str = "", secrets: bool = False) -> Iterator[tuple[str, Hole]]:
    """Every hole in every string leaf, with the JSON Pointer of the leaf. Raises TemplateError."""
    if isinstance(template, str):
        if "{" in template:
            yield from ((path, part) for part in parse_template(template, secrets) if isinstance(part, Hole))
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from holes(value, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}", secrets)
    elif isinstance(template, list | tuple):
        for index, value in enumerate(template):
            yield from holes(value, f"{path}/{index}", secrets)


def fill(template: Value, values: Mapping[str, Value]) -> Value:
    """The template with values filled in. A leaf that is exactly one hole becomes the value itself (a number stays a
    number); in a longer text, strings are inserted as they are and other values as JSON. Raises TemplateError."""
    if isinstance(template, str):
        if "{" not in template and "}" not in template:
            return template
        parts = parse_template(template)
        if len(parts) == 1 and isinstance(parts[0], Hole):
            return _look_up(parts[0], values)
        return "".join(_words(_look_up(part, values)) if isinstance(part, Hole) else str(part) for part in parts)
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(value, values) for value in template]
    return template


def fill_text(
    template: str,
    values: Mapping[str, Value],
    *,
    quote: Callable[[str], str] = str,
    secret: Callable[[str], str] | None = None,
) -> str:
    """The template as text. `quote` escapes each value for its place (a segment of a URL, a header). `secret`, where
    secrets may stand, gives the value of one by name: only references in the template itself are resolved, never those
    in inserted values. Raises TemplateError."""
    return "".join(
        quote(_words(_look_up(part, values))) if isinstance(part, Hole)
        else secret(part.name) if secret is not None and isinstance(part, SecretRef) else str(part)
        for part in parse_template(template, secret is not None)
    )  # fmt: skip


def _words(value: object) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _look_up(hole: Hole, values: Mapping[str, Value]) -> Value:
    value: Value = values
    for step in hole.path:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple | Items) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            why = f"{{{hole.text}}} has no value: {_missing(step, value)}"
            raise TemplateError(why, hint="add it to the node's `input`")
    return value


def _missing(step: str, value: object) -> str:
    if isinstance(value, Mapping):
        known = ", ".join(sorted(map(str, value))[:8]) or "nothing"
        return f"there is no {step!r}, only {known}"
    if isinstance(value, list | tuple | Items):
        return f"there is no item {step} in a list of {len(value)}"
    return f"{step!r} is asked of {type(value).__name__}"
