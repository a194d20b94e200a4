"""What the processes of a cluster share besides the shards themselves."""

from aob.ports.cluster.leases import FORGOTTEN, Leases, Renewed
from aob.ports.cluster.records import PAST_MAX, Record, Records, check_record, version_differs

__all__ = ["FORGOTTEN", "PAST_MAX", "Leases", "Record", "Records", "Renewed", "check_record", "version_differs"]
