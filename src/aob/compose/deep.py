"""`aob doctor --deep` of a home that is not running: replays its shards by their laws, without performing anything."""

from pathlib import Path

from aob.compose.files import Seen, compared
from aob.compose.layout import resting
from aob.compose.lock import owning
from aob.compose.parts import open_blobs
from aob.compose.settings import Settings
from aob.journal import Recovered
from aob.ports.store import Store


async def check_deep(home: Path) -> list[Seen]:
    """Compare heads and timers with the events. Raises Conflict for a home that runs."""
    with owning(home), resting(home) as core_of:

        async def read_back(store: Store) -> Recovered:
            return await core_of(store).journal.read_back(store)

        return await compared(home, read_back, open_blobs(Settings(), home))
