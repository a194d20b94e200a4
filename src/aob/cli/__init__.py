"""The command `aob`: sends requests to one server and prints answers for people or, with `--json`, for programs."""

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command `aob`. Returns its exit code; never raises for a user's error."""
    from aob.cli.session import run  # here, so that importing the package stays cheap

    return run(argv)
