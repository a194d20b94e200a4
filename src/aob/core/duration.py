"""Converts durations as people write them (`500ms`, `2h`, `1h30m`, `90` seconds) to milliseconds and back."""

import re
from typing import Final

_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
DURATION_MAX_MS: Final = 100 * 365 * 86_400_000


def parse_duration(value: str | int | float) -> int:
    """Milliseconds of a duration; a bare number is seconds. Raises ValueError with what is allowed."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m")
    if isinstance(value, str):
        text = value.strip()
        if _PART.sub("", text) or not text:
            raise ValueError(f"{value!r} is not a duration: write 500ms, 30s, 10m, 2h, 1d or 1h30m")
        total = sum(float(number) * _UNIT_MS[unit] for number, unit in _PART.findall(text))
    else:
        total = float(value) * 1_000
    if not 0 <= total <= DURATION_MAX_MS:
        raise ValueError(f"{value!r} is out of range: a duration is between 0 and 100 years")
    return round(total)


def format_duration(ms: float) -> str:
    """A duration for people, in at most two units: `1 h 50 m`, `4.2 s`, `12 ms`."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.1f} s"
    minutes, hours, days = int(ms // 60_000), int(ms // 3_600_000), int(ms // 86_400_000)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} m"
    return f"{minutes} m {int(ms // 1_000) % 60} s"
