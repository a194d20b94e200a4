"""Dead letters: list, group, show, pass through the gate again, set aside. Each a request, its answer typed."""

from collections.abc import Iterable

from aob.client.async_wire import AsyncWire
from aob.client.request import Query
from aob.core.answers import JsonObject
from aob.core.metric_answers import DeadLetterGroup, DeadLetterPage, DeadLetterRow, Replayed


class DeadLetters(AsyncWire):
    """Calls about dead letters."""

    async def deadletters(
        self, *, state: str = "open", type: str = "", reason: str = "", before: int = 0, limit: int = 50
    ) -> DeadLetterPage:
        """A page of refused events, newest first."""
        query: Query = {"state": state, "type": type, "reason": reason, "before": before, "limit": limit}
        found: DeadLetterPage = await self._call("GET", "/v1/deadletter", query=query)
        return found

    async def deadletter_groups(self, *, state: str = "open", sample: bool = True) -> list[DeadLetterGroup]:
        """Refused events counted by type and reason."""
        query: Query = {"state": state, "sample": sample}
        found: list[DeadLetterGroup] = (await self._call("GET", "/v1/deadletter/groups", query=query))["groups"]
        return found

    async def deadletter(self, number: int) -> DeadLetterRow:
        """One refused event as it came."""
        found: DeadLetterRow = await self._call("GET", f"/v1/deadletter/{number}")
        return found

    async def replay_deadletters(
        self,
        *,
        numbers: Iterable[int] = (),
        type: str = "",
        reason: str = "",
        event: JsonObject | None = None,
        dry_run: bool = False,
    ) -> Replayed:
        """Pass them through the gate again: by number, or all open ones of a type or reason. `event` is the mended form
        of a single one."""
        wanted = list(numbers)
        path, body = "/v1/deadletter:replay", {"numbers": wanted, "type": type, "reason": reason, "dry_run": dry_run}
        if event is not None and len(wanted) == 1:
            path, body = f"/v1/deadletter/{wanted[0]}/replay", {"event": event, "dry_run": dry_run}
        found: Replayed = await self._call("POST", path, body=body)
        return found

    async def discard_deadletters(self, numbers: Iterable[int], *, note: str = "") -> JsonObject:
        """Set them aside for good."""
        body = {"numbers": list(numbers), "note": note}
        found: JsonObject = await self._call("POST", "/v1/deadletter:discard", body=body)
        return found
