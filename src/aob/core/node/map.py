"""`map`: its body once for each item of a list, a bounded number at a time; its output is a manifest, not a list."""

from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.node.kind import ConfigExpression, Kind, within

WINDOW_MAX: Final = 10_000
FAILURES_MAX: Final = 10_000_000


class MapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`items` is CEL giving a list, or an object with `$ref` naming a blob of NDJSON. `window` scopes are open at a
    time. `failures` says how many items may fail before the map fails (default none). The output is `{count, failed,
    failed_items, items}`: the indices of those that failed, whose item is their error, and all items in order."""

    items: str
    window: int = 1_000
    failures: int = 0


def check_map(config: MapConfig) -> Iterator[Problem]:
    """Checks beyond types: the limits of the window and of the failures."""
    yield from within("/window", config.window, 1, WINDOW_MAX, "the window")
    yield from within("/failures", config.failures, 0, FAILURES_MAX, "the number of failures")


MAP = Kind(
    "map",
    MapConfig,
    inner=True,
    body=True,
    check=check_map,
    expressions=(ConfigExpression("items", "items", gives=("list", "map")),),
    name_in_body="item",
)
