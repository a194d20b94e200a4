"""Where the others are: installed apart by `make bench-cluster`, or not, with the reason."""

from pathlib import Path
from typing import Final

from bench.frame import ROOT, AbsentError

PLACE: Final = ROOT.parent / ".venv" / "peers"
PROGRAMS: Final = ROOT / "peers" / "programs"
RUNS: Final = 1_000
WIDTH: Final = 100
"""How many runs are under way at a time."""


def python_with(package: str) -> Path:
    """The Python of the others. Raises AbsentError."""
    python = PLACE / "bin" / "python"
    if not python.exists() or not list(PLACE.glob(f"lib/python3*/site-packages/{package}")):
        raise AbsentError(f"{package} is not installed in {PLACE.name}: make bench-cluster does, where it can be had")
    return python


def restate_server() -> Path:
    """The server of Restate. Raises AbsentError."""
    for found in PLACE.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"):
        return found
    raise AbsentError("Restate's server is not installed: make bench-cluster does, where npm is and has it")
