"""The processes of a cluster in its database: who is a member, which shards it owns until when, and the records that
all of them share."""

from aob.backends.postgres.members.leases import PostgresLeases
from aob.backends.postgres.members.records import PostgresRecords

__all__ = ["PostgresLeases", "PostgresRecords"]
