"""Webhooks: subscribe, list, change, end; their deliveries, and sending again. Each a request, its answer typed.

Made from async_nouns/webhooks.py by `python -m tools.make_sync`: edit that one.
"""

from collections.abc import Iterable

from aob.client.request import Instant, Query, instant, part
from aob.client.sync_wire import Wire
from aob.core.answers import JsonObject
from aob.core.metric_answers import Delivery, WebhookView


class Webhooks(Wire):
    """Calls about webhooks."""

    def webhooks(self) -> list[WebhookView]:
        """All subscriptions, without secrets."""
        found: list[WebhookView] = (self._call("GET", "/v1/webhooks"))["webhooks"]
        return found

    def webhook(self, id: str) -> WebhookView:
        """One subscription."""
        found: WebhookView = self._call("GET", f"/v1/webhooks/{part(id)}")
        return found

    def create_webhook(
        self,
        url: str,
        *,
        events: Iterable[str] = (),
        metrics: Iterable[str] = (),
        runs: Iterable[str] = (),
        alerts: Iterable[str] = (),
        description: str = "",
        secret: str = "",
    ) -> WebhookView:
        """Subscribe a URL (`*`: all of a kind). Its secret is in this answer only; `{secret:NAME}` signs with a secret
        of the home."""
        body = {
            "url": url, "events": list(events), "metrics": list(metrics), "runs": list(runs), "alerts": list(alerts),
            "description": description, "secret": secret,
        }  # fmt: skip
        found: WebhookView = self._call("POST", "/v1/webhooks", body=body)
        return found

    def update_webhook(
        self, id: str, *, paused: bool | None = None, rotate: bool = False, secret: str = ""
    ) -> WebhookView:
        """Pause it, let it go on, or give it a new secret: one that is made (`rotate`), or this one (`{secret:NAME}` is
        one of the home)."""
        body = {"paused": paused, "rotate": rotate, "secret": secret}
        found: WebhookView = self._call("PATCH", f"/v1/webhooks/{part(id)}", body=body)
        return found

    def delete_webhook(self, id: str) -> None:
        """End it."""
        self._call("DELETE", f"/v1/webhooks/{part(id)}")

    def deliveries(self, id: str, *, state: str = "", limit: int = 50, before: str = "") -> JsonObject:
        """A page of what was sent, newest first: `{deliveries, next}`."""
        query: Query = {"state": state, "limit": limit, "before": before}
        found: JsonObject = self._call("GET", f"/v1/webhooks/{part(id)}/deliveries", query=query)
        return found

    def delivery(self, id: str, delivery: str) -> Delivery:
        """One delivery with its payload."""
        found: Delivery = self._call("GET", f"/v1/webhooks/{part(id)}/deliveries/{part(delivery)}")
        return found

    def redeliver(self, id: str, *, deliveries: Iterable[str] = (), since: Instant = None) -> JsonObject:
        """Send again: some deliveries, or all that failed since an instant: `{queued}`."""
        body = {"deliveries": list(deliveries), "since": instant(since)}
        found: JsonObject = self._call("POST", f"/v1/webhooks/{part(id)}/redeliver", body=body)
        return found
