"""Query parameters of metrics: instants as people write them, `name:value` pairs, and the `MetricQuery` of them.
Raises Invalid with the parameter that is wrong.
"""

from typing import Annotated, Final

import msgspec

from aob.core.errors import Invalid, Problem
from aob.core.instant import MS_MAX, MS_MIN, ms_of
from aob.core.metric_query import MetricQuery

PAIRS_MAX: Final = 20
ROWS_MAX: Final = 10_000
EXAMPLE: Final = "2026-01-31T12:00:00Z, or ms since 1970 such as 1769860800000"

Instant = Annotated[str | None, msgspec.Meta(description="RFC 3339, or ms since 1970.")]
Pairs = Annotated[tuple[str, ...], msgspec.Meta(description="`dimension:value`; several must all hold.")]
Names = Annotated[tuple[str, ...], msgspec.Meta(description="Dimensions to tell apart; may be repeated.")]
Word = Annotated[str, msgspec.Meta(max_length=200)]
Fresh = Annotated[str, msgspec.Meta(description="A position; the answer is at least as fresh, or it waits.")]


class MetricAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which number. Without `window` the first one of its contract; `since` and `until` select a span instead, which
    `step` splits into a series."""

    window: Annotated[
        str, msgspec.Meta(max_length=100, description="A window of the contract, or a duration such as `15m`.")
    ] = ""
    since: Instant = None
    until: Instant = None
    step: Annotated[
        str, msgspec.Meta(max_length=50, description="A duration, or `month`, `2 weeks`: a value each.")
    ] = ""
    by: Names = ()
    where: Pairs = ()
    as_of: Annotated[str | None, msgspec.Meta(description="The event time that stands for now.")] = None
    known_at: Annotated[str | None, msgspec.Meta(description="Only what was known then (a scan of the log).")] = None
    min_position: Fresh = ""
    compare: Annotated[
        str, msgspec.Meta(pattern="^(|previous)$", description="`previous`: the window before, too.")
    ] = ""
    version: Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="Of the contract; 0: the newest.")] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=ROWS_MAX, description="Rows at most.")] = 1_000

    def of(self, metric: str) -> MetricQuery:
        """The query for a metric."""
        return MetricQuery(
            metric,
            self.window,
            instant(self.since, "since"),
            instant(self.until, "until"),
            self.step,
            names(self.by),
            pairs(self.where),
            instant(self.as_of, "as_of"),
            instant(self.known_at, "known_at"),
            self.min_position,
            self.compare,
            self.version,
            self.limit,
        )


def instant(text: str | int | None, name: str) -> int | None:
    """An instant in ms since 1970, of RFC 3339 or of ms."""
    if text is None or text == "":
        return None
    try:
        at_ms = int(text) if isinstance(text, int) or text.lstrip("-").isdecimal() else ms_of(text)
    except ValueError as error:
        at_ms, why = MS_MAX + 1, str(error)
    else:
        why = "it lies outside the years 1 to 9999"
    if not MS_MIN <= at_ms <= MS_MAX:
        hint = f"write {EXAMPLE}"
        raise Invalid(f"{name} is no instant", [Problem(f"?{name}", why, hint=f"write {EXAMPLE}")], hint=hint)
    return at_ms


def pairs(texts: tuple[str, ...], name: str = "where") -> dict[str, str]:
    """Dimensions fixed to a value, each `dimension:value`."""
    found: dict[str, str] = {}
    for text in texts:
        dimension, colon, value = text.partition(":")
        if not (colon and dimension) or len(texts) > PAIRS_MAX:
            problem = Problem(f"?{name}", f"{text[:50]!r} is not dimension:value", hint="where=region:north")
            raise Invalid(f"{name} is not what this route takes", [problem])
        found[dimension] = value
    return found


def names(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Names given one by one, or several in one text with commas between."""
    return tuple(dict.fromkeys(name for text in texts for name in text.split(",") if name))
