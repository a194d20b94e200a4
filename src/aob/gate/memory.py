"""The gates and deduplication memories of all tenants, with their snapshot pages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from aob.core.answers import JsonValue
from aob.core.contract_model import ContractSet
from aob.core.ingest import Dedup, Event, Gate, Runs
from aob.ports.logger import Logger

log = Logger("aob.gate")


class Memory:
    """A gate and a memory of ids for each tenant. `runs` stores ids evicted from memory; `entities` gives the current
    state of an entity (tenant, type, id) for enrichment."""

    def __init__(
        self, contracts: Callable[[str], ContractSet], runs: Callable[[str], Runs] | None = None,
        entities: Callable[[str, str, str], Mapping[str, JsonValue]] | None = None,
    ) -> None:  # fmt: skip
        self._contracts, self._runs, self._entities = contracts, runs, entities
        self._gates: dict[str, Gate] = {}
        self.dedups: dict[str, Dedup] = {}

    def gate(self, tenant: str) -> Gate:
        """The gate of a tenant with its current contracts."""
        now, gate = self._contracts(tenant), self._gates.get(tenant)
        if gate is None or gate.contracts is not now:
            gate = self._gates[tenant] = Gate(now, known=partial(self._entities, tenant) if self._entities else None)
        return gate

    def dedup(self, tenant: str) -> Dedup:
        """The deduplication memory of a tenant."""
        found = self.dedups.get(tenant)
        if found is None:
            found = self.dedups[tenant] = Dedup(self._runs(tenant) if self._runs is not None else None)
        return found

    def remember(self, tenant: str, events: Sequence[Event]) -> None:
        """Remembers events in the log (at recovery, in log order)."""
        self.dedup(tenant).remember(events)

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """Changed pages of the deduplication memory, or all; a later change is in the next call."""
        for tenant, dedup in list(self.dedups.items()):
            for name, data in dedup.pages(full=full):
                yield (tenant, name), data

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> bool:
        """Loads the pages of a tenant; false, and nothing loaded, if a page cannot be read."""
        try:
            self.dedup(tenant).load(pages)
        except (msgspec.MsgspecError, LookupError, ValueError) as error:
            log.warning("dedup_unreadable", tenant=tenant, error=str(error))
            self.dedups.pop(tenant, None)
            return False
        return True

    def clear(self) -> None:
        """Drops all memory; recovery then reads the log from its begin."""
        self.dedups.clear()

    @property
    def keys(self) -> int:
        """The number of remembered ids of all tenants."""
        return sum(map(len, self.dedups.values()))

    @property
    def horizon_ms(self) -> int:
        """The time from which every tenant's ids are known; 0: all."""
        return max((dedup.horizon_ms for dedup in self.dedups.values()), default=0)
