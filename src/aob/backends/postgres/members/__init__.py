"""The processes of a cluster in its database: who is a member, and which shards it owns until when."""

from aob.backends.postgres.members.leases import PostgresLeases

__all__ = ["PostgresLeases"]
