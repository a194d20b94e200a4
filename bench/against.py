"""This tree held against a commit: the same measures of both in turn, the best of each, and the difference.

In: a commit, measures, how many rounds. Out: rows. Each side runs its own bench on its own code, in a process of its
own; who goes first changes every round, so that a neighbour's load meets both alike. Nothing of the tree is touched.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.frame import ROOT, Bench

ROUNDS: Final = 6
HOT_PATH: Final = ("chain5", "starts", "gate_fold")
"""What is measured when nothing is named: what every run and every event goes through."""
MORE_IS_BETTER: Final = "/s"

Taken = dict[str, tuple[float, str]]
"""Value and unit by figure."""


class Row(NamedTuple):
    """One figure of both sides; `cost` is how much worse this tree is, in percent (negative: better)."""

    name: str
    unit: str
    before: float
    now: float
    cost: float


def against(
    commit: str, names: Sequence[str] = HOT_PATH, rounds: int = ROUNDS, options: Sequence[str] = ()
) -> list[Row]:
    """Rows of every figure that both sides have. Raises CalledProcessError when git or a bench fails."""
    with Bench() as bench, tree_of(commit, bench.folder("against") / "tree") as other:
        sides = (other, ROOT.parent)
        taken: tuple[list[Taken], list[Taken]] = ([], [])
        for number in range(rounds):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                print(f"round {number + 1} of {rounds}: {'this tree' if side else commit} …", file=sys.stderr)
                taken[side].append(take(sides[side], names, options))
    return rows(best(taken[0]), best(taken[1]))


@contextmanager
def tree_of(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of a commit, gone when it is left."""
    git = ["git", "-C", str(ROOT.parent), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=False)


def take(tree: Path, names: Sequence[str], options: Sequence[str]) -> Taken:
    """One run of a tree's bench on that tree's code."""
    env = {**os.environ, "PYTHONPATH": str(tree / "src")}
    subprocess.run(
        [sys.executable, "-m", "bench", *names, *options], cwd=tree, env=env, check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    lines = (tree / "bench" / "out" / "latest.jsonl").read_text(encoding="utf-8").splitlines()
    return {figure["name"]: (figure["value"], figure["unit"]) for figure in map(json.loads, lines)}


def best(taken: Sequence[Taken]) -> Taken:
    """The best of each figure over the rounds that have it."""
    found: Taken = {}
    for one in taken:
        for name, (value, unit) in one.items():
            known = found.get(name, (value, unit))[0]
            found[name] = (max(known, value) if unit == MORE_IS_BETTER else min(known, value), unit)
    return found


def rows(before: Mapping[str, tuple[float, str]], now: Mapping[str, tuple[float, str]]) -> list[Row]:
    """What both have, held side by side."""
    found = []
    for name, (value, unit) in now.items():
        if name in before and before[name][0] and value:
            old = before[name][0]
            cost = (old / value if unit == MORE_IS_BETTER else value / old) - 1
            found.append(Row(name, unit, old, value, cost * 100))
    return found
