"""Webhooks: subscribe, list, change, delete; their deliveries, and sending again. One request each, typed answers."""

from collections.abc import Iterable

from aob.client.async_wire import AsyncWire
from aob.client.request import Instant, instant, part
from aob.core.answers import JsonObject


class Webhooks(AsyncWire):
    """Calls about webhooks."""

    async def redeliver(self, id: str, *, deliveries: Iterable[str] = (), since: Instant = None) -> JsonObject:
        """Send again: some deliveries, or all that failed since an instant: `{queued}`."""
        body = {"deliveries": list(deliveries), "since": instant(since)}
        found: JsonObject = await self._call("POST", f"/v1/webhooks/{part(id)}/redeliver", body=body)
        return found
