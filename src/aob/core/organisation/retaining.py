"""How long and how much of a topic is kept: a class of AOB, and Kafka's names of settings over it. Pure."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from aob.core.errors import Invalid, Problem
from aob.core.hint import meant

Class = Literal["work", "audit", "state"]
Cleanup = Literal["delete", "compact", "compact,delete"]
UNLIMITED: Final = -1
HOUR_MS: Final = 3_600_000
CONFIG_MAX: Final = 2**63 - 1
_MS_OF: Final = {"ms": 1, "minutes": 60_000, "hours": HOUR_MS}  # the finer unit wins over the coarser one
KNOWN: Final = ("cleanup.policy", "retention.bytes", "retention.hours", "retention.minutes", "retention.ms")


class Retention(msgspec.Struct, frozen=True):
    """What is kept: `ms` and `bytes` a partition (-1: without a bound); `cleanup` as Kafka's `cleanup.policy`."""

    of: Class = "work"
    ms: int = 168 * HOUR_MS
    bytes: int = UNLIMITED
    cleanup: Cleanup = "delete"


CLASSES: Final[Mapping[str, Retention]] = {
    "work": Retention(),
    "audit": Retention("audit", 90 * 24 * HOUR_MS),
    "state": Retention("state", UNLIMITED, UNLIMITED, "compact"),
}
"""Work in flight is kept seven days, an audit ninety; of a state the newest record a key."""


def retention_of(of: Class, config: Mapping[str, str | int]) -> Retention:
    """The retention of a class with settings under Kafka's names, with or without `log.` before them. Raises Invalid
    with every wrong one."""
    problems: list[Problem] = []
    spans: dict[str, int] = {}
    kept, cleanup = CLASSES[of].bytes, CLASSES[of].cleanup
    for name, value in config.items():
        plain = name.removeprefix("log.")
        try:
            if plain == "cleanup.policy":
                cleanup = _cleanup(value)
            elif plain == "retention.bytes":
                kept = _number(value)
            elif plain in KNOWN:
                unit = plain.removeprefix("retention.")
                count = _number(value)
                spans[unit] = UNLIMITED if count == UNLIMITED else min(count * _MS_OF[unit], CONFIG_MAX)
            else:
                hint = meant(plain, KNOWN, "settings")
                problems.append(Problem(f"/config/{name[:80]}", "is no setting of a topic", "bad_config", hint=hint))
        except ValueError as error:
            problems.append(Problem(f"/config/{name[:80]}", str(error), "bad_config"))
    if problems:
        raise Invalid("the settings of the topic have problems", problems, code="bad_config")
    ms = next((spans[unit] for unit in _MS_OF if unit in spans), CLASSES[of].ms)
    return Retention(of, ms, kept, cleanup)


def _number(value: str | int) -> int:
    text = str(value)
    if len(text) > 20 or not text.removeprefix("-").isdecimal() or not UNLIMITED <= int(text) <= CONFIG_MAX:
        raise ValueError(f"{text[:40]!r} is not a whole number; -1 is without a bound")
    return int(text)


def _cleanup(value: str | int) -> Cleanup:
    words = {word.strip() for word in str(value).split(",")}
    if not words or not words <= {"compact", "delete"}:
        raise ValueError(f"{str(value)[:40]!r} is not `delete`, `compact` or both with a comma between")
    if len(words) == 2:
        return "compact,delete"
    return "compact" if words == {"compact"} else "delete"
