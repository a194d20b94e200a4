"""An answer of `status` as sections of a screen: a title, columns and rows of plain text."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from aob.cli.commands.status.rates import Rates
from aob.core.duration import format_duration
from aob.core.status import HomeStatus, MemberStatus, ShardStatus

UNITS: Final = ("B", "kB", "MB", "GB", "TB")
SHARDS_SHOWN: Final = 64


class Section(NamedTuple):
    """A table under a title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def headline(told: HomeStatus) -> str:
    """The home in one line."""
    counts = told["counts"]
    return (
        f"home {told['home']}  release {told['release']}  rules {told['rules']}  "
        f"{counts.get('starts', 0):,} runs started  {counts.get('events', 0):,} events"
    )


def sections(told: HomeStatus, at: Rates | None = None) -> Iterator[Section]:
    """What there is to see; with what was measured between two answers."""
    yield _members(told)
    yield _processes(told, at)
    if fronts := told.get("fronts"):
        yield Section("asked by", ("process", "name", "roles", "release", "links"), [
            (each["process"], each["name"], " ".join(each["roles"]), each["release"], str(each["links"]))
            for each in fronts
        ])  # fmt: skip
    yield _shards(told, at)
    yield _log(told)
    if told["workers"] or told["queues"]:
        yield from _workers(told)
    yield Section("stores", ("store", "kind", "where", "size", "latency", "state"), [
        (each["name"], f"{each['kind']} {each['version']}".strip(), each["address"], size(each["bytes"]),
         f"{each['latency_ms']:.2f} ms" if "latency_ms" in each else "", each.get("detail") or each["status"])
        for each in told["stores"]
    ])  # fmt: skip


def trouble_lines(told: HomeStatus) -> Iterator[tuple[str, str]]:
    """What is to be seen to, with the state whose colour each line has."""
    for each in told["troubles"]:
        state = "problem" if each["how"] == "problem" else "waiting"
        yield f"{each['how']:<8} {each['what']}: {each['detail']}", state
        if each["hint"]:
            yield f"         {each['hint']}", ""


def _members(told: HomeStatus) -> Section:
    return Section("members", ("id", "address", "roles", "release", "rules", "lease"), [
        (each["id"][:12], each["address"], " ".join(each["roles"]), each["release"], str(each["rules"]), _left(each))
        for each in told["members"]
    ])  # fmt: skip


def _left(member: MemberStatus) -> str:
    left = member["lease_left_ms"]
    if member["leaving"]:
        return "leaving"
    return "" if left is None else f"{left / 1_000:.1f} s" if left else "over"


def _processes(told: HomeStatus, at: Rates | None) -> Section:
    rows = []
    for each in told["processes"]:
        share = at.cpu.get(f"{each['host']} {each['pid']}") if at is not None else None
        cpu = f"{each['cpu_s']:.1f} s" if share is None else f"{share:.0%}"
        rows.append((f"{each['host']} {each['pid']}", ranges(each["shards"]), cpu, size(each["memory_bytes"]),
                     format_duration(round(each["up_s"]) * 1_000)))  # fmt: skip
    return Section("processes", ("process", "shards", "cpu", "memory", "up"), rows)


def _shards(told: HomeStatus, at: Rates | None) -> Section:
    owners = {each["id"]: each["address"] for each in told["members"]}
    rows: list[Sequence[str]] = []
    for each in told["shards"][:SHARDS_SHOWN]:
        lease = each["lease_left_ms"]
        moved = f"{at.rows.get(each['shard'], 0):,.0f}/s" if at is not None else ""
        rows.append((
            str(each["shard"]), each["status"], each["address"] or owners.get(each["owner"], ""),
            f"{each['term']}" if each["term"] else "", _number(each, "epoch"), _number(each, "row"), moved,
            _number(each, "streams"), _number(each, "undelivered"), _number(each, "uncounted"),
            "" if lease is None else f"{lease / 1_000:.1f} s",
        ))  # fmt: skip
    columns = (
        "shard", "state", "owner", "term", "epoch", "row", "rows", "live", "outbox", "uncounted", "lease",
    )  # fmt: skip
    kept = [n for n in range(len(columns)) if n < 2 or any(row[n] for row in rows)]
    return Section("shards", [columns[n] for n in kept], [[row[n] for n in kept] for row in rows])


def _number(shard: ShardStatus, name: str) -> str:
    value = shard.get(name)
    return f"{value:,}" if isinstance(value, int) else ""


def _log(told: HomeStatus) -> Section:
    log = told["log"]
    rows: list[Sequence[str]] = [("event log", f"{log['rows']:,} rows", log.get("detail") or log["status"])]
    for each in log["followers"]:
        waits = ", ".join(f"{count} wait: {code}" for code, count in each.get("waits_for", {}).items())
        rows.append((each["name"], f"{each['behind']:,} {each['of']} behind", waits or "ok"))
    return Section("events", ("reader", "at", "state"), rows)


def _workers(told: HomeStatus) -> Iterator[Section]:
    yield Section("workers", ("worker", "build", "handlers", "labels", "slots", "jobs", "done", "state"), [
        (each["name"], each["build"], " ".join(each["handlers"]), _labels(each["labels"]), str(each["slots"]),
         str(each["jobs"]), f"{each['done']:,}", each["state"])
        for each in told["workers"]
    ])  # fmt: skip
    if told["queues"]:
        yield Section("queues", ("handler", "build", "labels", "waiting", "oldest"), [
            (each["handler"], each["build"], _labels(each["labels"]), f"{each['waiting']:,}",
             f"{each['oldest_s']:.1f} s")
            for each in told["queues"]
        ])  # fmt: skip


def _labels(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def speed_section(at: Rates) -> Section:
    """What was measured between two answers."""
    rows = [(name, f"{count:,.1f}/s", "", "") for name, count in at.counts.items()]
    rows += [
        (name, f"{speed.per_s:,.1f}/s", _within(speed.p50_s), _within(speed.p99_s))
        for name, speed in at.stages.items() if speed.per_s
    ]  # fmt: skip
    return Section(f"in {at.seconds:.1f} s", ("what", "rate", "p50", "p99"), list(rows))


def _within(seconds: float | None) -> str:
    return "" if seconds is None else f"<= {seconds * 1_000:g} ms"


def size(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return ""
    value, unit = float(count), UNITS[0]
    for unit in UNITS:
        if value < 1_000 or unit == UNITS[-1]:
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def ranges(numbers: Sequence[int]) -> str:
    """0-3 7 9-15."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return " ".join("-".join(map(str, each)) for each in found)
