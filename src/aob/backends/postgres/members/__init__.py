"""What the processes of a cluster share in its database: who is a member, which shards it owns until when, the records
that all of them read, and the lines of their handlers."""

from aob.backends.postgres.members.leases import PostgresLeases
from aob.backends.postgres.members.log_chunks import PostgresLogChunks
from aob.backends.postgres.members.records import PostgresRecords

__all__ = ["PostgresLeases", "PostgresLogChunks", "PostgresRecords"]
