"""A moment as people and protocols write it. The heart counts in ms since 1970."""

from datetime import UTC, datetime


def iso(at_ms: int) -> str:
    """A moment in ms since 1970 as RFC 3339 in UTC, to the ms: `2026-11-21T09:00:00.000Z`."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
