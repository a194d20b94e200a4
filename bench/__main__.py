"""`python -m bench [NAME …]`: run the measures whose names begin so, print and store the figures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.against import HOT_PATH, ROUNDS, against
from bench.frame import QUICK, SMALL, AbsentError, Bench, Figure, Measure, available
from bench.report import markdown, show, show_against, store

LATEST: Final = Path(__file__).parent / "out" / "latest.jsonl"
CLUSTER: Final = LATEST.with_name("cluster.jsonl")
BESIDE: Final = frozenset({"fsync", "calibration", "postgres", "appends_postgres"})
"""Measures of one process that those of a cluster are held against."""


def asked(measure: Measure, names: Sequence[str], cluster: bool) -> bool:
    """Whether a measure is to be taken: by the beginning of its name, else those of one process, or of a cluster."""
    if names:
        return measure.name.startswith(tuple(names))
    return (measure.group != "measures") == cluster or (cluster and measure.name in BESIDE)


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when a measure failed or missed its target with `--strict`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="measures, or the beginnings of their names")
    parser.add_argument("--list", action="store_true", help="name the measures and end")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a tenth of the work: for looking, not for quoting")
    size.add_argument("--small", action="store_true", help="each measure once, in a second: whether it works")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a figure misses its target")
    parser.add_argument("--cluster", action="store_true", help="a cluster on Postgres, and others on this machine")
    parser.add_argument("--markdown", action="store_true", help="print the table for docs/performance.md as well")
    parser.add_argument("--against", metavar="COMMIT", help="hold this tree against a commit, round by round")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of --against; the best of each counts")
    options = parser.parse_args(arguments)
    if options.against:
        names = options.names or HOT_PATH
        small = ["--quick"] * options.quick + ["--small"] * options.small
        show_against(options.against, against(options.against, names, options.rounds, small))
        return 0
    measures = [m for m in available() if asked(m, options.names, options.cluster)]
    if options.list or not measures:
        print("\n".join(f"{m.name:<14} {m.promise}" for m in available()))
        return 0 if options.list else 2
    figures: list[Figure] = []
    failed = False
    with Bench(QUICK if options.quick else SMALL if options.small else 1.0) as bench:
        for measure in measures:
            print(f"measuring {measure.name} …", file=sys.stderr, flush=True)
            try:
                figures += measure.take(bench)
            except AbsentError as why:
                print(f"  {measure.name} is left out: {why}", file=sys.stderr)
            except Exception as error:  # one broken measure must not hide the others
                failed = True
                print(f"  {measure.name} failed: {type(error).__name__}: {error}", file=sys.stderr)
    show(figures)
    store(CLUSTER if options.cluster else LATEST, figures)
    if options.markdown:
        print(markdown(figures))
    missed = [figure for figure in figures if figure.met is False]
    return 1 if failed or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
