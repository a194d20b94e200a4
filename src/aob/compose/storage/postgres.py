"""The backends on Postgres together: importing them needs their driver, which is an extra."""

from aob.backends.postgres.blobs import PostgresBlobs
from aob.backends.postgres.cluster import join, keep_days, new_generation, read_days
from aob.backends.postgres.database import Database
from aob.backends.postgres.event_log import PostgresEventLog
from aob.backends.postgres.members import PostgresLeases, PostgresLogChunks, PostgresRecords
from aob.backends.postgres.pages import PostgresPages
from aob.backends.postgres.servers import Replica
from aob.backends.postgres.store import PostgresStore
from aob.backends.postgres.topics import TopicsBefore

__all__ = [
    "Database", "PostgresBlobs", "PostgresEventLog", "PostgresLeases", "PostgresLogChunks", "PostgresPages",
    "PostgresRecords", "PostgresStore", "Replica", "TopicsBefore", "join", "keep_days", "new_generation", "read_days",
]  # fmt: skip
