"""Alerts and objectives: list, show, make, take away, silence. Each a request, its answer typed.

Made from async_nouns/alerts.py by `python -m tools.make_sync`: edit that one.
"""

from aob.client.request import Instant, instant, part
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject


class Alerts(Wire):
    """Calls about alerts and objectives."""

    def silence_alert(
        self, name: str, *, until: Instant = None, for_: str | None = None, reason: str = ""
    ) -> JsonObject:
        """Silence it until an instant (0: it speaks again), for a duration, or for an hour."""
        body = {"until": instant(until), "for": for_, "reason": reason}
        found: JsonObject = self._call("POST", f"/v1/alerts/{part(name)}/silence", body=body)
        return found
