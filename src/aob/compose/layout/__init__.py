"""Partitions and shards of a home: which shard owns which partition, and how partitions move between shards."""

from aob.compose.layout.layout import SHARDS_MAX, Layout, ShardIds, layout_of, single
from aob.compose.layout.moving import finished
from aob.compose.layout.resting import resting
from aob.compose.layout.setting import set_shards, shards_told

__all__ = [
    "SHARDS_MAX", "Layout", "ShardIds", "finished", "layout_of", "resting", "set_shards", "shards_told", "single",
]  # fmt: skip
