"""Windows as people write them (`15m`, `all`, `{tumbling: day, zone: Europe/Berlin}`) to windows by name."""

from collections.abc import Sequence
from typing import Final

from aob.core.contract.definition import Duration, WindowDefinition
from aob.core.contract.reading.draft import Draft
from aob.core.contract_model import Unit, Window
from aob.core.duration import parse_duration
from aob.core.hint import meant

ALL: Final = "all"
UNITS: Final[tuple[Unit, ...]] = ("second", "minute", "hour", "day", "week", "month", "year")
_FIXED: Final[tuple[tuple[Unit, int], ...]] = (
    ("week", 604_800_000), ("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000),
)  # fmt: skip
_KINDS: Final = ("sliding", "tumbling", "hopping", "to_date")
_HINT: Final = "write 15m, all, {tumbling: day, zone: Europe/Berlin}, {hopping: 5m, every: 1m} or {to_date: month}"


def read_windows(
    written: Sequence[Duration | WindowDefinition], draft: Draft, *, inherits: bool = False
) -> dict[str, Window]:
    """The windows of a metric by name; one that says none has `all`, or `inherits` those of its metrics."""
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
    """`day`, or a duration such as `15m`: so many of the largest unit that divides it."""
    if text in UNITS:
        unit: Unit = text
        size = each.size
    else:
        try:
            ms = parse_duration(text)
        except ValueError:
            draft.wrong(
                f"{path}/tumbling", f"{text!r} is not a unit of the calendar", hint=meant(text, UNITS, "one of")
            )
            return None
        unit, size = next(((unit, ms // of) for unit, of in _FIXED if ms and ms % of == 0), ("second", 0))
        if not size:
            draft.wrong(f"{path}/tumbling", f"{text!r} is not a whole number of seconds")
            return None
    name = each.name or (unit if size == 1 else f"{size}_{unit}s")
    return Window(name, "tumbling", size=size, unit=unit, zone=each.zone)
