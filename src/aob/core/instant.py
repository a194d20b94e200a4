"""Converts moments between RFC 3339 and ms since 1970. Finer digits are truncated, so that a moment never becomes a
later one."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

EXAMPLE: Final = "2026-01-31T12:00:00Z"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MS_MIN: Final = -62_135_596_800_000  # the first ms of the year 1
MS_MAX: Final = 253_402_300_799_999  # the last ms of the year 9999

_MS: Final = timedelta(milliseconds=1)
_MICROS: Final = 6
_RFC_3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?", re.ASCII
)


def iso(at_ms: int) -> str:
    """A moment in ms since 1970 as RFC 3339 in UTC, to the ms: `2026-11-21T09:00:00.000Z`."""
    return (EPOCH + at_ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """The moment of an RFC 3339 text, in UTC, truncated to microseconds. A leap second is the end of its minute. Raises
    ValueError with the reason."""
    found = _RFC_3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not RFC 3339, such as {EXAMPLE}")
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    if text[-1] not in "Zz" and sign is None:
        raise ValueError(f"{text[:40]!r} says no offset from UTC, such as Z")
    leaps = second == "60"
    micros = 999_999 if leaps else int((fraction or "0")[:_MICROS].ljust(_MICROS, "0"))
    try:
        zone = UTC if sign is None else timezone(_offset(sign, int(hours), int(minutes)))
        parts = (int(year), int(month), int(day), int(hour), int(minute), 59 if leaps else int(second))
        return datetime(*parts, micros, zone).astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is no moment: {error}") from None
    except OverflowError:
        raise ValueError(f"{text[:40]!r} lies outside the years 1 to 9999") from None


def _offset(sign: str, hours: int, minutes: int) -> timedelta:
    if hours > 23 or minutes > 59:
        raise ValueError("an offset is at most 23:59")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if sign == "-" else offset


def cut_ms(moment: datetime) -> int:
    """The ms since 1970 of a moment with a zone, truncated."""
    return (moment - EPOCH) // _MS


def cut_seconds(seconds: float) -> int:
    """The ms since 1970 of seconds, truncated, with tolerance for the inexactness of doubles."""
    return int(seconds * 1_000.0 + 0.0005)


def ms_of(text: str) -> int:
    """The ms since 1970 of an RFC 3339 text. Raises ValueError with the reason."""
    return cut_ms(moment_of(text))


def is_moment(text: str) -> bool:
    """Whether a text is RFC 3339 with a zone."""
    try:
        moment_of(text)
    except ValueError:
        return False
    return True
