"""From the figures of `make bench-cluster` to the cores of a larger cluster: fills the tables of docs/scaling.md.

In: `bench/out/cluster.jsonl`. Out: the page, its measured table as measured and its computed table as follows from it.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bench.frame import ROOT
from bench.report import written

PAGE: Final = ROOT.parent / "docs" / "scaling.md"
TAKEN: Final = ROOT / "out" / "cluster.jsonl"
STARTS_PER_S: Final = 10_000
NODES_PER_S: Final = 100_000
EVENTS_PER_S: Final = 100_000
NODES: Final = 5
FULL: Final = 0.7
"""How much of a core a process is planned to use: what is above it is for bursts, for a take-over, for a restart."""
WIDE: Final = "cluster_workers.500"
SOURCES: Final = {
    "starts": {
        "coordinator": "cluster_starts.home.cpu_us", "api": "cluster_api.api.cpu_us",
        "Postgres": "cluster_starts.postgres.cpu_us",
    },
    "nodes": {
        "coordinator": f"{WIDE}.home.cpu_ms", "worker": f"{WIDE}.worker.cpu_ms", "Postgres": f"{WIDE}.postgres.cpu_ms",
    },
    "events": {"metrics": "cluster_fresh.10k.home.cpu_us", "Postgres": "cluster_fresh.10k.postgres.cpu_us"},
}  # fmt: skip
"""Where the cost of one start, of one chain of five, of one event comes from, by process."""
ROLES: Final = ("api", "coordinator", "worker", "metrics", "Postgres")
SHOWN: Final = (
    "fsync.p50_ms", "calibration.decodes_per_cpu_s", "postgres.chain5.cpu_ms", "postgres.chain5.per_s",
    "postgres.hop.p50_ms", "cluster_starts.cpu_us", "cluster_starts.per_s", *SOURCES["starts"].values(),
    f"{WIDE}.cpu_ms", f"{WIDE}.items", *SOURCES["nodes"].values(), "cluster_workers.hop.p50_ms",
    "cluster_fresh.10k.p50_ms", *SOURCES["events"].values(), "cluster_wire.tls.1.cpu_us", "cluster_wire.tls.64.cpu_us",
    "peer_aob.chain5.cpu_ms", "peer_dbos.chain5.cpu_ms", "peer_restate.chain5.cpu_ms",
)  # fmt: skip
ROW: Final = re.compile(r"^\| `([\w.]+)` \| ([\d.,]+) \| (\S+) \| ([\d.]+) \|$", re.M)


def measured(figures: Mapping[str, tuple[float, str, float]]) -> Iterator[str]:
    """The table of what was measured: figure, value, unit, load."""
    yield "| figure | value | unit | load |"
    yield "|---|---|---|---|"
    for name in SHOWN:
        if name in figures:
            value, unit, load = figures[name]
            yield f"| `{name}` | {written(value)} | {unit} | {load:.1f} |"


def cores(values: Mapping[str, float], what: str, per_s: float) -> dict[str, float]:
    """Cores by role for so many a second."""
    found = {}
    for role, name in SOURCES[what].items():
        if name in values:
            each_s = values[name] / 1e3 / NODES if name.endswith("_ms") else values[name] / 1e6
            found[role] = per_s * each_s
    return found


def computed(values: Mapping[str, float]) -> Iterator[str]:
    """The table of what follows: cores by role, and processes of one core each."""
    loads = (
        cores(values, "starts", STARTS_PER_S), cores(values, "nodes", NODES_PER_S),
        cores(values, "events", EVENTS_PER_S),
    )  # fmt: skip
    yield (
        f"| process | cores for {STARTS_PER_S:,} starts/s | for {NODES_PER_S:,} nodes/s "
        f"| for {EVENTS_PER_S:,} events/s | processes for all three |"
    )
    yield "|---|---|---|---|---|"
    for role in ROLES:
        parts = [load.get(role) for load in loads]
        told = " | ".join("" if part is None else f"{part:.1f}" for part in parts)
        whole = sum(part or 0 for part in parts) / FULL
        count = f"one server of {math.ceil(whole)} cores" if role == "Postgres" else str(math.ceil(whole))
        if role == "metrics" and whole:
            count = f"1 (they do not share it): {EVENTS_PER_S / whole:,.0f} events/s"
        yield f"| {role} | {told} | {count} |"


def filled(page: str, name: str, rows: Iterator[str]) -> str:
    """The page with the table of this name anew. Raises ValueError when it has no place for it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"the page has no place for the table {name}")
    return before + begin + "\n".join(rows) + "\n" + end + after


def values_of(page: str) -> dict[str, float]:
    """The figures of a page, as they stand there."""
    return {name: float(value.replace(",", "")) for name, value, _, _ in ROW.findall(page)}


def main(arguments: list[str]) -> int:
    """Fill the page in."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("figures", type=Path, nargs="?", default=TAKEN, help="JSON lines of a bench (cluster.jsonl)")
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    options = parser.parse_args(arguments)
    lines = options.figures.read_text(encoding="utf-8").splitlines()
    figures = {each["name"]: (each["value"], each["unit"], each["load"]) for each in map(json.loads, lines)}
    page = filled(options.page.read_text(encoding="utf-8"), "measured", measured(figures))
    page = filled(page, "computed", computed(values_of(page)))
    options.page.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
