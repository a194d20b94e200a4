"""How often a key may read: a moving window of a minute. When counting breaks, requests pass, and are told so.

Keys are known here by a digest of their secret, never by the secret. Writes, ingest and starts are not counted: those
are bounded by back-pressure.
"""

import math
import time
from typing import TYPE_CHECKING, Final

import msgspec

from aob.ports.logger import Logger

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter

READS_PER_MINUTE: Final = 120
QUIET_S: Final = 60.0
"""How long a limiter that broke says nothing further in the log."""

log: Final = Logger("aob.server")


class Left(msgspec.Struct, frozen=True):
    """What a key may still read: `remaining` of `per_minute`, and in `reset_s` one more. `counting` is false when the
    limiter is broken."""

    per_minute: int
    remaining: int = 0
    reset_s: float = 0.0
    spent: bool = False
    counting: bool = True

    def headers(self) -> dict[str, str]:
        """As an answer says it."""
        if not self.counting:
            return {"ratelimit-policy": "off; reason=unavailable"}
        return {
            "ratelimit-limit": str(self.per_minute),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(math.ceil(self.reset_s)),
        }


class ReadLimit:
    """A window for each key."""

    def __init__(self, per_minute: int = READS_PER_MINUTE) -> None:
        self.per_minute = per_minute
        self._window: MovingWindowRateLimiter | None = None
        self._item: RateLimitItem | None = None
        self._said_at = -math.inf

    def take(self, key: str) -> Left:
        """Count one read of a key. Never raises: a limiter that breaks lets everyone pass."""
        try:
            return self._take(key)
        except Exception as error:
            now = time.monotonic()
            if now - self._said_at > QUIET_S:
                self._said_at = now
                log.error("limiter_broken", detail=f"{type(error).__name__}: {error}", effect="reads are not limited")
            return Left(self.per_minute, counting=False)

    def _take(self, key: str) -> Left:
        if self._window is None or self._item is None:
            self._window, self._item = self._made()
        allowed = self._window.hit(self._item, key)
        stats = self._window.get_window_stats(self._item, key)
        wait_s = max(0.0, stats.reset_time - time.time())
        return Left(self.per_minute, max(0, stats.remaining), wait_s, not allowed)

    def _made(self) -> "tuple[MovingWindowRateLimiter, RateLimitItem]":
        """Made at the first read: the library takes a while to import, and many servers never need it."""
        from limits import RateLimitItemPerMinute
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute(self.per_minute)
