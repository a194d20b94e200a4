"""Objectives of every tenant: counts good and bad, and reports budgets and burn rates. Freshness, quality and
availability are counted by folds, gate and reads. A `value` objective counts time: its metric is judged when it moves
or its answer expires, and the time in between counts as the previous result."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract_model import ContractSet, Slo
from aob.core.errors import NotFound
from aob.core.expression import EvalError, Expression, compile_expression
from aob.core.metric import SloTiles, rate_of, view_of
from aob.core.metric_answers import SloView
from aob.core.metric_query import MetricQuery
from aob.metrics.alerting.reevaluator import Failures, Reevaluator
from aob.ports.logger import Logger
from aob.ports.serving import MetricReader

PAGE: Final = "slo/"
MINUTE_MS: Final = 60_000  # burn rates are per minute, so an answer expires with the minute
log: Final = Logger("aob.metrics")


class Watched(msgspec.Struct, eq=False):
    """A running `value` objective: its last evaluation and result (None: no value)."""

    slo: Slo
    good: Expression
    lookout: Reevaluator
    last_ms: int = 0
    last: bool | None = None


class _Tenant:
    def __init__(self, contracts: ContractSet) -> None:
        self.contracts = contracts
        self.slos = dict(slos_of(contracts))
        self.by_metric: dict[tuple[str, str], list[Slo]] = {}
        for slo in self.slos.values():
            self.by_metric.setdefault((slo.objective, slo.metric), []).append(slo)


class Objectives:
    """All objectives. `adopt` creates the lookouts of `value` objectives."""

    def __init__(
        self, reader: MetricReader, contracts: Callable[[str], ContractSet], now_ms: Callable[[], int]
    ) -> None:
        self._reader, self._contracts, self._now_ms = reader, contracts, now_ms
        self.failures = Failures(now_ms)
        self._tenants: dict[str, _Tenant] = {}
        self._tiles: dict[tuple[str, str], SloTiles] = {}
        self._watched: dict[tuple[str, str], Watched] = {}

    # -- counting ---------------------------------------------------------------------------------------------------

    def wanted(self, tenant: str, objective: str) -> frozenset[str]:
        """The metrics with such an objective; only these need counting."""
        return frozenset(metric for kind, metric in self._of(tenant).by_metric if kind == objective)

    def count(self, tenant: str, metric: str, objective: str, *, good: int, total: int, at_ms: int) -> None:
        """Count events (`quality`) or reads (`availability`) of a metric."""
        for slo in self._of(tenant).by_metric.get((objective, metric), ()):
            self._tiles_of(tenant, slo.name).add(at_ms, good, total)

    def fresh(self, tenant: str, metric: str, ages_ms: Iterable[float], at_ms: int) -> None:
        """Count the ages of events when they moved a metric."""
        slos = self._of(tenant).by_metric.get(("freshness", metric), ())
        ages = list(ages_ms) if slos else []
        for slo in slos:
            good = sum(age <= slo.limit_ms for age in ages)
            self._tiles_of(tenant, slo.name).add(at_ms, good, len(ages))

    # -- reading ----------------------------------------------------------------------------------------------------

    def slos(self, tenant: str) -> list[SloView]:
        """All objectives of a tenant, by name."""
        return [self.slo(tenant, name) for name in sorted(self._of(tenant).slos)]

    def slo(self, tenant: str, name: str) -> SloView:
        """One objective. Raises NotFound."""
        slo = self._of(tenant).slos.get(name)
        if slo is None:
            known = ", ".join(sorted(self._of(tenant).slos)[:10]) or "none yet"
            raise NotFound(f"there is no objective {name[:80]!r}", code="slo_not_found", hint=f"objectives: {known}")
        self._settle(tenant, name)
        return view_of(slo, self._tiles_of(tenant, name), self._now_ms())

    def burning(self, tenant: str, name: str) -> JsonObject:
        """The burn rate of an objective in the form of a metric answer, valid until the next minute. Raises
        NotFound."""
        self.slo(tenant, name)
        now_ms = self._now_ms()
        rate = rate_of(self._of(tenant).slos[name], self._tiles_of(tenant, name), now_ms)
        until = (now_ms // MINUTE_MS + 1) * MINUTE_MS if rate is not None else None
        return {"value": rate, "valid_until": until, "position": "", "type": "slo"}

    # -- snapshots --------------------------------------------------------------------------------------------------

    def pages(self, *, full: bool = False) -> Iterator[tuple[tuple[str, str], bytes | None]]:
        """Pages changed since the last call, or all, by tenant and name."""
        now_ms = self._now_ms()
        for (tenant, name), tiles in list(self._tiles.items()):
            self._settle(tenant, name)
            tiles.forget(now_ms)
            for page, data in tiles.dump(full=full).items():
                yield (tenant, f"{PAGE}{name}/{page}"), data

    def load(self, tenant: str, pages: Mapping[str, bytes]) -> None:
        """Loads the pages of a tenant; skips those of others than objectives."""
        for page, data in pages.items():
            if page.startswith(PAGE):
                name, _, number = page.removeprefix(PAGE).rpartition("/")
                try:
                    self._tiles_of(tenant, name).load({number: data})
                except msgspec.MsgspecError as error:  # its other pages are good
                    log.warning("objective_unreadable", tenant=tenant, objective=name, error=str(error))

    # -- values -----------------------------------------------------------------------------------------------------

    def adopt(self, tenant: str) -> Iterator[tuple[str, Reevaluator]]:
        """The lookouts of `value` objectives, by metric, under the current contracts."""
        for slo in self._of(tenant).slos.values():
            if slo.objective != "value":
                continue
            key = (tenant, slo.name)
            watched = self._watched.get(key)
            if watched is None or watched.slo != slo:
                good = compile_expression(slo.good, nodes=frozenset(), names=frozenset({"value"}), strict=False)
                look = partial(self._look, key)
                lookout = (
                    watched.lookout if watched else Reevaluator(f"slo-{slo.name}", look, self._now_ms, self.failures)
                )
                watched = self._watched[key] = Watched(slo, good, lookout)
                lookout.soon()
            yield slo.metric, watched.lookout

    def stepped(self) -> None:
        """The clock was set: re-checks pending times."""
        for watched in self._watched.values():
            watched.lookout.stepped()

    async def close(self) -> None:
        """Stops all lookouts."""
        for watched in list(self._watched.values()):
            await watched.lookout.close()

    async def _look(self, key: tuple[str, str]) -> int | None:
        watched = self._watched[key]
        if self._of(key[0]).slos.get(key[1]) != watched.slo:
            watched.last = None
            return None
        answer = await self._reader.read_metric(key[0], MetricQuery(watched.slo.metric))
        self._settle(*key)
        watched.last_ms = self._now_ms()
        try:
            watched.last = bool(watched.good.eval({"value": answer.get("value")}))
        except EvalError:
            watched.last = None  # no value is neither good nor bad
        until: int | None = answer.get("valid_until")
        return until

    def _settle(self, tenant: str, name: str) -> None:
        """Counts the time up to now as the last result."""
        watched = self._watched.get((tenant, name))
        if watched is None or watched.last is None:
            return
        now_ms = self._now_ms()
        self._tiles_of(tenant, name).add_span(watched.last_ms, now_ms, good=watched.last)
        watched.last_ms = max(now_ms, watched.last_ms)

    def _of(self, tenant: str) -> _Tenant:
        contracts = self._contracts(tenant)
        known = self._tenants.get(tenant)
        if known is None or known.contracts is not contracts:
            known = self._tenants[tenant] = _Tenant(contracts)
        return known

    def _tiles_of(self, tenant: str, name: str) -> SloTiles:
        return self._tiles.setdefault((tenant, name), SloTiles())


def slos_of(contracts: ContractSet) -> Iterator[tuple[str, Slo]]:
    """Every objective by name: those of metrics, then standalone ones."""
    for metric in contracts.newest_metrics():
        if metric.slo is not None:
            yield metric.slo.name or metric.name, metric.slo
    yield from contracts.slos.items()
