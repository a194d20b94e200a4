"""A process that has a part of the shards of a home, by leases, beside others that have the rest: the roles
`coordinator` and `metrics`. Whoever has shard 0 is the home's main process for that time."""

from aob.compose.coordinator.serving import Process, needs_database

__all__ = ["Process", "needs_database"]
