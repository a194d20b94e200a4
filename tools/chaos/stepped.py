"""`python stepped.py WORDS…` is `aob WORDS…` with a clock that can be set: the file CHAOS_CLOCK/NAME says by how many
seconds it is wrong. What stands on the monotonic clock is as it is."""

import os
import sys
import time
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.1
FOLDER: Final = "CHAOS_CLOCK"
NAME: Final = "CLUSTER_PROCESS"


class Hands:
    """By how much the clock is wrong, read again now and then."""

    def __init__(self, file: Path) -> None:
        self._file, self._next, self._step_ns = file, 0.0, 0

    def step_ns(self) -> int:
        """The step that stands in the file, 0 where there is none."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LOOK_S
            try:
                self._step_ns = int(float(self._file.read_text()) * 1e9)
            except (OSError, ValueError):
                self._step_ns = 0
        return self._step_ns


def main() -> int:
    """Set the clock of this process, then be the command."""
    hands = Hands(Path(os.environ[FOLDER], os.environ[NAME]))
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + hands.step_ns() / 1e9
    time.time_ns = lambda: nanoseconds() + hands.step_ns()
    from aob.cli import main as cli

    return cli()


if __name__ == "__main__":
    sys.exit(main())
