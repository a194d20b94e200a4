"""Parses patches from text and enforces their size limits."""

import json
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import Final

import msgspec

from aob.core.errors import Malformed, TooLarge
from aob.core.graph.patch.operation import Operation, refuse, steps_of
from aob.core.graph.patch.pointer import Json

OPERATIONS_MAX: Final = 256
PATCH_BYTES_MAX: Final = 256 * 1024
BODY_BYTES_MAX: Final = PATCH_BYTES_MAX + 16 * 1024
"""Bytes of a patch body: its operations, white space, and the reason."""
DEPTH_MAX: Final = 64  # levels of nesting of a patch, its list of operations included

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_encode: Final = msgspec.json.Encoder().encode


def check_bounds(operations: Sequence[Operation], size: int = 0) -> None:
    """Raises TooLarge over 256 operations, 256 KiB of JSON or 64 levels; PatchError for non-JSON values. `size` is the
    size of their JSON without white space, if known."""
    if len(operations) > OPERATIONS_MAX:
        raise TooLarge(
            f"{len(operations)} operations in one patch, at most {OPERATIONS_MAX}", hint="split it into several patches"
        )
    try:
        if depth_of(list(operations)) > DEPTH_MAX:
            raise TooLarge(f"a patch is nested at most {DEPTH_MAX} levels deep", hint="flatten the values")
        size = size or len(_encode(operations))
    except (TypeError, ValueError, UnicodeError) as error:
        refuse("", f"the patch is not JSON: {error}")
    if size > PATCH_BYTES_MAX:
        raise TooLarge(
            f"a patch of {size:,} bytes, at most {PATCH_BYTES_MAX:,}",
            hint="store the value as a blob and name its hash",
        )


def depth_of(value: Json) -> int:
    """Levels of nesting, 0 for a scalar; stops at DEPTH_MAX + 1. Raises ValueError for non-JSON values."""
    level: list[Json] = [value]
    for depth in range(DEPTH_MAX + 1):
        inner: list[Json] = []
        containers = False
        for item in level:
            if isinstance(item, dict):
                containers = True
                if not all(isinstance(name, str) for name in item):
                    raise ValueError("names of members are strings")
                inner.extend(item.values())
            elif isinstance(item, list):
                containers = True
                inner.extend(item)
            elif isinstance(item, float) and not isfinite(item):
                raise ValueError("a number is finite")
            elif type(item) not in _SCALARS:
                raise ValueError(f"{type(item).__name__} is no JSON value")
        if not containers:
            return depth
        level = inner
    return DEPTH_MAX + 1


def read_operations(source: bytes | str | Json, *, size: int = 0) -> list[Operation]:
    """The operations of a patch, within the limits, from the JSON text of its body or a decoded value.

    The body is an object with `operations`, or the list of operations alone. Raises Malformed for invalid JSON and for
    duplicate members, which RFC 6902 (A.13) refuses; TooLarge and PatchError as `check_bounds`, which gets `size`."""
    value = _parsed(source) if isinstance(source, bytes | str) else source
    operations = steps_of(value.get("operations") if isinstance(value, dict) else value)
    checked: list[Operation] = []
    for index, item in enumerate(operations):
        if not isinstance(item, dict):
            refuse(str(index), "an operation is an object", 'write {"op": …, "path": …}')
        checked.append(item)
    check_bounds(checked, size)
    return checked


def _parsed(text: bytes | str) -> Json:
    if len(text) > BODY_BYTES_MAX:
        raise TooLarge(f"a patch of {len(text):,} bytes, at most {PATCH_BYTES_MAX:,}")
    try:
        value: Json = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the patch is not JSON: {error}", hint='write {"operations": [{"op": …}]}') from error
    return value


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has two members {name[:80]!r}")
    return made
