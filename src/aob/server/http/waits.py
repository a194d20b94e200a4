"""Requests that wait for the end of a run: bounded, fair to tenants, all answered when the server stops."""

import asyncio
import re
from collections import Counter
from collections.abc import Coroutine
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from aob.core.duration import parse_duration
from aob.core.errors import Busy, Invalid, Problem
from aob.server.http.answer import Receive

WAITS_MAX: Final = 500  # requests that may wait at once. They are not counted as concurrent requests.
WAIT_MAX_MS: Final = 60_000

Wait: TypeAlias = Annotated[
    str | None, msgspec.Meta(description="Wait for the end of the run, up to 60 s: `30s`, `1m`, or seconds.")
]
"""The query parameter of routes that wait."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")

T = TypeVar("T")


class Waits:
    """The waiting requests of a server. When all places are taken, one of the tenant that holds most is answered early,
    for a tenant that holds fewer."""

    def __init__(self, limit: int = WAITS_MAX) -> None:
        self._limit = limit
        self._tasks: dict[asyncio.Task[object], str] = {}
        self._held: Counter[str] = Counter()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._tasks)

    def held(self, tenant: str) -> int:
        """How many requests of a tenant wait."""
        return self._held[tenant]

    async def until(self, tenant: str, work: Coroutine[object, None, T], receive: Receive) -> T | None:
        """The result of `work`; None when the wait was ended early or the caller hung up. Raises Busy when there is no
        place, and what `work` raises."""
        if self._stopped:
            work.close()
            return None
        try:
            self._make_room(tenant)
        except Busy:
            work.close()
            raise
        task = asyncio.ensure_future(work)
        self._tasks[task] = tenant
        self._held[tenant] += 1
        gone = asyncio.ensure_future(hung_up(receive))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() and not task.cancelled() else None
        finally:
            gone.cancel()
            self._leave(task)
            await asyncio.gather(task, gone, return_exceptions=True)

    def stop(self) -> None:
        """Ends all waits: each is answered with the current state of its run."""
        self._stopped = True
        for task in list(self._tasks):
            self._leave(task)

    def _make_room(self, tenant: str) -> None:
        if len(self._tasks) < self._limit:
            return
        most, held = self._held.most_common(1)[0]
        if held <= self._held[tenant] + 1:
            why = f"{self._limit} requests wait for runs already"
            raise Busy(why, hint="come again, or follow the run: GET /v1/runs/RUN/events")
        self._leave(next(task for task, holder in self._tasks.items() if holder == most))

    def _leave(self, task: asyncio.Task[object]) -> None:
        task.cancel()
        tenant = self._tasks.pop(task, None)
        if tenant is not None:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]


def wait_ms(asked: str | None, preferred: str | None) -> int:
    """How long a request is to wait: `?wait=30s`, or the header `Prefer: wait=30` (RFC 7240), which is cut to the
    limit, while the parameter is refused beyond it. 0: does not wait. Raises Invalid."""
    if asked is None:
        return _preferred(preferred or "")
    try:
        found = parse_duration(float(asked) if _NUMBER.fullmatch(asked) else asked)
    except ValueError as error:
        raise Invalid("the query is not what this route takes", [Problem("?wait", str(error))]) from error
    if found > WAIT_MAX_MS:
        problem = Problem("?wait", f"is at most {WAIT_MAX_MS // 1_000} s", hint="ask again when it has passed")
        raise Invalid("the query is not what this route takes", [problem])
    return found


def _preferred(header: str) -> int:
    for preference in header.split(","):
        name, _, value = preference.partition(";")[0].strip().partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            return min(int(digits[:6]) * 1_000, WAIT_MAX_MS) if digits.isdecimal() and digits.isascii() else 0
    return 0


async def hung_up(receive: Receive) -> None:
    """Returns when the caller has hung up. The body has been read by then or does not matter."""
    while (await receive())["type"] != "http.disconnect":
        pass
