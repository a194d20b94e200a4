"""What a measure gets and gives: a Bench in, Figures out.

A measure is a function in `bench/measures/*.py` marked with `@measure("name")`. It asks the bench for scratch folders
and for clocks, and yields figures; wall and CPU stand apart, and each figure carries the load under which it was taken.
"""

import importlib
import os
import pkgutil
import platform
import re
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent
QUICK: Final = 0.1
"""A tenth of the work: for looking, not for quoting."""
SMALL: Final = 0.002
"""Just enough that everything happens once: whether a measure works, not what it measures."""


class AbsentError(Exception):
    """What a measure needs cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: `name` (`chain5.full.cpu_ms`), its unit, and the target it is held against, if there is one.

    `at_most` says whether the target is a ceiling or a floor; `note` is said beside it.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = True
    note: str = ""
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target


@dataclass(slots=True)
class Span:
    """Seconds of one stretch of work: on the wall, and of CPU of this process and the children it has waited for."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


class Bench:
    """Scratch folders on the disk of the checkout (where a home would be), clocks, and the size of the work."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        out = ROOT / "out"
        out.mkdir(exist_ok=True)
        # Not the system's temporary folder: that is often memory, where a sync costs nothing.
        self._folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=out))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def folder(self, name: str) -> Path:
        """A fresh folder for one home."""
        if self._folder is None:
            raise RuntimeError("a bench gives folders only while it is entered")
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self._folder))

    def times(self, count: int) -> int:
        """How often to do a thing that a full bench does `count` times."""
        return max(1, int(count * self.scale))

    @property
    def small(self) -> bool:
        """Whether only its working counts, not what it measures."""
        return self.scale <= SMALL

    def rounds(self, count: int) -> int:
        """How many rounds to take the best of."""
        return 1 if self.small else count

    def seconds(self, full_s: float, least_s: float) -> float:
        """How long to hold a load: never so short that its figures say nothing, where figures count."""
        return least_s / 10 if self.small else max(least_s, full_s * self.scale)

    @contextmanager
    def clock(self) -> Iterator[Span]:
        """Time a stretch; read the span after it was left."""
        span = Span()
        own, children = time.process_time(), _children_cpu_s()
        wall = time.perf_counter()
        try:
            yield span
        finally:
            span.wall_s = time.perf_counter() - wall
            span.cpu_s = time.process_time() - own + _children_cpu_s() - children


def _children_cpu_s() -> float:
    taken = os.times()
    return taken.children_user + taken.children_system


def build() -> str:
    """The interpreter that is measured: its version, compiler, optimisation, and what it was built with."""
    flags = [str(sysconfig.get_config_var(name) or "") for name in ("CONFIG_ARGS", "PY_CFLAGS")]
    found = ["optimized" if "--enable-optimizations" in flags[0] else "not profile-optimized"]
    found += re.findall(r"-O\w+", flags[1])[-1:]
    found += ["LTO"] if "--with-lto" in flags[0] else []
    found += ["debug"] if hasattr(sys, "gettotalrefcount") else []
    found += ["free-threaded"] if sysconfig.get_config_var("Py_GIL_DISABLED") else []
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name}, {platform.python_compiler()}, {', '.join(found)}"


def rss_mb() -> float:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Measure:
    """A registered measure: its name, its group (the folder of `bench` that it stands in), what it promises to
    measure, and the function that does."""

    name: str
    group: str
    promise: str
    run: Callable[[Bench], Iterable[Figure]]

    def take(self, bench: Bench) -> list[Figure]:
        """Run it and gather its figures."""
        return list(self.run(bench))


_measures: Final[dict[str, Measure]] = {}


def measure(name: str) -> Callable[[Callable[[Bench], Iterable[Figure]]], Callable[[Bench], Iterable[Figure]]]:
    """Register a function as a measure under a name; its docstring is its promise."""

    def register(run: Callable[[Bench], Iterable[Figure]]) -> Callable[[Bench], Iterable[Figure]]:
        _measures[name] = Measure(name, run.__module__.split(".")[1], (run.__doc__ or "").strip().splitlines()[0], run)
        return run

    return register


GROUPS: Final = ("measures", "cluster", "peers")
"""The folders with measures: one process, a cluster on Postgres, others on the same machine."""


def available() -> list[Measure]:
    """Every measure: the machine's own first, then by group and file name."""
    for group in GROUPS:
        for info in sorted(
            pkgutil.iter_modules([str(ROOT / group)]), key=lambda info: (info.name != "machine", info.name)
        ):
            importlib.import_module(f"bench.{group}.{info.name}")
    return list(_measures.values())
