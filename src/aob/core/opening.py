"""The progress of opening a home: phase, progress, and the refusal that reports it."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Unavailable

STARTING: Final = "starting"
COMING: Final = "workers_coming"
"""What begins so is refused before anything is done, and may be asked for again in a moment."""
RETRY_S: Final = 1.0


class Opening(msgspec.Struct):
    """Progress of an opening, updated by the worker and read by others."""

    phase: str = "files"
    done: int = 0
    of: int = 0  # the total; 0 if unknown

    def begin(self, phase: str, of: int = 0) -> None:
        """Begins the next phase."""
        self.phase, self.done, self.of = phase, 0, of

    def told(self) -> JsonObject:
        """`phase`, `done` and `of`, which is null if unknown."""
        return {"phase": self.phase, "done": self.done, "of": self.of or None}

    def __str__(self) -> str:
        if not self.done:
            return self.phase
        return f"{self.phase} {self.done:,}" + (f" of {self.of:,}" if self.of else "")

    def refusal(self) -> Unavailable:
        """The error for callers during the opening."""
        return Unavailable(
            f"the server is starting: {self}", code="starting", retry_after_s=RETRY_S, **self.told(),
            hint="ask again in a moment: GET /v1/health says how far it is",
        )  # fmt: skip
