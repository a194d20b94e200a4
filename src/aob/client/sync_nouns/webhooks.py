"""Webhooks: subscribe, list, change, end; their deliveries, and sending again. Each a request, its answer typed.

Made from async_nouns/webhooks.py by `python -m tools.make_sync`: edit that one.
"""

from collections.abc import Iterable

from aob.client.request import Instant, instant, part
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject


class Webhooks(Wire):
    """Calls about webhooks."""

    def redeliver(self, id: str, *, deliveries: Iterable[str] = (), since: Instant = None) -> JsonObject:
        """Send again: some deliveries, or all that failed since an instant: `{queued}`."""
        body = {"deliveries": list(deliveries), "since": instant(since)}
        found: JsonObject = self._call("POST", f"/v1/webhooks/{part(id)}/redeliver", body=body)
        return found
