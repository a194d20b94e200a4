"""Partitions and shards of a home: which shard owns which partition, and how partitions move between shards."""

from aob.compose.layout.database import layout_in, shards_in
from aob.compose.layout.layout import Layout, ShardIds, layout_of, single
from aob.compose.layout.live import LiveMoves
from aob.compose.layout.moving import finished
from aob.compose.layout.place import Place
from aob.compose.layout.resting import resting
from aob.compose.layout.setting import set_shards, shards_of

__all__ = [
    "Layout", "LiveMoves", "Place", "ShardIds", "finished", "layout_in", "layout_of", "resting", "set_shards",
    "shards_in", "shards_of", "single",
]  # fmt: skip
