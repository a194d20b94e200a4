"""Converts contracts to canonical documents without defaults, which read back to the same contract."""

from typing import Final

from aob.core.contract_model import (
    LATENESS_MS,
    AlertContract,
    Contract,
    EventContract,
    Given,
    MetricContract,
    Move,
    Slo,
    Window,
)
from aob.core.document.shape import DRAFT, Tree, Value

_UNITS: Final = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def kind_of(contract: Contract) -> str:
    """`event`, `metric`, `alert` or `slo`."""
    if isinstance(contract, EventContract):
        return "event"
    if isinstance(contract, MetricContract):
        return "metric"
    return "alert" if isinstance(contract, AlertContract) else "slo"


def key_of(contract: Contract) -> str:
    """`kind/name@version`, the key of a contract. An objective has no version."""
    version = 1 if isinstance(contract, Slo) else contract.version
    return f"{kind_of(contract)}/{contract.name}@{version}"


def to_document(contract: Contract) -> Tree:
    """The canonical document of a contract."""
    if isinstance(contract, EventContract):
        return _event(contract)
    if isinstance(contract, MetricContract):
        return _metric(contract)
    return _alert(contract) if isinstance(contract, AlertContract) else _slo(contract)


def schema_of(contract: EventContract) -> Tree:
    """The JSON Schema of an event's `data` for external use: with draft, id and description."""
    own = {"$schema": DRAFT, "$id": f"urn:aob:event:{contract.type}:{contract.version}", "title": contract.type}
    described = {"description": contract.description} if contract.description else {}
    return {**own, **described, **contract.schema}


def duration_text(ms: int) -> str:
    """A duration in the largest unit that divides it: `90s`, `1h`."""
    return next(f"{ms // size}{unit}" for unit, size in _UNITS if ms % size == 0) if ms else "0s"


def _said(tree: Tree) -> Tree:
    """Drop empty values and false: only for keys whose default that is."""
    return {key: value for key, value in tree.items() if value not in ("", None, False) and value != [] and value != {}}


def _of(contract: Contract | Move, *names: str) -> Tree:
    """Fields whose keys in the document are their names."""
    return {name: getattr(contract, name) for name in names}


def _event(contract: EventContract) -> Tree:
    made = _said(
        {
            **_of(contract, "owner", "description", "subject"),
            "rules": [{"rule": r.rule, **_said({"name": r.name, "message": r.message})} for r in contract.rules],
            "enrich": list(contract.enrich),
            "lookup": {
                name: {"entity": each.entity, "key": each.key, "field": each.field, "default": each.default}
                for name, each in contract.lookup.items()
            },
            "entities": [
                {"entity": e.entity, "key": e.key, **_said({"set": dict(e.set), "removes": e.removes, "when": e.when})}
                for e in contract.entities
            ],
            "pii": dict(contract.pii),
            "units": dict(contract.units),
            "examples": [dict(each) for each in contract.examples],
        }
    )  # fmt: skip
    if contract.lateness_ms != LATENESS_MS:
        made["lateness"] = duration_text(contract.lateness_ms)
    if contract.moves is not None:
        made["moves"] = list(contract.moves)
    return {"event": contract.type, "version": contract.version, "schema": dict(contract.schema), **made}


def _metric(contract: MetricContract) -> Tree:
    made = _said(
        {
            **_of(contract, "unit", "owner", "description"),
            "moves": [_move(each) for each in contract.moves],
            "dimensions": dict(contract.dimensions),
            "windows": [_window(each) for each in contract.windows.values()],
            **_of(contract, "value", "key"),
            "within": duration_text(contract.within_ms) if contract.within_ms else "",
            "horizon": duration_text(contract.horizon_ms) if contract.horizon_ms else "",
            "steps": list(contract.steps),
            "quantiles": list(contract.quantiles),
            **_of(contract, "exact", "on_retract"),
            "slo": _slo(contract.slo) if contract.slo is not None else None,
            "tests": [_given(each) for each in contract.tests],
        }
    )
    # Always write `k` and `budget`: another default in a later release must not change an old version.
    fixed = ("version", "type", "budget", *(("k",) if contract.type == "top" else ()))
    return {"metric": contract.name, **_of(contract, *fixed), **made}


def _move(move: Move) -> Tree:
    numbers = {"step": move.step or None, "version": move.version or None}
    return {"on": move.on, **_said({**_of(move, "value", "weight", "when", "retract", "at", "part"), **numbers})}


def _window(window: Window) -> Value:
    zone = {"zone": window.zone} if window.zone != "UTC" else {}
    if window.kind == "all":
        return "all"
    if window.kind == "sliding":
        return {"name": window.name, "sliding": duration_text(window.size_ms)}
    if window.kind == "hopping":
        return {"name": window.name, "hopping": duration_text(window.size_ms), "every": duration_text(window.every_ms)}
    if window.kind == "to_date":
        return {"name": window.name, "to_date": window.unit, **zone}
    return {"name": window.name, "tumbling": window.unit, "size": window.size, **zone}


def _given(given: Given) -> Tree:
    expect: Tree = {"rows": dict(given.rows)} if given.rows is not None else {"value": given.value}
    expect |= _said({"window": given.window, "by": list(given.by), "where": dict(given.where), "at": given.at})
    return {**_said({"name": given.name}), "given": [dict(each) for each in given.given], "expect": expect}


def _alert(contract: AlertContract) -> Tree:
    start: Tree | None = None
    if contract.start:
        start = {
            "workflow": contract.start,
            "tag": contract.tag,
            "inputs": dict(contract.inputs),
            "cooldown": duration_text(contract.cooldown_ms),
            "open_runs": contract.open_runs_max,
        }
    made = _said(
        {
            **_of(contract, "slo", "clear", "window"),
            "where": dict(contract.where),
            "by": list(contract.by),
            "for": duration_text(contract.for_ms) if contract.for_ms else "",
            "clear_for": duration_text(contract.clear_for_ms) if contract.clear_for_ms else "",
            "start": start,
            **_of(contract, "owner", "description"),
        }
    )
    return {"alert": contract.name, **_of(contract, "version", "metric", "when", "severity"), **made}


def _slo(slo: Slo) -> Tree:
    limit = duration_text(slo.limit_ms) if slo.limit_ms or slo.objective == "freshness" else ""
    made = _said({"limit": limit, **_of(slo, "good", "description", "owner")})
    fixed = _of(slo, "metric", "objective", "target")
    return {"slo": slo.name, **fixed, "window": duration_text(slo.window_ms), **made}
