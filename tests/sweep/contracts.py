"""Fields of contracts: what the gate says of the same events, and what the fold makes of them."""

import json
from typing import Any

import msgspec

from aob.core.contract import check_set, read_contracts
from aob.core.errors import Invalid, NotFound
from aob.core.ingest import Gate, Refused
from aob.core.metric import Fold
from aob.core.metric.metric_tests import try_contracts
from aob.core.metric.texts import DISTINCT_MAX
from aob.core.metric_query import MetricQuery
from tests.sweep.frame import LEFT_OUT, World, shows

START_S = 1_767_225_600
FIELDS = {
    "order": "string", "amount": "number", "region": "string", "who": "string", "n": "integer",
    "at": {"type": "string", "optional": True},
}  # fmt: skip
SENT = [
    ("sold", 0, {"order": "o1", "amount": 10, "region": "eu", "who": "ann", "n": 1}),
    ("sold", 60, {"order": "o2", "amount": 20, "region": "us", "who": "bob", "n": 2}),
    ("paid", 120, {"order": "o1", "amount": 10, "region": "eu", "who": "ann", "n": 3}),
    ("sold", 7_200, {"order": "o3", "amount": 40, "region": "eu", "who": "ann", "n": 1, "at": "2026-01-01T00:00:00Z"}),
    ("back", 7_260, {"order": "o3", "amount": 40, "region": "eu", "who": "ann", "n": 1, "at": "2026-01-01T00:00:00Z"}),
    ("sold", 90_000, {"order": "o4", "amount": 5, "region": "us", "who": "cat", "n": 4}),
]
"""Type, seconds after the first one, data."""
REFUSED = {"not_moved"}


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"event": name, **({} if "schema" in more else {"fields": FIELDS}), **more}


def counted(*more: dict[str, Any], sold: dict[str, Any] | None = None, **asked: Any) -> Any:
    """What the gate says of each event, and the answers: with `metric` of that one, else of the last one."""
    documents = [event("sold", **(sold or {})), event("paid"), event("back"), *more]
    files = {f"{number}.json": json.dumps(each) for number, each in enumerate(documents)}
    try:
        contracts = read_contracts(files)
    except Invalid as error:
        return sorted({f"{each.code} {each.path}" for each in error.problems})
    if wrong := sorted({f"{each.code} {each.path}" for each in check_set(contracts) if each.code in REFUSED}):
        return wrong
    name = asked.pop("metric", more[-1]["metric"] if more else "")
    gate, events, verdicts = Gate(contracts), [], []
    now_ms = (START_S + 90_000) * 1_000
    for number, (kind, after_s, data) in enumerate(SENT):
        sent = {"id": f"e{number}", "source": "/x", "type": kind, "time": START_S + after_s, "data": data}
        found = gate.look(json.dumps(sent).encode(), now_ms)
        if isinstance(found, Refused):
            verdicts.append([msgspec.to_builtins(each) for each in found.reasons])
            continue
        found.offset = number
        events.append(found)
        verdicts.append((found.type, found.version, found.subject, getattr(found, "enriched", None)))
    told = {type_: versions.keys() for type_, versions in contracts.events.items()}
    if not name:
        return str(verdicts), str(told)
    fold = Fold(contracts, frozenset(contracts.metrics), endless=True)
    fold.add(events)
    fold.recount(events)
    query = MetricQuery(name, **{"by": (), **asked})
    reading = msgspec.to_builtins(fold.read(query, now_ms))
    return str(verdicts), reading


def metric(kind: str = "sum", **more: Any) -> dict[str, Any]:
    moves = [{"on": "sold", "value": "data.amount"}]
    made: dict[str, Any] = {"metric": "m", "type": kind, "moves": moves, "windows": ["all"], **more}
    return made


# -- events


@shows("event", "event", "sold", "bought")
@shows("event", "version", 1, 2)
@shows("event", "fields", FIELDS, {**FIELDS, "more": "string"})
@shows("event", "schema", {"type": "object"}, {"type": "object", "required": ["more"]})
@shows("event", "rules", [], [{"name": "some", "rule": "data.amount > 10.0"}])
@shows("event", "enrich", [], ["order_size"])
@shows("event", "subject", LEFT_OUT, "data.who")
def gated(given: dict[str, Any], world: World) -> Any:
    return counted(sold=given)


@shows("event", "moves", ["other"], ["m"])
def may_move(given: dict[str, Any], world: World) -> Any:
    return counted({"metric": "other", "type": "count", "moves": [{"on": "paid"}]}, metric(), sold=given)


@shows("event", "lateness", "1s", "2d")
def lateness(given: dict[str, Any], world: World) -> Any:
    return counted(metric(windows=["1h"]), sold=given, as_of_ms=(START_S + 8_000) * 1_000)


@shows("rule", "name", "some", "other")
@shows("rule", "rule", "data.amount > 10.0", "data.amount > 20.0")
@shows("rule", "message", "too little", "not enough")
def ruled(given: dict[str, Any], world: World) -> Any:
    return counted(sold={"rules": [{"name": "some", "rule": "data.amount > 10.0", **given}]})


# -- metrics


@shows("metric_contract", "metric", "m", "k")
@shows("metric_contract", "type", "sum", "count")
@shows("metric_contract", "version", 1, 2)
@shows("metric_contract", "moves", [{"on": "sold", "value": "data.amount"}], [{"on": "paid", "value": "data.amount"}])
@shows("metric_contract", "dimensions", ["region"], ["who"])
def measured(given: dict[str, Any], world: World) -> Any:
    by = tuple(given.get("dimensions", ()))
    try:
        return counted(metric(**given), by=by, version=1 if "version" in given else 0)
    except NotFound as error:
        return error.code


@shows("metric_contract", "windows", ["all"], ["1h"])
def windowed(given: dict[str, Any], world: World) -> Any:
    return counted(metric(**given))


@shows("metric_contract", "numerator", [{"on": "sold"}], [{"on": "paid"}])
@shows("metric_contract", "denominator", [{"on": "sold"}], [{"on": "back"}])
def ratio(given: dict[str, Any], world: World) -> Any:
    parts = {"numerator": [{"on": "paid"}], "denominator": [{"on": "sold"}], **given}
    return counted({"metric": "m", "type": "ratio", "windows": ["all"], **parts})


@shows("metric_contract", "value", "m + 1.0", "m + 2.0")
def derived(given: dict[str, Any], world: World) -> Any:
    return counted(metric(), {"metric": "d", "type": "derived", "windows": ["all"], **given})


FUNNEL = {"metric": "m", "type": "funnel", "steps": ["sold", "paid"], "key": "data.order", "within": "1h",
          "moves": [{"on": "sold", "step": "sold"}, {"on": "paid", "step": "paid"}], "windows": ["all"]}  # fmt: skip


@shows("metric_contract", "key", "data.order", "string(data.n)")
@shows("metric_contract", "within", "1h", "1m")
@shows("metric_contract", "steps", ["sold", "paid"], ["paid", "sold"])
def funnel(given: dict[str, Any], world: World) -> Any:
    return counted({**FUNNEL, **given})


@shows("metric_contract", "horizon", LEFT_OUT, "2d")
def horizon(given: dict[str, Any], world: World) -> Any:
    """The newest event comes first: what lies a day behind it is looked at, or is not."""
    documents = [event("sold"), event("paid"), {**FUNNEL, **given}]
    contracts = read_contracts({f"{number}.json": json.dumps(each) for number, each in enumerate(documents)})
    gate, fold = Gate(contracts), Fold(contracts, frozenset({"m"}))
    now_ms = (START_S + 90_000) * 1_000
    for number, (kind, after_s, data) in enumerate(reversed(SENT)):
        if kind != "back":
            line = {"id": f"e{number}", "source": "/x", "type": kind, "time": START_S + after_s, "data": data}
            fold.add(gate.read(json.dumps(line).encode(), now_ms).events)
    return str(fold.read(MetricQuery("m"), now_ms))


@shows("metric_contract", "quantiles", [0.5], [0.9])
def quantiles(given: dict[str, Any], world: World) -> Any:
    return counted(metric("percentile", **given))


@shows("metric_contract", "k", 1, 2)
def top(given: dict[str, Any], world: World) -> Any:
    return counted(metric("top", moves=[{"on": "sold", "value": "data.who"}], **given))


@shows("metric_contract", "budget", 1, 100)
def budget(given: dict[str, Any], world: World) -> Any:
    return counted(metric(dimensions=["who"], **given), by=("who",))


@shows("metric_contract", "exact", False, True)
def exact(given: dict[str, Any], world: World) -> Any:
    contracts = read_contracts({"a.json": json.dumps(event("sold")), "m.json": json.dumps(
        metric("distinct", moves=[{"on": "sold", "value": "data.order"}], **given))})  # fmt: skip
    gate, fold = Gate(contracts), Fold(contracts, frozenset({"m"}), endless=True)
    lines = b"\n".join(
        json.dumps({"id": f"e{n}", "source": "/x", "type": "sold", "time": START_S, "data": {**SENT[0][2], "order": n}}
        ).replace(f'"order": {n}', f'"order": "{n}"').encode() for n in range(DISTINCT_MAX + 1)
    )  # fmt: skip
    fold.add(gate.read(lines, START_S * 1_000).events)
    return fold.read(MetricQuery("m"), START_S * 1_000).exact


@shows("metric_contract", "on_retract", LEFT_OUT, "refold")
def refolded(given: dict[str, Any], world: World) -> Any:
    moves = [{"on": "sold", "value": "data.amount"}, {"on": "back", "value": "data.amount", "retract": True}]
    return counted(metric("max", moves=moves, **given))


@shows("move", "on", "sold", "paid")
@shows("move", "value", "data.amount", "data.amount * 2.0")
@shows("move", "when", LEFT_OUT, "data.region == 'eu'")
@shows("move", "retract", False, True)
@shows("move", "at", LEFT_OUT, "data.at")
@shows("move", "version", 1, 2)
def moved(given: dict[str, Any], world: World) -> Any:
    move = {"on": "back" if "at" in given else "sold", "value": "data.amount", **given}
    windows = ["1h"] if given.keys() & {"at"} else ["all"]
    return counted(metric(moves=[move], windows=windows), as_of_ms=(START_S + 7_300) * 1_000)


@shows("move", "weight", LEFT_OUT, "data.amount")
def weighed(given: dict[str, Any], world: World) -> Any:
    return counted(metric("top", moves=[{"on": "sold", "value": "data.who", **given}]))


@shows("move", "part", "numerator", "denominator")
def part(given: dict[str, Any], world: World) -> Any:
    moves = [{"on": "sold", "part": "numerator"}, {"on": "paid", "part": "denominator"}, {"on": "back", **given}]
    return counted(metric("ratio", moves=moves))


@shows("move", "step", "paid", "sold")
def step(given: dict[str, Any], world: World) -> Any:
    moves = [{"on": "sold", "step": "sold"}, {"on": "paid", **given}]
    return counted({**FUNNEL, "moves": moves})


@shows("window", "name", "w", "v")
@shows("window", "sliding", "1h", "2d")
@shows("window", "zone", "UTC", "Asia/Tokyo")
@shows("window", "to_date", "day", "year")
def in_a_window(given: dict[str, Any], world: World) -> Any:
    other = {} if given.keys() & {"sliding", "to_date"} else {"to_date": "day"}
    return counted(metric(windows=[{"name": "w", **other, **given}]))


@shows("window", "tumbling", "day", "hour")
@shows("window", "size", 1, 2)
def tumbling(given: dict[str, Any], world: World) -> Any:
    return counted(metric(windows=[{"name": "w", "tumbling": "day", **given}]))


@shows("window", "hopping", "2h", "4h")
@shows("window", "every", "1h", "2h")
def hopping(given: dict[str, Any], world: World) -> Any:
    windows = [{"name": "w", "hopping": "4h", "every": "1h", **given}]
    return counted(metric(windows=windows), as_of_ms=(START_S + 5_000) * 1_000)


# -- tests of a metric


@shows("given", "given", [{"type": "sold", "data": SENT[0][2]}], [])
@shows("given", "expect", 10, 20)
@shows("given", "name", "a", "b")
@shows("given", "at", "2026-01-01T00:00:01Z", "2026-01-02T00:00:01Z")
def tried(given: dict[str, Any], world: World) -> Any:
    test = {"given": [{"type": "sold", "data": SENT[0][2]}], "expect": 10, **given}
    documents = [event("sold"), metric(windows=["1h"], tests=[test])]
    return str(try_contracts(read_contracts({f"{n}.json": json.dumps(each) for n, each in enumerate(documents)})))


@shows("metric_contract", "tests", [], [{"given": [], "expect": 0}])
def tests(given: dict[str, Any], world: World) -> Any:
    documents = [event("sold"), metric(**given)]
    return str(try_contracts(read_contracts({f"{n}.json": json.dumps(each) for n, each in enumerate(documents)})))


# -- entities, lookups, and what people read of a contract


ENTITY = {"entity": "customer", "key": "data.who", "set": {"region": "data.region"}}
LOOKUP = {"entity": "customer", "key": "data.who", "field": "region"}


async def lived(
    world: World,
    *more: dict[str, Any],
    sold: Any = None,
    paid: Any = None,
    by: str = "",
    shown: bool = False,
    app: Any = None,
) -> Any:
    """What a home says after the events: entities, an answer, and its catalog."""
    app = app or await world.home()
    documents = [event("sold", **(sold or {})), event("paid", **(paid or {})), event("back"), *more]
    await app.push_contracts({f"{number}.json": json.dumps(each) for number, each in enumerate(documents)})
    for number, (kind, _, data) in enumerate(SENT):
        await app.ingest([{"id": f"e{number}", "source": "/x", "type": kind, "time": START_S, "data": data}])
    found: dict[str, Any] = {}
    if shown:
        found["slos"] = [each["name"] for each in await app.metrics.slos(app.who)]
        found["catalog"] = json.loads(msgspec.json.encode(await app.metrics.catalog(app.who)))
    for of in await app.metrics.entity_types(app.who):
        views = [await app.metrics.entity(app.who, of["name"], id) for id in ("ann", "bob", "cat", "o1", "o2", "o4")]
        found[of["name"]] = [(view["exists"], view["state"]) for view in views]
    if by:
        found["rows"] = (await app.metric("m", by=(by,)))["rows"]
    return found


@shows("event", "entities", [], [ENTITY])
async def entities(given: dict[str, Any], world: World) -> Any:
    return await lived(world, sold=given)


@shows("entity", "entity", "customer", "buyer")
@shows("entity", "key", "data.who", "data.order")
@shows("entity", "set", {"region": "data.region"}, {"place": "data.region"})
@shows("entity", "removes", LEFT_OUT, "data.n > 2")
@shows("entity", "when", LEFT_OUT, "data.n > 1")
async def an_entity(given: dict[str, Any], world: World) -> Any:
    return await lived(world, sold={"entities": [{**ENTITY, **given}]})


async def looked_up(world: World, lookup: Any) -> Any:
    ordered = {"entity": "order", "key": "data.order", "set": {"region": "data.who", "place": "data.who"}}
    sold = {"entities": [{**ENTITY, "set": {"region": "data.region", "place": "data.who"}}, ordered]}
    paid = {"lookup": lookup} if lookup else {}
    moves = [{"on": "paid", "value": "data.amount"}]
    dimensions = {"region": "enriched.region"} if lookup else {"region": "data.region"}
    return (await lived(world, metric(moves=moves, dimensions=dimensions), sold=sold, paid=paid, by="region"))["rows"]


@shows("event", "lookup", {"region": LOOKUP}, {"region": {**LOOKUP, "key": "'nobody'"}})
async def a_lookup(given: dict[str, Any], world: World) -> Any:
    return await looked_up(world, given["lookup"])


@shows("lookup", "entity", "customer", "order")
@shows("lookup", "key", "data.who", "'nobody'")
@shows("lookup", "field", "region", "place")
@shows("lookup", "default", "unknown", "nowhere")
async def of_a_lookup(given: dict[str, Any], world: World) -> Any:
    key = {"key": "data.order"} if given.get("entity") == "order" else {}
    other = {"key": "'nobody'"} if "default" in given else {}
    return await looked_up(world, {"region": {**LOOKUP, **key, **other, **given}})


@shows("event", "owner", "crm", "shop")
@shows("event", "description", "one", "other")
@shows("event", "pii", {}, {"who": "name"})
@shows("event", "units", {}, {"amount": "EUR"})
async def read_of_an_event(given: dict[str, Any], world: World) -> Any:
    return await lived(world, sold=given, shown=True)


@shows("event", "examples", [SENT[0][2]], [{"order": 1}])
def examples(given: dict[str, Any], world: World) -> Any:
    problems = check_set(read_contracts({"a.json": json.dumps(event("sold", **given))}))
    return sorted(each.code for each in problems if not each.code.startswith("warn_"))


@shows("metric_contract", "owner", "crm", "shop")
@shows("metric_contract", "description", "one", "other")
@shows("metric_contract", "unit", "EUR", "USD")
@shows("metric_contract", "slo", LEFT_OUT, {"objective": "quality", "target": 0.9})
async def read_of_a_metric(given: dict[str, Any], world: World) -> Any:
    return await lived(world, metric(**given), shown=True)


@shows("slo", "limit", "1s", "400d")
@shows("slo", "description", "one", "other")
@shows("slo", "owner", "crm", "shop")
async def fresh(given: dict[str, Any], world: World) -> Any:
    objective = {"slo": "s", "metric": "m", "objective": "freshness", "target": 0.9, **given}
    app = await world.home()
    found = await lived(world, metric(), objective, shown="limit" not in given, app=app)
    told = await app.metrics.slo(app.who, "s")
    hits = [hit["name"] for word in ("one", "other", "crm", "shop") for hit in await app.metrics.search(app.who, word)]
    return [told[name] for name in ("good", "total", "ratio", "state")], found, hits
