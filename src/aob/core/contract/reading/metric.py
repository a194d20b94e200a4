"""A metric as it is written to its contract: moves in one list, dimensions and windows by name, its tests.

In: a draft. Out: a `MetricContract`, or None when its shape is wrong; problems stand in the draft. Never evaluates.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from aob.core.contract.definition import GivenDefinition, MetricDefinition, MoveDefinition, Value
from aob.core.contract.reading.alert import slo_of
from aob.core.contract.reading.draft import Draft, cel
from aob.core.contract.reading.window import read_windows
from aob.core.contract_model import Given, MetricContract, Move
from aob.core.graph.shape import escape
from aob.core.hint import meant

QUANTILES: Final = (0.5, 0.95, 0.99)
_EXPECTED: Final = frozenset({"value", "rows", "window", "by", "where", "at"})
_SIDES: Final = ("left", "right")
Part = Literal["", "numerator", "denominator"]


def read_metric(draft: Draft) -> MetricContract | None:
    """The contract of a draft."""
    made = draft.shape(MetricDefinition)
    if made is None:
        return None
    steps = tuple(made.steps) if made.type == "funnel" else _SIDES if made.type == "join" else ()
    quantiles = tuple(made.quantiles) or (QUANTILES if made.type == "percentile" else ())
    slo = None
    if made.slo is not None:
        slo = slo_of(made.slo, draft, "/slo", f"{made.metric}_{made.slo.objective}", made.metric, made.owner)
    return MetricContract(
        name=made.metric,
        version=made.version,
        type=made.type,
        unit=made.unit,
        owner=made.owner,
        description=made.description,
        moves=tuple(_moves(made, steps, draft)),
        dimensions=_dimensions(made.dimensions, draft),
        windows=read_windows(made.windows, draft, inherits=made.type == "derived"),
        value=cel(made.value),
        key=made.key,
        within_ms=draft.duration(made.within, "/within"),
        horizon_ms=draft.duration(made.horizon, "/horizon"),
        steps=tuple(made.steps),
        quantiles=quantiles,
        k=made.k,
        budget=made.budget,
        exact=made.exact,
        on_retract=made.on_retract,
        slo=slo,
        tests=tuple(_given(each, f"/tests/{index}", draft) for index, each in enumerate(made.tests)),
    )


def _moves(made: MetricDefinition, steps: Sequence[str], draft: Draft) -> list[Move]:
    found: list[Move] = []
    parts: tuple[tuple[str, Part, list[MoveDefinition]], ...] = (
        ("moves", "", made.moves),
        ("numerator", "numerator", made.numerator),
        ("denominator", "denominator", made.denominator),
    )
    for key, part, moves in parts:
        for index, each in enumerate(moves):
            written = f"/{key}/{index}"
            draft.renames[f"/moves/{len(found)}"] = written
            if part and each.part not in ("", part):
                draft.wrong(f"{written}/part", f"this stands under `{part}`", hint="leave `part` out")
            found.append(
                Move(
                    on=each.on,
                    value=cel(each.value),
                    weight=cel(each.weight),
                    when=cel(each.when),
                    retract=each.retract,
                    at=each.at,
                    part=part or each.part,
                    step=_step(each.step, steps, f"{written}/step", draft),
                    version=each.version,
                )
            )
    return found


def _step(step: int | str, steps: Sequence[str], path: str, draft: Draft) -> int:
    if isinstance(step, int):
        return step
    if step in steps:
        return steps.index(step)
    draft.wrong(path, f"there is no step `{step}`", hint=meant(step, tuple(steps), "steps"))
    return 0


def _dimensions(written: list[str] | Mapping[str, Value], draft: Draft) -> dict[str, str]:
    """CEL by name; of a list, the field of `data` with that name (the last one of a path)."""
    if isinstance(written, Mapping):
        return {name: cel(text) for name, text in written.items()}
    found: dict[str, str] = {}
    for index, field in enumerate(written):
        name = field.rpartition(".")[2]
        if name in found:
            draft.wrong(f"/dimensions/{index}", f"dimension `{name}` stands twice", "duplicate_id")
        draft.renames[f"/dimensions/{escape(name)}"] = f"/dimensions/{index}"
        whole = field.partition(".")[0] in ("data", "enriched") and "." in field
        if not whole:
            draft.short.add(f"/dimensions/{escape(name)}")
        found[name] = field if whole else f"data.{field}"
    return found


def _given(each: GivenDefinition, path: str, draft: Draft) -> Given:
    expect = each.expect
    if not (isinstance(expect, dict) and expect and expect.keys() & _EXPECTED):
        return Given(tuple(each.given), value=expect, at=each.at, name=each.name)
    for key in sorted(expect.keys() - _EXPECTED):
        hint = meant(key, tuple(sorted(_EXPECTED)), "there are")
        draft.wrong(f"{path}/expect/{escape(key)}", f"`{key}` is not known here", "unknown_key", hint)
    by, where = expect.get("by", ()), expect.get("where", {})
    by = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, list) else by
    if not isinstance(by, tuple) or not isinstance(where, dict):
        draft.wrong(f"{path}/expect", "`by` is a list of dimensions, `where` values by dimension", "bad_type")
        by, where = (), {}
    rows = expect.get("rows")
    if rows is not None and not isinstance(rows, dict):
        draft.wrong(f"{path}/expect/rows", "`rows` are values by the values of the dimensions", "bad_type", "{EU: 3}")
        rows = None
    return Given(
        tuple(each.given),
        value=expect.get("value"),
        rows=rows,
        window=str(expect.get("window", "")),
        by=tuple(str(name) for name in by),
        where={str(name): str(value) for name, value in where.items()},
        at=str(expect.get("at", each.at)),
        name=each.name,
    )
