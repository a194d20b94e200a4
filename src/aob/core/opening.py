"""How far a home has come that is being opened: which phase, how much of it is done, and the refusal that says so."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Unavailable

STARTING: Final = "starting"
RETRY_S: Final = 1.0


class Opening(msgspec.Struct):
    """Progress of an opening. Whoever does the work moves it on, whoever is asked tells of it."""

    phase: str = "files"
    done: int = 0
    of: int = 0
    """How much there is to do; 0 where that is not known."""

    def begin(self, phase: str, of: int = 0) -> None:
        """The next phase begins."""
        self.phase, self.done, self.of = phase, 0, of

    def told(self) -> JsonObject:
        """`phase`, `done` and `of`, which is null where it is not known."""
        return {"phase": self.phase, "done": self.done, "of": self.of or None}

    def __str__(self) -> str:
        if not self.done:
            return self.phase
        return f"{self.phase} {self.done:,}" + (f" of {self.of:,}" if self.of else "")

    def refusal(self) -> Unavailable:
        """Why nothing can be asked yet."""
        return Unavailable(
            f"the server is starting: {self}", code="starting", retry_after_s=RETRY_S, **self.told(),
            hint="ask again in a moment: GET /v1/health says how far it is",
        )  # fmt: skip
