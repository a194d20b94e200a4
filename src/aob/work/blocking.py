"""A Context for handlers in threads: the same methods, but each call blocks until its answer."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import TypeVar

from aob.core.answers import JsonObject
from aob.ports.workers import Fault
from aob.work.job import Context, Intended

T = TypeVar("T")


class BlockingContext:
    """The `ctx` of a plain handler. Once its run no longer waits for it, every call raises CancelledError."""

    def __init__(self, inner: Context, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._fenced = False
        self._here = threading.local()
        self._open: set[int] = set()
        self.run_id, self.visit, self.attempt = inner.run_id, inner.visit, inner.attempt
        self.key, self.tenant = inner.key, inner.tenant

    def fence(self) -> None:
        """Ignore every later call of the handler."""
        self._fenced = True

    def log(self, message: str, /, **fields: object) -> None:
        """Write a line to the visit's log."""
        if not self._fenced:
            self._inner.log(message, **fields)

    def secret(self, name: str) -> str:
        """The value of a secret that the handler names."""
        return self._inner.secret(name)

    def heartbeat(self, checkpoint: object = None) -> None:
        """Send a heartbeat, and store a checkpoint when one is given."""
        self._wait(self._inner.heartbeat(checkpoint))

    def intend(self, kind: str, what: Mapping[str, object]) -> Intended:
        """Commit the intent of an effect before it happens."""
        intended = self._wait(self._inner.intend(kind, what))
        if intended.granted:
            self._mine().append(intended)
            self._open.add(intended.number)
        return intended

    def _mine(self) -> list[Intended]:
        """Intents of this thread: a handler may have its own threads."""
        mine: list[Intended] | None = getattr(self._here, "mine", None)
        if mine is None:
            mine = self._here.mine = []
        return mine

    def settle(
        self,
        result: object,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, object] | None = None,
    ) -> None:
        """Record the result of an intent: of the named one, else of the one that this thread has open."""
        named = intent
        if named is None:
            mine = self._here.mine = [each for each in self._mine() if each.number in self._open]
            named = mine[0] if len(mine) == 1 else None
        self._wait(self._inner.settle(result, intent=named, error=error, usage=usage))
        self._open.discard(named.number if named is not None else 0)

    def propose(self, operations: list[JsonObject], reason: str) -> Mapping[str, object]:
        """Propose a patch to the run."""
        return self._wait(self._inner.propose(operations, reason))

    def graph(self) -> Mapping[str, object]:
        """The run's present workflow document."""
        return self._wait(self._inner.graph())

    def _wait(self, asked: Coroutine[object, object, T]) -> T:
        if self._fenced:
            asked.close()
            raise asyncio.CancelledError("the run no longer waits for this handler")
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()
