"""Changes of an application's Python files, as they happen. Needs the extra `dev`."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from aob.core.errors import Invalid, Problem

DEBOUNCE_MS: Final = 200  # an editor that writes several files changes them together


async def changes(folders: Sequence[Path]) -> AsyncIterator[list[str]]:
    """The Python files below some folders that have changed, each time any has."""
    from watchfiles import PythonFilter, awatch

    watched = [folder for folder in folders if folder.is_dir()]
    async for found in awatch(*watched, watch_filter=PythonFilter(), debounce=DEBOUNCE_MS, step=50):
        yield sorted({path for _, path in found})


def needs_watchfiles() -> None:
    """Raises Invalid `not_installed` when files cannot be watched here."""
    try:
        import watchfiles  # noqa: F401
    except ImportError as error:
        raise Invalid("changes of files cannot be seen", [
            Problem("aob dev", f"needs a package that is not installed ({error.name})", "not_installed",
                    hint="pip install 'agentic-orchestration-builder[grpc,reload]'")
        ]) from error  # fmt: skip
