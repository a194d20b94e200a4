"""Alerts and objectives: list, show, make, take away, silence. Each a request, its answer typed.

Made from async_nouns/alerts.py by `python -m tools.make_sync`: edit that one.
"""

from aob.client.request import Instant, instant, part
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject
from aob.core.metric_answers import AlertView, SloView


class Alerts(Wire):
    """Calls about alerts and objectives."""

    def alerts(self, *, state: str = "") -> list[AlertView]:
        """Alerts as they stand."""
        found: list[AlertView] = (self._call("GET", "/v1/alerts", query={"state": state}))["alerts"]
        return found

    def alert(self, name: str) -> JsonObject:
        """One alert: its contract, how it stands, its history."""
        found: JsonObject = self._call("GET", f"/v1/alerts/{part(name)}")
        return found

    def put_alert(self, name: str, document: JsonObject) -> JsonObject:
        """Make or change an alert: the fields of its contract."""
        found: JsonObject = self._call("PUT", f"/v1/alerts/{part(name)}", body=document)
        return found

    def delete_alert(self, name: str) -> JsonObject:
        """Judge it no more."""
        found: JsonObject = self._call("DELETE", f"/v1/alerts/{part(name)}")
        return found

    def silence_alert(
        self, name: str, *, until: Instant = None, for_: str | None = None, reason: str = ""
    ) -> JsonObject:
        """Silence it until an instant (0: it speaks again), for a duration, or for an hour."""
        body = {"until": instant(until), "for": for_, "reason": reason}
        found: JsonObject = self._call("POST", f"/v1/alerts/{part(name)}/silence", body=body)
        return found

    def slos(self) -> list[SloView]:
        """All objectives."""
        found: list[SloView] = (self._call("GET", "/v1/slo"))["slos"]
        return found

    def slo(self, name: str) -> SloView:
        """One objective."""
        found: SloView = self._call("GET", f"/v1/slo/{part(name)}")
        return found
