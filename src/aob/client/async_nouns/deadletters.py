"""Dead letters: list, group, show, pass through the gate again, discard. One request each, with typed answers."""

from collections.abc import Iterable

from aob.client.async_wire import AsyncWire
from aob.core.answers import JsonObject
from aob.core.errors import Invalid
from aob.core.metric_answers import Replayed


class DeadLetters(AsyncWire):
    """Calls about dead letters."""

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
        of a single one. Raises Invalid when it is given with several."""
        wanted = list(numbers)
        path, body = "/v1/deadletter:replay", {"numbers": wanted, "type": type, "reason": reason, "dry_run": dry_run}
        if event is not None:
            if len(wanted) != 1 or type or reason:
                raise Invalid("an event mends one dead letter", hint="give its number, and no type or reason")
            path, body = f"/v1/deadletter/{wanted[0]}/replay", {"event": event, "dry_run": dry_run}
        found: Replayed = await self._call("POST", path, body=body)
        return found
