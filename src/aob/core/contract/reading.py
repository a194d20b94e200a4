"""Reads event types, metrics, alerts and objectives into contracts; None for a wrong shape. The draft collects the
problems."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from aob.core.contract.definition import (
    AlertDefinition,
    EventDefinition,
    GivenDefinition,
    MetricDefinition,
    MoveDefinition,
    SloDefinition,
    StartDefinition,
    WindowDefinition,
)
from aob.core.contract.draft import Draft, cel, taken
from aob.core.contract_model import (
    LATENESS_MS,
    AlertContract,
    EntityMove,
    EventContract,
    Given,
    Lookup,
    MetricContract,
    Move,
    Rule,
    Slo,
    Unit,
    Window,
)
from aob.core.document.shape import Duration, Tree, Value, escape
from aob.core.duration import parse_duration
from aob.core.hint import meant

ALL: Final = "all"
UNITS: Final[tuple[Unit, ...]] = ("second", "minute", "hour", "day", "week", "month", "year")
_FIXED: Final[tuple[tuple[Unit, int], ...]] = (
    ("week", 604_800_000), ("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000),
)  # fmt: skip
_KINDS: Final = ("sliding", "tumbling", "hopping", "to_date")
_HINT: Final = "write 15m, all, {tumbling: day, zone: Europe/Berlin}, {hopping: 5m, every: 1m} or {to_date: month}"
BURNS: Final = "value > 1.0"  # The default `when` of an alert on a burn rate.
FRESHNESS_MS: Final = 5_000  # The default limit of a freshness objective.
QUANTILES: Final = (0.5, 0.95, 0.99)
_EXPECTED: Final = frozenset({"value", "rows", "window", "by", "where", "at"})
_SIDES: Final = ("left", "right")
Part = Literal["", "numerator", "denominator"]
_TYPES: Final[dict[str, Tree]] = {
    "timestamp": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
}  # Type names that JSON does not have.


def read_event(draft: Draft) -> EventContract | None:
    """Read the contract of a draft."""
    if "event" not in draft.tree and "type" in draft.tree:
        draft.tree = {"event": draft.tree["type"]} | {k: v for k, v in draft.tree.items() if k != "type"}
        draft.renames["/event"] = "/type"
    made = draft.shape(EventDefinition)
    if made is None:
        return None
    fields = _Fields(draft)
    if (made.fields is None) == (made.schema is None):
        draft.wrong("", "an event has either `fields` or a `schema`", "missing", "fields: {order_id: string}")
        return None
    schema = fields.objects(made.fields, "/fields", "/schema", "") if made.fields is not None else made.schema or {}
    if made.schema is not None:
        schema = fields.stripped(made.schema, "")
    return taken(
        made,
        EventContract,
        type=made.event,
        schema=schema,
        rules=tuple(taken(each, Rule) for each in made.rules),
        lookup={name: taken(each, Lookup) for name, each in made.lookup.items()},
        entities=tuple(
            taken(each, EntityMove, set={name: cel(text) for name, text in each.set.items()}) for each in made.entities
        ),
        pii={**fields.pii, **made.pii},
        units={**fields.units, **made.units},
        lateness_ms=draft.duration(made.lateness, "/lateness", LATENESS_MS),
    )


class _Fields:
    """Converts the fields of an event to a schema. Paths of units and PII: `customer.email`, `items[].price`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.pii: dict[str, str] = {}
        self.units: dict[str, str] = {}

    def objects(self, fields: Tree, written: str, path: str, name: str) -> Tree:
        """The schema of an object with these fields: required unless `optional`."""
        self._draft.renames[path] = written
        properties: Tree = {}
        required: list[str] = []
        for key, field in fields.items():
            here, there = f"{written}/{escape(key)}", f"{path}/properties/{escape(key)}"
            optional = isinstance(field, dict) and field.get("optional", False)
            if not isinstance(optional, bool):
                self._draft.wrong(f"{here}/optional", "`optional` is true or false", "bad_type")
            properties[key] = self._field(field, here, there, f"{name}.{key}" if name else key)
            if optional is not True:
                required.append(key)
        schema: Tree = {"type": "object", "properties": properties}
        return {**schema, "required": required} if required else schema

    def _field(self, field: Value, written: str, path: str, name: str) -> Tree:
        self._draft.renames[path] = written
        if isinstance(field, str):
            return dict(_TYPES.get(field, {"type": field}))
        if not isinstance(field, dict):
            self._draft.wrong(written, "a field is a type or an object", "bad_type", "amount: {type: number}")
            return {}
        made = {key: value for key, value in field.items() if key not in ("optional", "fields")}
        self._take(made, written, name)
        if isinstance(field.get("fields"), dict):
            return {**made, **self.objects(field["fields"], f"{written}/fields", path, name)}
        kind = made.get("type")
        if isinstance(kind, str) and kind in _TYPES:
            made.update(_TYPES[kind])
        if isinstance(made.get("items"), str | dict):
            made["items"] = self._field(made["items"], f"{written}/items", f"{path}/items", f"{name}[]")
        return made

    def stripped(self, schema: Value, name: str, path: str = "/schema") -> Tree:
        """A schema without `unit` and `pii` of its properties, which are recorded."""
        made = dict(schema) if isinstance(schema, dict) else schema
        properties = made.get("properties") if isinstance(made, dict) else None
        if isinstance(properties, dict):
            made["properties"] = {
                key: self._property(each, f"{path}/properties/{escape(key)}", f"{name}.{key}" if name else key)
                for key, each in properties.items()
            }
        if isinstance(made, dict) and isinstance(made.get("items"), dict):
            made["items"] = self._property(made["items"], f"{path}/items", f"{name}[]")
        return made

    def _property(self, schema: Value, path: str, name: str) -> Value:
        if not isinstance(schema, dict):
            return schema
        made = dict(schema)
        self._take(made, path, name)
        return self.stripped(made, name, path)

    def _take(self, field: Tree, written: str, name: str) -> None:
        """Remove unit and PII class from a field and record them."""
        for key, into in (("unit", self.units), ("pii", self.pii)):
            if key in field:
                value = field.pop(key)
                if isinstance(value, str):
                    into[name] = value
                else:
                    self._draft.wrong(f"{written}/{key}", f"`{key}` is a text", "bad_type")


def read_windows(
    written: Sequence[Duration | WindowDefinition], draft: Draft, *, inherits: bool = False
) -> dict[str, Window]:
    """The windows of a metric by name; the default is `all`, or `inherits`, those of its operands."""
    found: dict[str, Window] = {}
    for index, each in enumerate(written):
        path = f"/windows/{index}"
        window = _written_out(each, path, draft) if isinstance(each, WindowDefinition) else _short(each, path, draft)
        if window is None:
            continue
        if window.name in found:
            draft.wrong(path, f"window `{window.name}` stands twice", "duplicate_id", "give it a `name`")
        draft.renames[f"/windows/{window.name}"] = path
        found[window.name] = window
    return found or ({} if inherits else {ALL: Window(ALL, "all")})


def _short(text: Duration, path: str, draft: Draft) -> Window | None:
    if text == ALL:
        return Window(ALL, "all")
    if text in UNITS:
        draft.wrong(path, f"`{text}` is not a window", hint=f"write {{tumbling: {text}}} or {{to_date: {text}}}")
        return None
    try:
        size_ms = parse_duration(text)
    except ValueError:
        draft.wrong(path, f"{text!r} is not a window", hint=_HINT)
        return None
    return Window(str(text), "sliding", size_ms=size_ms)


def _written_out(each: WindowDefinition, path: str, draft: Draft) -> Window | None:
    kinds = [kind for kind in _KINDS if getattr(each, kind) is not None]
    if len(kinds) != 1:
        draft.wrong(path, f"a window is exactly one of {', '.join(_KINDS)}", hint=_HINT)
        return None
    if (each.every is not None) != (kinds[0] == "hopping"):
        draft.wrong(path, "`every` belongs to `hopping`, and that needs it", hint="{hopping: 5m, every: 1m}")
        return None
    if each.sliding is not None:
        size_ms = draft.duration(each.sliding, f"{path}/sliding")
        return Window(each.name or str(each.sliding), "sliding", size_ms=size_ms)
    if each.hopping is not None:
        size_ms, every_ms = draft.duration(each.hopping, f"{path}/hopping"), draft.duration(each.every, f"{path}/every")
        return Window(each.name or f"{each.hopping}_every_{each.every}", "hopping", size_ms=size_ms, every_ms=every_ms)
    if each.to_date is not None:
        return Window(each.name or f"{each.to_date}_to_date", "to_date", unit=each.to_date, zone=each.zone)
    return _tumbling(each, str(each.tumbling), path, draft)


def _tumbling(each: WindowDefinition, text: str, path: str, draft: Draft) -> Window | None:
    """`day`, or a duration such as `15m` as a number of the largest unit that divides it."""
    if text in UNITS:
        unit: Unit = text
        size = each.size
    else:
        try:
            ms = parse_duration(text)
        except ValueError:
            hint = meant(text, UNITS, "one of")
            draft.wrong(f"{path}/tumbling", f"{text!r} is not a unit of the calendar", hint=hint)
            return None
        unit, size = next(((unit, ms // of) for unit, of in _FIXED if ms and ms % of == 0), ("second", 0))
        if not size:
            draft.wrong(f"{path}/tumbling", f"{text!r} is not a whole number of seconds")
            return None
    name = each.name or (unit if size == 1 else f"{size}_{unit}s")
    return Window(name, "tumbling", size=size, unit=unit, zone=each.zone)


def read_alert(draft: Draft) -> AlertContract | None:
    """Read the contract of a draft."""
    made = draft.shape(AlertDefinition)
    if made is None:
        return None
    if isinstance(made.by, str):
        draft.renames["/by/0"] = "/by"
    if made.when == "" and not made.slo:
        draft.wrong("", "`when` is missing", "missing", 'add `when: "value > …"`, or `slo:` for a burn rate')
    start = StartDefinition(made.start) if isinstance(made.start, str) else made.start
    if isinstance(made.start, StartDefinition) and not start.workflow:
        draft.wrong("/start/workflow", "is empty", "missing", "name the workflow that the alert starts")
    return taken(
        made,
        AlertContract,
        name=made.alert,
        when=cel(made.when) or BURNS,
        by=(made.by,) if isinstance(made.by, str) else tuple(made.by),
        for_ms=draft.duration(made.for_, "/for"),
        clear_for_ms=draft.duration(made.clear_for, "/clear_for"),
        start=start.workflow,
        tag=start.tag,
        inputs={name: cel(text) for name, text in start.inputs.items()},
        cooldown_ms=draft.duration(start.cooldown, "/start/cooldown"),
        open_runs_max=start.open_runs,
    )


def read_slo(draft: Draft) -> Slo | None:
    """Read the objective of a draft."""
    made = draft.shape(SloDefinition)
    if made is None:
        return None
    if not made.metric:
        draft.wrong("", "`metric` is missing", "missing", "add `metric:`")
        return None
    return slo_of(made, draft, "", made.slo, made.metric, made.owner)


def slo_of(made: SloDefinition, draft: Draft, path: str, name: str, metric: str, owner: str) -> Slo:
    """An objective under this name, of this metric unless it names one."""
    default_ms = FRESHNESS_MS if made.objective == "freshness" else 0
    return taken(
        made,
        Slo,
        name=made.slo or name,
        metric=made.metric or metric,
        window_ms=draft.duration(made.window, f"{path}/window"),
        limit_ms=draft.duration(made.limit, f"{path}/limit", default_ms),
        owner=made.owner or owner,
    )


def read_metric(draft: Draft) -> MetricContract | None:
    """Read the contract of a draft."""
    made = draft.shape(MetricDefinition)
    if made is None:
        return None
    steps = tuple(made.steps) if made.type == "funnel" else _SIDES if made.type == "join" else ()
    quantiles = tuple(made.quantiles) or (QUANTILES if made.type == "percentile" else ())
    slo = None
    if made.slo is not None:
        slo = slo_of(made.slo, draft, "/slo", f"{made.metric}_{made.slo.objective}", made.metric, made.owner)
    return taken(
        made,
        MetricContract,
        name=made.metric,
        moves=tuple(_moves(made, steps, draft)),
        dimensions=_dimensions(made.dimensions, draft),
        windows=read_windows(made.windows, draft, inherits=made.type == "derived"),
        within_ms=draft.duration(made.within, "/within"),
        horizon_ms=draft.duration(made.horizon, "/horizon"),
        quantiles=quantiles,
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
            step = _step(each.step, steps, f"{written}/step", draft)
            found.append(taken(each, Move, part=part or each.part, step=step))
    return found


def _step(step: int | str, steps: Sequence[str], path: str, draft: Draft) -> int:
    if isinstance(step, int):
        return step
    if step in steps:
        return steps.index(step)
    draft.wrong(path, f"there is no step `{step}`", hint=meant(step, tuple(steps), "steps"))
    return 0


def _dimensions(written: list[str] | Mapping[str, Value], draft: Draft) -> dict[str, str]:
    """CEL by name; from a list, the field of `data` with that name (the last one of a path)."""
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
