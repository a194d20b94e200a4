"""Partitions and shards of a home: who owns what, as the files say."""

from aob.compose.layout.layout import SHARDS_MAX, Layout, ShardIds, layout_of, single

__all__ = ["SHARDS_MAX", "Layout", "ShardIds", "layout_of", "single"]
