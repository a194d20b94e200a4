"""Tells the log of requests that were refused because something is away: each cause at once, then how often it came
again, once in a while. So an outage is some lines, not a line a request."""

import asyncio
from typing import Final

from aob.core.errors import AobError
from aob.ports.logger import Logger

EVERY_S: Final = 10.0
CAUSES_MAX: Final = 64

log: Final = Logger("aob.server")


class Refusals:
    """What was told a moment ago, and how many came since, by the code of the error."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._last: dict[str, tuple[str, str]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def count(self, path: str, error: AobError) -> None:
        """One request was refused with this error."""
        code = error.code
        if code in self._since:
            self._since[code] += 1
            self._last[code] = (path, error.detail)
            return
        log.warning("requests_refused", code=code, detail=error.detail, path=path, count=1)
        if len(self._since) < CAUSES_MAX:
            self._since[code] = 0
            self._wait()

    def close(self) -> None:
        """Tell what is left. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._told()
        self._since.clear()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._passed)

    def _passed(self) -> None:
        """The time of the last lines is over: a cause that did not come again is told at once the next time."""
        self._timer = None
        self._told()
        if self._since:
            self._wait()

    def _told(self) -> None:
        again = {code: count for code, count in self._since.items() if count}
        for code, count in again.items():
            path, detail = self._last.pop(code)
            log.warning("requests_refused", code=code, detail=detail, path=path, count=count, within_s=EVERY_S)
        self._since = dict.fromkeys(again, 0)
