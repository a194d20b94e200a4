"""What a node kind tells the graph and the run about itself. A file per kind declares one; none of them acts."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from aob.core.errors import Problem


class Kind(msgspec.Struct, frozen=True):
    """One node kind.

    `config` is the struct its `config:` decodes into (unknown fields forbidden). `outcomes` are the edge sets that it
    offers. `inner` kinds are decided inside a decision; the others become jobs, except those that `waits` (for time,
    a message or a person). `body` kinds carry `body: {nodes, edges}`. `effect` is the default effect for a config.
    `hosts` lists the hosts a config names, for the gate of patches. `check` finds what a type cannot.
    """

    name: str
    config: type[msgspec.Struct]
    outcomes: tuple[str, ...] = ("success", "failure")
    inner: bool = False
    waits: bool = False
    body: bool = False
    deterministic: bool = False
    effect: Callable[[Any], str] = lambda config: "none"
    hosts: Callable[[Any], Sequence[str]] = lambda config: ()
    check: Callable[[Any], Sequence[Problem]] = lambda config: ()
