"""The doors to the threads of graphs: of one shard in this process, or of the shards of a home."""

from aob.compose.threads.doors import ManyShards, OneShard, all_names

__all__ = ["ManyShards", "OneShard", "all_names"]
