"""Alerts and objectives: list, show, put, delete, silence. One request each, with typed answers."""

from aob.client.async_wire import AsyncWire
from aob.client.request import Instant, instant, part
from aob.core.answers import JsonObject


class Alerts(AsyncWire):
    """Calls about alerts and objectives."""

    async def silence_alert(
        self, name: str, *, until: Instant = None, for_: str | None = None, reason: str = ""
    ) -> JsonObject:
        """Silence it until an instant (0: end the silence), for a duration, or for an hour."""
        body = {"until": instant(until), "for": for_, "reason": reason}
        found: JsonObject = await self._call("POST", f"/v1/alerts/{part(name)}/silence", body=body)
        return found
