"""The inputs and results of work: a job and a Context, results and intents. Work never touches a store."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.ports.workers import Fault

UNCERTAIN: Final = "uncertain"
"""Fault code after a granted intent whose effect may or may not have happened: the node's `on_uncertain` decides."""


STOPPED: Final = "stopped_by_us"
"""Fault code of an attempt interrupted by our own shutdown: no law ever receives it. The job is dispatched again."""

OUR_ENDS: Final = frozenset((
    "closing", "stopping", "shard_lost", "shard_down", "shard_unowned", "not_owner", "stale_epoch", "store_went_back",
    "journal_stopped",
))  # fmt: skip
"""Codes of our own shutdown, or of a shard that goes to another owner: the request may or may not have been performed,
and no handler has failed."""


def unheard() -> None:
    """The pulse of a call without timeouts."""


class WorkError(Exception):
    """Raise it in a handler to say exactly how an attempt failed."""

    def __init__(self, message: str, *, code: str = "failed", transient: bool = True, detail: JsonValue = None) -> None:
        super().__init__(message)
        self.fault = Fault(code, message, transient, detail)


def permanent(message: str, *, code: str, **detail: JsonValue) -> WorkError:
    """The failure of an attempt that no retry can mend, and its detail for people and tools."""
    return WorkError(message, code=code, transient=False, detail=detail or None)


class Intended(msgspec.Struct, frozen=True):
    """Answer to an intent. `granted`: it is committed, act now, then report. Else `recorded` holds what an earlier
    attempt recorded for the same kind, content and count, to be used instead of acting. `number` names it."""

    granted: bool
    recorded: JsonValue = None
    number: int = 0


class Context(Protocol):
    """The access of a handler or kind to its run. A parameter named `ctx` receives it."""

    run_id: str
    visit: str
    attempt: int
    key: str
    tenant: str

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the visit's log (a file of the home, never the journal)."""

    def secret(self, name: str) -> str:
        """The value of a secret that the handler names: `@node(secrets=["NAME"])`. It is in no record and no log.
        Raises WorkError `secret_unnamed`, `secret_missing` or `secret_refused` (it is bound to hosts)."""

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Send a heartbeat; a checkpoint is committed and is `ctx.resume` in the next attempt."""

    async def intend(self, kind: str, what: Mapping[str, JsonValue]) -> Intended:
        """Commit the intent of an effect before it happens. It is found again by kind, content and count: of two equal
        ones the second is separate, in any order. Raises asyncio.CancelledError when the token is gone."""

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
        """`{document, state, agents_left}`: the present workflow document, for each node whether it is `ready`, `not
        begun` or how it ended, and how many agents a patch may still add."""
