"""`python -m aob.testing.world SEED [COUNT]`: the world of a seed with its trace, or the broken ones of many."""

import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog

from aob.testing.world import Report, simulate, simulate_exchange, simulate_handover


def main(arguments: list[str]) -> int:
    """Print the results of the worlds; 1 when a rule was broken in one."""
    structlog.configure(processors=[silent])
    first = int(arguments[0]) if arguments else 1
    count = int(arguments[1]) if len(arguments) > 1 else 1
    worst = 0
    for seed in range(first, first + count):
        for report in (simulate_exchange(seed), simulate_handover(seed), simulate(seed)):
            worst |= bool(report.broken)
            if count == 1:
                show(report)
            elif report.broken:
                print(f"seed {seed}: {report.broken}")
    if count > 1:
        print(f"{count} worlds from seed {first}: {'broken' if worst else 'all rules held'}")
    return worst


def silent(logger: object, name: str, event: MutableMapping[str, Any]) -> NoReturn:
    """Logs of simulated faults have no use."""
    raise structlog.DropEvent


def show(report: Report) -> None:
    """The options, the trace and the verdict."""
    print(f"seed {report.seed} {report.options}")
    for line in report.trace:
        print(line)
    print(f"seed {report.seed}: {report.broken or 'every rule held'}; {sum(report.events.values())} events")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
