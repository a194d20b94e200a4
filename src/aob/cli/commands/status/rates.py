"""What happened between two answers of `status`: how much a second, and how long it took. Pure. A home that was started
again in between counts from its start."""

from collections.abc import Sequence
from typing import Final

import msgspec

from aob.core.status import HomeStatus, StageStatus

PERCENTS: Final = (50, 99)


class Speed(msgspec.Struct, frozen=True):
    """A stage: how many a second, and within how many seconds half and almost all of them were done (None: nothing
    was, or it took longer than the last edge)."""

    per_s: float
    p50_s: float | None
    p99_s: float | None


class Rates(msgspec.Struct, frozen=True):
    """Between two answers. `counts` are starts, steps, events and commits a second; `cpu` the share of a core that each
    process used, by host and pid; `rows` the rows a second of each shard."""

    seconds: float
    counts: dict[str, float]
    cpu: dict[str, float]
    rows: dict[int, float]
    stages: dict[str, Speed]


def rates(before: HomeStatus, now: HomeStatus) -> Rates:
    """What changed from one to the other."""
    seconds = max((now["at"] - before["at"]) / 1_000, 0.001)
    counts = {name: _grown(before["counts"].get(name, 0), count) / seconds for name, count in now["counts"].items()}
    commits = {each["shard"]: each.get("commits", 0) for each in before["shards"]}
    counts["commits"] = sum(_grown(commits.get(each["shard"], 0), each.get("commits", 0)) for each in now["shards"])
    counts["commits"] /= seconds
    used = {f"{each['host']} {each['pid']}": each["cpu_s"] for each in before["processes"]}
    at = {each["shard"]: each.get("row", 0) for each in before["shards"]}
    return Rates(
        round(seconds, 3),
        counts,
        {
            name: max(0.0, each["cpu_s"] - used[name]) / seconds
            for each in now["processes"] if (name := f"{each['host']} {each['pid']}") in used
        },
        {each["shard"]: max(0, each.get("row", 0) - at.get(each["shard"], 0)) / seconds for each in now["shards"]},
        {
            name: _speed(before["stages"].get(name), stage, now["edges_s"], seconds)
            for name, stage in now["stages"].items()
        },
    )  # fmt: skip


def _grown(before: int, now: int) -> int:
    """How much a counter grew; one that is lower than before began anew."""
    return now - before if now >= before else now


def _speed(before: StageStatus | None, now: StageStatus, edges_s: Sequence[float], seconds: float) -> Speed:
    if before is None or before["count"] > now["count"]:
        before = {"count": 0, "units": 0, "errors": 0, "seconds": 0.0, "buckets": [0] * len(now["buckets"])}
    buckets = [_grown(old, new) for old, new in zip(before["buckets"], now["buckets"], strict=True)]
    p50, p99 = (percentile(buckets, edges_s, percent) for percent in PERCENTS)
    return Speed(_grown(before["units"], now["units"]) / seconds, p50, p99)


def percentile(buckets: Sequence[int], edges_s: Sequence[float], percent: int) -> float | None:
    """The edge under which so many of a hundred are; None where there are none, or it is beyond the last edge."""
    wanted = sum(buckets) * percent / 100
    if not wanted:
        return None
    seen = 0
    for count, edge in zip(buckets, edges_s, strict=False):
        seen += count
        if seen >= wanted:
            return edge
    return None
