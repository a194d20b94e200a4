"""`map`: its body once for each item of a list, a bounded number at a time; its output is a manifest, not a list."""

import msgspec

from aob.core.node.kind import Kind


class MapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`items` is CEL giving a list, or an object with `$ref` naming a blob of NDJSON. `window` scopes are open at a
    time. `failures` says how many items may fail before the map fails (default none)."""

    items: str
    window: int = 1_000
    failures: int = 0


MAP = Kind("map", MapConfig, inner=True, body=True)
