"""Every `Leases` backend against the one suite."""

from aob.backends.memory.leases import MemoryLeases
from aob.ports.cluster import Leases
from aob.testing.conformance.leases import LEASE_MS, SHARDS, LeasesSuite


class TestMemory(LeasesSuite):
    now_ms = 1_000

    async def make(self) -> Leases:
        return MemoryLeases(SHARDS, LEASE_MS, lambda: self.now_ms)

    async def advance(self, ms: int) -> None:
        self.now_ms += ms
