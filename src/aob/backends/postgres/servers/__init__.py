"""The databases of a cluster that has several: a shard goes verbatim from one to another, by the owners' URLs."""

from aob.backends.postgres.servers.moving import STEPS, Moved, move_shard

__all__ = ["STEPS", "Moved", "move_shard"]
