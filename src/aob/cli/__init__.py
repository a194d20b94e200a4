"""Words flow in, requests to one server go out; what comes back is printed for people or, by `--json`, programs."""

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command `aob`. Returns its exit code; never raises for what a user did."""
    from aob.cli.session import run  # here, so that importing the package stays cheap

    return run(argv)
