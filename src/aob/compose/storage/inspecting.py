"""What `aob doctor` finds in the database of a home, and `aob restore --accept-loss store` of one that was restored."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aob.compose.files import Seen
from aob.compose.files import accept_loss as accept_file_loss
from aob.compose.home import kept_in_database
from aob.compose.settings import Settings, read_settings
from aob.compose.storage.claim import unclaimed
from aob.compose.storage.database import InDatabase, driver
from aob.core.errors import AobError, CallerError

SLOW_MS: Final = 20.0
STORE: Final = "store"


async def inspected_database(home: Path, settings: Settings) -> list[Seen]:
    """The database as this process reaches it; nothing for a home in files. Reads only; the home may run."""
    if not settings.in_database:
        return []
    try:
        async with InDatabase.opened(home, settings) as storage:
            return await _seen(storage)
    except AobError as error:
        problems = "; ".join(problem.message for problem in getattr(error, "problems", ()))
        return [Seen(STORE, False, f"{error.detail}: {problems}" if problems else error.detail, _mend(error))]


def _mend(error: AobError) -> str:
    return error.hint or next((problem.hint for problem in getattr(error, "problems", ()) if problem.hint), "")


async def _seen(storage: InDatabase) -> list[Seen]:
    cluster, told = storage.cluster, await storage.figures()
    if told["status"] != "ok":
        return [Seen(STORE, False, str(told["detail"]), "see to the server; aob db check says more")]
    count = f"{cluster.shards} shard{'s'[: cluster.shards != 1]}, {cluster.partitions} partitions"
    found = [Seen(STORE, True, f"{storage.member.where}: PostgreSQL {told['version']}, {told['latency_ms']:.2f} ms, "
                               f"{count}, generation {cluster.generation}")]  # fmt: skip
    if told["latency_ms"] > SLOW_MS:
        mend = "put the processes beside the server: each commit is one round trip"
        found.append(Seen("latency", False, f"an answer of the database takes {told['latency_ms']:.0f} ms", mend))
    today = int(time.time()) // 86_400
    for day in await driver().read_days(storage.database):
        if day.missed or day.last_day < today:
            says = (
                f"{day.name} has rows of days without a partition" if day.missed else f"{day.name} has none for today"
            )
            found.append(Seen("partitions", False, says, "aob up makes them; look into its log for days_not_made"))
    return found


async def accept_loss(home: Path, env: Mapping[str, str], what: str) -> str:
    """Accept the loss of a file of a stopped home, or of what a database lacks that was restored, or failed over with
    a loss: a new generation of it begins, and positions from before are not valid any more. Returns a sentence on what
    was done. Raises CallerError for anything but `store` of a home in a database."""
    if not kept_in_database(home):
        return await asyncio.to_thread(accept_file_loss, home, what)
    if what != STORE:
        raise CallerError(f"{what!r} is no file of a home in a database", code="bad_file",
                          hint="aob restore --accept-loss store")  # fmt: skip
    async with InDatabase.opened(home, read_settings(home, env)) as storage:
        await unclaimed(storage.leases(), storage.member.where)
        number = await driver().new_generation(storage.database)
        return f"{storage.database.address.shown} is taken as it is: generation {number} begins"
