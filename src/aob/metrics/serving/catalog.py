"""The catalog of contracts: everything that may be queried, and a ranked search by words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from aob.core.answers import JsonObject
from aob.core.contract_model import AlertContract, ContractSet, EventContract, MetricContract
from aob.core.metric_answers import CatalogAnswer, EntityType, MetricInfo, SearchHit
from aob.core.policy import Caller
from aob.core.serving import Ranking, Thing, View
from aob.core.verb import NoArgs, performs
from aob.core.verbs import contract_verbs as verbs
from aob.core.verbs import metric_verbs
from aob.metrics.live import info
from aob.ports.serving import Serving

INDEXES_MAX: Final = 64  # tenants with a cached index
HITS_MAX: Final = 100


class Catalog:
    """The verbs `catalog` and `search`. `contracts_of` and `revision_of` give a tenant's current contracts (the same
    object while unchanged), `filling_of` the metrics being filled from the log, `unmoved_of` by metric how many values
    could not move it."""

    def __init__(
        self,
        serving: Serving,
        contracts_of: Callable[[str], ContractSet],
        revision_of: Callable[[str], int],
        filling_of: Callable[[str], frozenset[str]] = lambda tenant: frozenset(),
        unmoved_of: Callable[[str], Mapping[str, int]] = lambda tenant: {},
    ) -> None:
        self._serving, self._contracts_of, self._revision_of = serving, contracts_of, revision_of
        self._filling_of, self._unmoved_of = filling_of, unmoved_of
        self._indexes: dict[str, tuple[ContractSet, Ranking]] = {}

    @performs(verbs.CATALOG)
    async def catalog(self, who: Caller, args: NoArgs) -> CatalogAnswer:
        """All names that may be queried, with summaries of their contracts."""
        contracts = self._contracts_of(who.tenant)
        views = await self._serving.views(who.tenant)
        by_type = {view.of: view.name for view in views if view.kind == "type"}
        return {
            "events": [_event(each, contracts, by_type) for each in contracts.newest_events()],
            "metrics": self.metrics(who),
            "entities": [dict(_entity(view, contracts)) for view in views if view.kind == "entity"],
            "dimensions": _dimensions(contracts),
            "alerts": [_alert(each) for each in contracts.newest_alerts()],
            "views": [_view(view) for view in views],
            "revision": self._revision_of(who.tenant),
        }

    @performs(metric_verbs.ENTITY_TYPES)
    async def entity_types(self, who: Caller, args: NoArgs) -> list[EntityType]:
        """The entity types in contracts, by name."""
        contracts = self._contracts_of(who.tenant)
        return [_entity(view, contracts) for view in await self._serving.views(who.tenant) if view.kind == "entity"]

    def metrics(self, who: Caller) -> list[MetricInfo]:
        """All metrics of the tenant, as the catalog lists them."""
        contracts = self._contracts_of(who.tenant)
        filling, unmoved = self._filling_of(who.tenant), self._unmoved_of(who.tenant)
        return [
            {**info(contracts, each.name, each.name in filling, unmoved.get(each.name, 0)), "windows": _windows(each)}
            for each in contracts.newest_metrics()
        ]

    @performs(verbs.SEARCH)
    async def search(self, who: Caller, args: verbs.SearchCatalog) -> list[SearchHit]:
        """Catalog entries by words, best first."""
        ranking = await self._index(who.tenant)
        found = ranking.find(args.words, kind=args.kind, limit=min(max(args.limit, 1), HITS_MAX))
        return [
            {
                "kind": thing.kind, "name": thing.name, "title": thing.title, "snippet": snippet, "score": score,
                "link": thing.link,
            }
            for thing, score, snippet in found
        ]  # fmt: skip

    async def _index(self, tenant: str) -> Ranking:
        contracts = self._contracts_of(tenant)
        known = self._indexes.pop(tenant, None)
        if known is None or known[0] is not contracts:
            known = (contracts, Ranking(_things(contracts, await self._serving.views(tenant))))
        self._indexes[tenant] = known
        while len(self._indexes) > INDEXES_MAX:
            self._indexes.pop(next(iter(self._indexes)))
        return known[1]


def _event(contract: EventContract, contracts: ContractSet, views: Mapping[str, str]) -> JsonObject:
    return {
        "name": contract.type,
        "version": contract.version,
        "versions": sorted(contracts.events[contract.type]),
        "owner": contract.owner,
        "description": contract.description,
        "fields": [_field(name, schema, contract) for name, schema in contract.properties.items()],
        "enriched": list(contract.enrich),
        "moves": sorted(each.name for each in contracts.newest_metrics() if contract.type in each.types),
        "view": views.get(contract.type, ""),
    }


def _field(name: str, schema: object, contract: EventContract) -> JsonObject:
    known: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    told: JsonObject = {"name": name, "type": known.get("type", "any")}
    if name not in contract.schema.get("required", ()):
        told["optional"] = True
    for key, value in (
        ("description", known.get("description")), ("enum", known.get("enum")), ("unit", contract.units.get(name)),
        ("pii", contract.pii.get(name)),
    ):  # fmt: skip
        if value:
            told[key] = value
    return told


def _windows(contract: MetricContract) -> list[JsonObject]:
    told: list[JsonObject] = []
    for window in contract.windows.values():
        told.append({"name": window.name, "kind": window.kind})
        if window.size_ms:
            told[-1]["size_ms"] = window.size_ms
        if window.every_ms:
            told[-1]["every_ms"] = window.every_ms
        if window.unit:
            told[-1] |= {"size": window.size, "unit": window.unit, "zone": window.zone}
    return told


def _entity(view: View, contracts: ContractSet) -> EntityType:
    said_by = sorted(
        type
        for type, versions in contracts.events.items()
        if any(move.entity == view.of for contract in versions.values() for move in contract.entities)
    )
    attributes = [{"name": column.field, "type": column.type} for column in view.columns if column.field]
    return {"name": view.of, "attributes": attributes, "said_by": said_by, "view": view.name}


def _dimensions(contracts: ContractSet) -> list[JsonObject]:
    found: dict[str, list[str]] = {}
    for contract in contracts.newest_metrics():
        for name in contract.dimensions:
            found.setdefault(name, []).append(contract.name)
    return [{"name": name, "metrics": metrics} for name, metrics in sorted(found.items())]


def _alert(contract: AlertContract) -> JsonObject:
    told: JsonObject = {
        "name": contract.name, "metric": contract.metric, "when": contract.when, "severity": contract.severity,
        "description": contract.description, "owner": contract.owner,
    }  # fmt: skip
    return {**told, "start": contract.start} if contract.start else told


def _view(view: View) -> JsonObject:
    columns = [
        {"name": each.name, "type": each.type, **({"description": each.description} if each.description else {})}
        for each in view.columns
    ]
    return {"name": view.name, "of": view.of, "description": view.description, "columns": columns}


def _things(contracts: ContractSet, views: list[View]) -> Iterator[Thing]:
    for event in contracts.newest_events():
        fields = " ".join(
            f"{name} {schema.get('description', '') if isinstance(schema, Mapping) else ''}"
            for name, schema in event.properties.items()
        )
        text = f"{event.description} {event.owner} {fields}"
        link = f"/v1/contracts/event/{event.type}"
        yield Thing("event", event.type, event.description, " ".join(text.split()), link)
    for metric in contracts.newest_metrics():
        text = (
            f"{metric.description} {metric.owner} {metric.type} {metric.unit} {' '.join(metric.dimensions)} "
            f"{' '.join(sorted(contracts.types_of(metric.name)))}"
        )
        yield Thing("metric", metric.name, metric.description, " ".join(text.split()), f"/v1/metrics/{metric.name}")
    for alert in contracts.newest_alerts():
        text = f"{alert.description} {alert.metric} {alert.when} {alert.severity} {alert.start} {alert.owner}"
        yield Thing("alert", alert.name, alert.description, " ".join(text.split()), f"/v1/alerts/{alert.name}")
    for slo in contracts.slos.values():
        text = f"{slo.description} {slo.metric} {slo.objective} {slo.owner}"
        yield Thing("slo", slo.name, slo.description, " ".join(text.split()), f"/v1/slo/{slo.name}")
    for view in views:
        if view.kind == "entity":
            names = " ".join(column.field for column in view.columns if column.field)
            yield Thing("entity", view.of, view.description, f"{view.description} {names}", "/v1/catalog")
        text = f"{view.description} {' '.join(column.name for column in view.columns)}"
        yield Thing("view", view.name, view.description, text, "/v1/query")
    for dimension in _dimensions(contracts):
        metrics = ", ".join(dimension["metrics"])
        yield Thing("dimension", dimension["name"], f"a dimension of {metrics}", metrics, "/v1/catalog")
