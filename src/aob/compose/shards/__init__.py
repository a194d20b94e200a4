"""A home with several shards: routes verbs to the owner of their run. Also a home in one process: `open`. What a name
needs is imported on access: an owner process needs none of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aob.compose.shards.embedded import open
    from aob.compose.shards.inner import table_of
    from aob.compose.shards.owned import OwnedShard
    from aob.compose.shards.owners import Owners
    from aob.compose.shards.sharded import ShardedViews

__all__ = ["OwnedShard", "Owners", "ShardedViews", "open", "table_of"]

_LATER = {
    "OwnedShard": "owned", "Owners": "owners", "ShardedViews": "sharded", "open": "embedded", "table_of": "inner",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'aob.compose.shards' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"aob.compose.shards.{_LATER[name]}"), name)
