"""A home with several shards: routes verbs to the owner of their run. Also a home in one process: `open`."""

from aob.compose.shards.embedded import open
from aob.compose.shards.inner import table_of
from aob.compose.shards.owned import OwnedShard
from aob.compose.shards.owners import Owners
from aob.compose.shards.sharded import ShardedViews

__all__ = ["OwnedShard", "Owners", "ShardedViews", "open", "table_of"]
