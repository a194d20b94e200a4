"""The command `aob`: sends requests to one server and prints answers for people or, with `--json`, for programs."""

import gc
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command `aob`. Returns its exit code; never raises for a user's error."""
    gc.set_threshold(200_000, 20, 100)  # what imports make lives on: to look through it cost a third of a start
    from aob.cli.session import run  # here, so that importing the package stays cheap

    return run(argv)
