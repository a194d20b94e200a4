"""The declaration of a node kind, and checks of configs that several kinds share. Each kind has a file with its
declaration; none performs anything."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from aob.core.duration import parse_duration
from aob.core.errors import Problem


def within(path: str, value: float, low: float, high: float, what: str) -> Iterator[Problem]:
    """Checks a number against two inclusive limits."""
    if not low <= value <= high:
        yield Problem(path, f"{what} is {value:,}, and must be between {low:,} and {high:,}", "out_of_range")


def duration(path: str, value: str | int | float) -> Iterator[Problem]:
    """Checks a duration as people write it."""
    try:
        parse_duration(value)
    except ValueError as error:
        yield Problem(path, str(error), "bad_duration", hint="write 500ms, 30s, 10m, 2h, 1d or 1h30m")


def filled(path: str, value: str, what: str) -> Iterator[Problem]:
    """Checks that a text is not empty."""
    if not value.strip():
        yield Problem(path, f"{what} is empty", "empty")


class ConfigExpression(msgspec.Struct, frozen=True):
    """A CEL text in a config: its key in the document, its attribute in the struct, its result types. `gives` lists the
    allowed CEL types; `dyn` (unknown before the run) always passes. `inside` texts are evaluated inside the body, with
    its names."""

    key: str
    attribute: str
    gives: tuple[str, ...] = ()
    inside: bool = False


class Kind(msgspec.Struct, frozen=True):
    """One node kind. `config` is the struct its `config:` decodes into (unknown fields forbidden). `outcomes` are the
    edge sets that it offers. `inner` kinds are decided inside a decision; the others become jobs, except those that
    `waits` (for time, a message or a person). `body` kinds have `body: {nodes, edges}`. `effect` is the default effect
    for a config. `hosts` lists the hosts in a config, for the gate of patches. `check` finds problems beyond types,
    with paths relative to the config. `expressions` are the CEL texts of the config, `templates` the keys whose strings
    are filled by `{name}`, `schemas` the keys that hold a JSON Schema, `handlers` the (path, name) of handlers it
    calls. `name_in_body` is the name only for expressions inside its body. `secrets` are the `templates` that may refer
    to `{secret:NAME}`; `refused` finds what is refused since rules number 2."""

    name: str
    config: type[msgspec.Struct]
    outcomes: tuple[str, ...] = ("success", "failure")
    inner: bool = False
    waits: bool = False
    body: bool = False
    deterministic: bool = False
    effect: Callable[[Any], str] = lambda config: "none"
    hosts: Callable[[Any], Sequence[str]] = lambda config: ()
    check: Callable[[Any], Iterable[Problem]] = lambda config: ()
    expressions: tuple[ConfigExpression, ...] = ()
    templates: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    handlers: Callable[[Any], Sequence[tuple[str, str]]] = lambda config: ()
    name_in_body: str = ""
    secrets: tuple[str, ...] = ()
    refused: Callable[[Any], Iterable[Problem]] = lambda config: ()
