"""A home with several shards: verbs go in, the owner of their run answers. Also a home in one process: `open`."""

from aob.compose.shards.embedded import open
from aob.compose.shards.owned import OwnedShard
from aob.compose.shards.owners import Owners
from aob.compose.shards.sharded import ShardedViews

__all__ = ["OwnedShard", "Owners", "ShardedViews", "open"]
