"""What it costs to come up: the import of the package, in a fresh interpreter."""

import subprocess
import sys
import time
from collections.abc import Iterator

from bench.frame import Bench, Figure, measure


def took_s(code: str) -> float:
    """Wall seconds of a fresh interpreter that runs the code."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


@measure("import_aob")
def import_aob(bench: Bench) -> Iterator[Figure]:
    """`import aob` in a fresh interpreter, less the interpreter's own start."""
    took_s("import aob")  # the first pays for byte code
    rounds = range(bench.rounds(5))
    bare = min(took_s("pass") for _ in rounds)
    whole = min(took_s("import aob") for _ in rounds)
    yield Figure("import_aob.s", max(0.0, whole - bare), "s", target=0.3)
