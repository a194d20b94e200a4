"""What work gets and gives: a job in, a result out. Work never touches a store; it answers only with commands."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.ports.workers import Fault

UNCERTAIN: Final = "uncertain"
"""Fault code after a granted intent whose effect may or may not have happened: the node's `on_uncertain` decides."""


STOPPED: Final = "stopped_by_us"
"""Fault code of an attempt that met the end of our own processes: never told to a law. It is dispatched again."""

OUR_ENDS: Final = frozenset({"closing", "stopping", "shard_lost", "shard_down", "stale_epoch", "journal_stopped"})
"""Codes of our own shutdown: what was asked may or may not have happened, and no handler has failed."""


def unheard() -> None:
    """The pulse of a call that nobody times."""


class WorkError(Exception):
    """Raise it in a handler to say exactly how an attempt failed."""

    def __init__(self, message: str, *, code: str = "failed", transient: bool = True, detail: JsonValue = None) -> None:
        super().__init__(message)
        self.fault = Fault(code, message, transient, detail)


class Intended(msgspec.Struct, frozen=True):
    """Answer to an intent. `granted`: it is committed, act now, then report. Else `recorded` holds what an earlier
    attempt recorded for the same kind, content and count, to be used instead of acting. `number` names it."""

    granted: bool
    recorded: JsonValue = None
    number: int = 0


class Context(Protocol):
    """What a handler and a kind may ask of the run that they work for. A parameter named `ctx` receives it."""

    run_id: str
    visit: str
    attempt: int
    key: str
    tenant: str

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the visit's log (a file of the home, never the journal)."""

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Show a sign of life; a checkpoint is committed and comes back as `ctx.resume` in the next attempt."""

    async def intend(self, kind: str, what: Mapping[str, JsonValue]) -> Intended:
        """Commit the intent of an effect before it happens. It is found again by kind, content and count: the second of
        two that say the same is another one, whatever order they come in. Raises asyncio.CancelledError when the token
        is gone."""

    async def settle(
        self,
        result: JsonValue,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Record the result of an intent: output or error, and `usage` (tokens_in, tokens_out, cost_usd). Without
        `intent` it is the one that this task has open; raises WorkError `intent_unnamed` when it has several."""

    async def propose(self, operations: list[JsonObject], reason: str) -> Mapping[str, JsonValue]:
        """Propose a patch to the run: `{"patch_id", "state": "applied"|"proposed"|"invalid", "problems": [...]}`."""

    async def graph(self) -> Mapping[str, JsonValue]:
        """`{document, state, agents_left}`: the workflow document as it stands now, by node whether it is `ready`, `not
        begun` or how it ended, and how many agents a patch may still add."""
