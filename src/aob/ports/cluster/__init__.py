"""What the processes of a cluster share besides the shards themselves."""

from aob.ports.cluster.leases import FORGOTTEN, Leases, Renewed

__all__ = ["FORGOTTEN", "Leases", "Renewed"]
