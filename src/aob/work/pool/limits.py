"""How many jobs run at once in one process: its pools share these limits."""

from typing import Final

from aob.work.handlers import Place
from aob.work.pool.network_places import NetworkPlaces
from aob.work.pool.shares import Shares

THREADS_MAX: Final = 32
PROCESSES_MAX: Final = 2


class Limits:
    """The workers of each place, and the places for outgoing requests."""

    def __init__(self, concurrency: int, threads: int = THREADS_MAX, processes: int = PROCESSES_MAX) -> None:
        limits: dict[Place, int] = {"loop": concurrency, "thread": threads, "process": processes}
        self.shares = {place: Shares(limit) for place, limit in limits.items()}
        self.outward = NetworkPlaces()
