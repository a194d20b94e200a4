"""Folds new or changed metrics from the log in the background. They are folded separately and replace the old ones at
once, between two events."""

import asyncio
from typing import Final

from aob.core.contract_model import ContractSet
from aob.metrics.live.live_host import LiveHost
from aob.metrics.live.tenant import Numbers, fold_hash
from aob.ports.event_log import advanced
from aob.ports.logger import Logger

SLICE_EVENTS: Final = 2_000  # events folded between yields to the event loop
AGAIN_S: Final = 1.0

log: Final = Logger("aob.metrics")


class Backfill:
    """Fills of all tenants, at most one per tenant."""

    def __init__(self, live: LiveHost) -> None:
        self._live = live
        self._fills: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Cancels all fills; they begin again at the next start."""
        tasks = list(self._fills.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def busy(self, tenant: str) -> bool:
        """Whether metrics of a tenant are being filled."""
        return tenant in self._fills

    # -- contracts that change --------------------------------------------------------------------------------------

    async def changed(self, tenant: str, before: ContractSet, after: ContractSet) -> list[str]:
        """A tenant's contracts have changed. Returns the names of the metrics being filled."""
        numbers = self._live.numbers(tenant)
        if fold_hash(after) == numbers.filled_by and tenant not in self._fills:
            numbers.adopt(after, None, None)
            return []
        new = [name for name, versions in after.metrics.items() if versions != before.metrics.get(name)]
        running = self._fills.pop(tenant, None)
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            new += numbers.filling  # those of the cancelled fill are not ready yet either
        if not numbers.accepted:
            numbers.restart(after)
            numbers.forget(self._live.now_ms())
            numbers.filled_by = fold_hash(after)
            self._live.changed()
            return []
        numbers.filling = dict.fromkeys(new, 0.0)
        self._fills[tenant] = asyncio.create_task(self._filled(tenant, after), name=f"aob-fill-{tenant}")
        return sorted(set(new))

    async def _filled(self, tenant: str, contracts: ContractSet) -> None:
        while True:
            try:
                await self.fill(tenant, contracts)
                break
            except Exception as error:  # on any error the old numbers stay, and it is retried
                reason = f"{type(error).__name__}: {error}"
                numbers = self._live.numbers(tenant)
                if numbers.stuck != reason:  # logged once; shown in health
                    log.warning("fill_failed", tenant=tenant, error=reason)
                    numbers.stuck = reason
                await asyncio.sleep(AGAIN_S)
        self._fills.pop(tenant, None)

    async def fill(self, tenant: str, contracts: ContractSet) -> None:
        """Folds the whole log of a tenant under new contracts, then replaces its numbers."""
        live, numbers = self._live, self._live.numbers(tenant)
        filled = Numbers(tenant, contracts, live.contracts.platform)
        filled.fold.forget(live.now_ms())
        at, done = (0,) * len(live.at), 0
        while True:
            until = live.ends
            async for row in live.rows(at, until, tenant):
                events = live.reread(row)
                for start in range(0, len(events), SLICE_EVENTS):
                    filled.add(events[start : start + SLICE_EVENTS], {row.partition: row.row})
                    await asyncio.sleep(0)
                at, done = advanced(at, row), done + row.count
                share = min(0.999, done / max(1, numbers.accepted))
                numbers.filling = dict.fromkeys(numbers.filling, share)
            # No await between this check and the replacement, so no row is missed.
            if all(row <= at[partition] for partition, row in numbers.rows.items()):
                break
        filled.fold.forget(live.now_ms())
        numbers.adopt(contracts, filled.fold, filled.entities)
        numbers.filled_by, numbers.filling, numbers.stale = fold_hash(contracts), {}, False
        numbers.stuck = ""
        live.changed()
        live.tell_moved(tenant, frozenset(contracts.metrics))
        if numbers.fold.restating:
            live.restate(tenant)
