"""Alerts and objectives: list, show, make, take away, silence. Each a request, its answer typed."""

from aob.client.async_wire import AsyncWire
from aob.client.request import Instant, instant, part
from aob.core.answers import JsonObject
from aob.core.metric_answers import AlertView, SloView


class Alerts(AsyncWire):
    """Calls about alerts and objectives."""

    async def alerts(self, *, state: str = "") -> list[AlertView]:
        """Alerts as they stand."""
        found: list[AlertView] = (await self._call("GET", "/v1/alerts", query={"state": state}))["alerts"]
        return found

    async def alert(self, name: str) -> JsonObject:
        """One alert: its contract, how it stands, its history."""
        found: JsonObject = await self._call("GET", f"/v1/alerts/{part(name)}")
        return found

    async def put_alert(self, name: str, document: JsonObject) -> JsonObject:
        """Make or change an alert: the fields of its contract."""
        found: JsonObject = await self._call("PUT", f"/v1/alerts/{part(name)}", body=document)
        return found

    async def delete_alert(self, name: str) -> JsonObject:
        """Judge it no more."""
        found: JsonObject = await self._call("DELETE", f"/v1/alerts/{part(name)}")
        return found

    async def silence_alert(
        self, name: str, *, until: Instant = None, for_: str | None = None, reason: str = ""
    ) -> JsonObject:
        """Silence it until an instant (0: it speaks again), for a duration, or for an hour."""
        body = {"until": instant(until), "for": for_, "reason": reason}
        found: JsonObject = await self._call("POST", f"/v1/alerts/{part(name)}/silence", body=body)
        return found

    async def slos(self) -> list[SloView]:
        """All objectives."""
        found: list[SloView] = (await self._call("GET", "/v1/slo"))["slos"]
        return found

    async def slo(self, name: str) -> SloView:
        """One objective."""
        found: SloView = await self._call("GET", f"/v1/slo/{part(name)}")
        return found
