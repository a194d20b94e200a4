"""The database of a cluster, as people set it up and look at it: URLs go in, what was done or found comes out."""

from aob.backends.postgres.steps import Made
from aob.compose.database.checking import check_database
from aob.compose.database.making import init_database, init_sql, upgrade_database
from aob.compose.database.moving import move_shards

__all__ = ["Made", "check_database", "init_database", "init_sql", "move_shards", "upgrade_database"]
