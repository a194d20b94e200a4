"""Windows that can be told: whole seconds, hops that divide, zones that exist. In: a metric. Out: problems."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from aob.core.contract_model import MetricContract, Window
from aob.core.errors import Problem
from aob.core.expression.fault import meant
from aob.core.graph.shape import escape

SECOND_MS: Final = 1_000
SIZE_MAX_MS: Final = 3_660 * 86_400_000
"""As long as tiles of days are kept."""
_PARTS: Final[Mapping[str, int]] = {"second": 60, "minute": 60, "hour": 24, "month": 12}
"""How many of a unit the next one has, for those that must divide it."""


def window_problems(metric: MetricContract, at: str) -> Iterator[Problem]:
    """What is wrong with the windows of a metric."""
    for name, window in metric.windows.items():
        path = f"{at}/windows/{escape(name)}"
        if window.kind in ("sliding", "hopping"):
            yield from _spans(window, path)
        whole = _PARTS.get(window.unit, 0)
        if window.kind == "tumbling" and whole and whole % window.size:
            message = f"{window.size} {window.unit}s do not divide the next unit"
            yield Problem(path, message, "bad_window", hint=f"so many that {whole} is a multiple of them")
        if not is_zone(window.zone):
            yield Problem(path, f"there is no time zone {window.zone}", "bad_zone", hint=zone_hint(window.zone))


def _spans(window: Window, path: str) -> Iterator[Problem]:
    if window.size_ms < SECOND_MS or window.size_ms % SECOND_MS:
        yield Problem(path, "a window has whole seconds, one at least", "bad_window", hint="1s, 15m, 1h, 7d")
    elif window.size_ms > SIZE_MAX_MS:
        yield Problem(path, "a window is ten years at most", "bad_window", hint="`all` reaches back to the first event")
    elif window.kind == "hopping" and (not window.every_ms or window.every_ms % SECOND_MS):
        yield Problem(path, "a hop has whole seconds, one at least", "bad_window", hint="{hopping: 5m, every: 1m}")
    elif window.kind == "hopping" and window.size_ms % window.every_ms:
        message = "hops must divide their window: it is made of whole ones"
        yield Problem(path, message, "bad_window", hint="{hopping: 5m, every: 1m}")


@lru_cache(maxsize=1_024)
def is_zone(name: str) -> bool:
    """Whether a time zone is known."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def zone_hint(name: str) -> str:
    """The zone that was perhaps meant."""
    return meant(name, frozenset(available_timezones()), "write it as Europe/Berlin")
