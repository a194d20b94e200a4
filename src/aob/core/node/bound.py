"""Checks that several kinds make on a value of their config. In: a value and its path. Out: problems, maybe none."""

from collections.abc import Iterator

from aob.core.duration import parse_duration
from aob.core.errors import Problem


def within(path: str, value: float, low: float, high: float, what: str) -> Iterator[Problem]:
    """A number between two limits, both allowed."""
    if not low <= value <= high:
        yield Problem(path, f"{what} is {value:,}, and must be between {low:,} and {high:,}", "out_of_range")


def duration(path: str, value: str | int | float) -> Iterator[Problem]:
    """A duration as people write it."""
    try:
        parse_duration(value)
    except ValueError as error:
        yield Problem(path, str(error), "bad_duration", hint="write 500ms, 30s, 10m, 2h, 1d or 1h30m")


def filled(path: str, value: str, what: str) -> Iterator[Problem]:
    """A text that must not be empty."""
    if not value.strip():
        yield Problem(path, f"{what} is empty", "empty")
