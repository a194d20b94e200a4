"""Verbs of webhooks: subscribe, list, change, end; list deliveries and resend them. A secret is shown once."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.metric_answers import Delivery, WebhookView
from aob.core.verb import Http, NoArgs, Verb, ok
from aob.core.verbs.shapes import DeliveryPage, Queued, WebhookList, Word

NAMES_MAX: Final = 200
PAGE_MAX: Final = 500

Names = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...], msgspec.Meta(max_length=NAMES_MAX)
]


class CreateWebhook(msgspec.Struct, frozen=True):
    """Where to send, and what: accepted events by type, metrics by name, runs by state, alerts by name (`*`: all).
    Without a `secret` one is generated; `{secret:NAME}` signs with a secret of the home."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2_000)]
    events: Names = ()
    metrics: Names = ()
    runs: Names = ()
    alerts: Names = ()
    description: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    secret: Word = ""


class NamedWebhook(msgspec.Struct, frozen=True):
    """A webhook by its id."""

    id: str = msgspec.field(name="webhook_id")


class UpdateWebhook(msgspec.Struct, frozen=True):
    """Pause or resume it (which closes an open circuit), or set a new secret: a generated one (`rotate`), or this one
    (`secret`, which may be `{secret:NAME}`)."""

    id: str = msgspec.field(name="webhook_id")
    paused: bool | None = None
    rotate: bool = False
    secret: Word = ""


class ListDeliveries(msgspec.Struct, frozen=True):
    """Which deliveries, newest first."""

    id: str = msgspec.field(name="webhook_id")
    state: Literal["", "waiting", "delivered", "failed"] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50
    before: Annotated[Word, msgspec.Meta(description="`next` of the page before.")] = ""


class NamedDelivery(msgspec.Struct, frozen=True):
    """A delivery of a webhook."""

    id: str = msgspec.field(name="webhook_id")
    delivery: str = msgspec.field(name="delivery_id")


class Redeliver(msgspec.Struct, frozen=True):
    """Which to send again: these, or all that failed since an instant."""

    id: str = msgspec.field(name="webhook_id")
    deliveries: Names = ()
    since_ms: int | None = None


_WEBHOOK: Final = "/v1/webhooks/{webhook_id}"
LIST: Final = Verb(
    "webhooks", NoArgs, "view", "webhook", "main",
    Http("GET", "/v1/webhooks", "list_webhooks", "List webhooks, without their secrets.",
         ok(WebhookList, "The webhooks."), wraps="webhooks"),
)  # fmt: skip
CREATE: Final = Verb(
    "create_webhook", CreateWebhook, "admin", "webhook", "main",
    Http("POST", "/v1/webhooks", "create_webhook",
         "Subscribe a URL. Messages are signed (Standard Webhooks); the secret is in this answer only.",
         ok(WebhookView, "The webhook with its secret.", 201), takes="WebhookBody", refuses=(409,)),
)  # fmt: skip
SHOW: Final = Verb(
    "webhook", NamedWebhook, "view", "webhook", "main",
    Http("GET", _WEBHOOK, "show_webhook", "Show a webhook.", ok(WebhookView, "The webhook.")),
)  # fmt: skip
UPDATE: Final = Verb(
    "update_webhook", UpdateWebhook, "admin", "webhook", "main",
    Http("PATCH", _WEBHOOK, "update_webhook", "Pause a webhook, let it go on, or give it a new secret.",
         ok(WebhookView, "The webhook; with its secret when that is new."), takes="WebhookChange"),
)  # fmt: skip
DELETE: Final = Verb(
    "delete_webhook", NamedWebhook, "admin", "webhook", "main",
    Http("DELETE", _WEBHOOK, "delete_webhook", "End a webhook. Nothing is sent any more.",
         ok(None, "It is ended.", 204)),
)  # fmt: skip
DELIVERIES: Final = Verb(
    "deliveries", ListDeliveries, "view", "webhook", "main",
    Http("GET", f"{_WEBHOOK}/deliveries", "list_deliveries", "List what was sent, newest first, with every attempt.",
         ok(DeliveryPage, "A page.")),
)  # fmt: skip
DELIVERY: Final = Verb(
    "delivery", NamedDelivery, "view", "webhook", "main",
    Http("GET", f"{_WEBHOOK}/deliveries/{{delivery_id}}", "show_delivery", "Show one delivery with its payload.",
         ok(Delivery, "The delivery.")),
)  # fmt: skip
REDELIVER: Final = Verb(
    "redeliver", Redeliver, "admin", "webhook", "main",
    Http("POST", f"{_WEBHOOK}/redeliver", "redeliver",
         "Send deliveries again: some, or all that failed since an instant.", ok(Queued, "How many are queued."),
         takes="AgainBody", refuses=(409,)),
)  # fmt: skip

VERBS: Final = (LIST, CREATE, SHOW, UPDATE, DELETE, DELIVERIES, DELIVERY, REDELIVER)
