"""Port `VisitLogs`: the lines that handlers log, a bounded number for each run, never in the journal."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from aob.core.answers import JsonObject

Line = JsonObject
"""`visit`, `at` (ms), `attempt`, `message`, and further logged fields. A line with `dropped` stands for so many lines
that are missing in its place."""


class VisitLogs(Protocol):
    """The visit logs of a home. Lines come from any thread; all else is asked on the loop."""

    dropped: int
    """Lines that this process could not keep."""

    def opened(self, run: str, visit: str, tenant: str) -> Callable[..., None]:
        """A function that writes lines of a visit: `line(message, attempt, fields)`. It never fails a handler: what
        cannot be kept is dropped and counted."""

    def write(
        self, run: str, visit: str, attempt: int, message: str, fields: Mapping[str, object], tenant: str = ""
    ) -> None:
        """Add a line and wake followers. Never raises for what cannot be kept."""

    def finish(self, run: str) -> None:
        """The run is over, or goes on elsewhere: its followers end. Cheap: it is called for every run."""

    async def flush(self) -> None:
        """Keep what was written until now, so that other processes read it; in vain when the store is away."""

    async def having(self, runs: Sequence[str]) -> list[str]:
        """Those of some runs that have lines, in the same order."""

    async def remove(self, run: str) -> None:
        """Remove the lines of a run. Idempotent."""

    def read(
        self, run: str, *, visit: str = "", node: str = "", follow: Callable[[], bool] | None = None
    ) -> AsyncIterator[Line]:
        """The lines of a run in the order in which they were written; of one visit, or of all visits of a node. With
        `follow`, which says whether the run is still live, it waits for more until `finish` or until it is not. A
        reader that is slow holds up nobody; what is gone before it came is told by a line with `dropped`."""
