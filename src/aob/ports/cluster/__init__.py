"""What the processes of a cluster share besides the shards themselves."""

from aob.ports.cluster.leases import FORGOTTEN, Leases, Renewed
from aob.ports.cluster.records import DATA_MAX, PAST_MAX, Record, Records, check_record, version_differs

__all__ = [
    "DATA_MAX",
    "FORGOTTEN",
    "PAST_MAX",
    "Leases",
    "Record",
    "Records",
    "Renewed",
    "check_record",
    "version_differs",
]
