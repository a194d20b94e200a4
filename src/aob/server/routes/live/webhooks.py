"""Webhooks: subscribe, list, pause, end; their deliveries, and sending again. A secret leaves once."""

from typing import Annotated, Final, Literal

import msgspec

from aob.core.metric_answers import Delivery, WebhookView
from aob.core.verb import Gives
from aob.server.http.answer import Answer, Header, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route, takes
from aob.server.routes.live.asked import Word, instant
from aob.server.routes.live.shapes import DeliveryPage, Queued, WebhookList

NAMES_MAX: Final = 200
PAGE_MAX: Final = 500
WEBHOOK: Final = "/v1/webhooks/{webhook_id}"
UNSTORED: Final[Header] = (b"cache-control", b"no-store")

Names = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...], msgspec.Meta(max_length=NAMES_MAX)
]


class WebhookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send, and what: accepted events by type, metrics by name, runs by state, alerts by name (`*`: all).
    Without a `secret` one is made; `{secret:NAME}` signs with a secret of the home."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2_000)]
    events: Names = ()
    metrics: Names = ()
    runs: Names = ()
    alerts: Names = ()
    description: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    secret: Word = ""


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pause it or let it go on (which closes an open circuit), or give it a new secret: one that is made (`rotate`), or
    this one (`secret`, which may be `{secret:NAME}`)."""

    paused: bool | None = None
    rotate: bool = False
    secret: Word = ""


class DeliveriesAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries, newest first."""

    state: Literal["", "waiting", "delivered", "failed"] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50
    before: Annotated[Word, msgspec.Meta(description="`next` of the page before.")] = ""


class AgainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to send again: these, or all that failed since an instant (RFC 3339 or ms)."""

    deliveries: Names = ()
    since: str | int | None = None


async def list_webhooks(call: Call[Nothing, None]) -> Answer:
    """All."""
    return json_answer({"webhooks": await call.metrics.webhooks(call.who)})


async def create(call: Call[Nothing, WebhookBody]) -> Answer:
    """Subscribe."""
    body = call.body
    made = await call.metrics.create_webhook(
        call.who,
        body.url,
        events=body.events,
        metrics=body.metrics,
        runs=body.runs,
        alerts=body.alerts,
        description=body.description,
        secret=body.secret,
    )
    return json_answer(made, status=201, headers=(UNSTORED, (b"location", f"/v1/webhooks/{made['id']}".encode())))


async def show(call: Call[Nothing, None]) -> Answer:
    """One."""
    return json_answer(await call.metrics.webhook(call.who, call.params["webhook_id"]))


async def update(call: Call[Nothing, WebhookChange]) -> Answer:
    """Change one."""
    body = call.body
    changed = await call.metrics.update_webhook(
        call.who, call.params["webhook_id"], paused=body.paused, rotate=body.rotate, secret=body.secret
    )
    return json_answer(changed, headers=(UNSTORED,))


async def delete(call: Call[Nothing, None]) -> Answer:
    """End one."""
    await call.metrics.delete_webhook(call.who, call.params["webhook_id"])
    return Answer(b"", 204, b"")


async def list_deliveries(call: Call[DeliveriesAsked, None]) -> Answer:
    """A page."""
    query = call.query
    page = await call.metrics.deliveries(
        call.who, call.params["webhook_id"], state=query.state, limit=query.limit, before=query.before
    )
    return json_answer(page)


async def show_delivery(call: Call[Nothing, None]) -> Answer:
    """One delivery."""
    return json_answer(await call.metrics.delivery(call.who, call.params["webhook_id"], call.params["delivery_id"]))


async def redeliver(call: Call[Nothing, AgainBody]) -> Answer:
    """Send again."""
    body = call.body
    queued = await call.metrics.redeliver(
        call.who, call.params["webhook_id"], deliveries=body.deliveries, since_ms=instant(body.since, "since")
    )
    return json_answer(queued)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/webhooks",
        list_webhooks,
        name="list_webhooks",
        summary="List webhooks, without their secrets.",
        verb="webhooks",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, WebhookList, "The webhooks."),),
    ),
    Route(
        "POST",
        "/v1/webhooks",
        create,
        name="create_webhook",
        summary="Subscribe a URL. Messages are signed (Standard Webhooks); the secret is in this answer only.",
        verb="create_webhook",
        query=Nothing,
        body=takes(WebhookBody),
        gives=(Gives(201, WebhookView, "The webhook with its secret."),),
        refuses=(409,),
    ),
    Route(
        "GET",
        WEBHOOK,
        show,
        name="show_webhook",
        summary="Show a webhook.",
        verb="webhook",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, WebhookView, "The webhook."),),
    ),
    Route(
        "PATCH",
        WEBHOOK,
        update,
        name="update_webhook",
        summary="Pause a webhook, let it go on, or give it a new secret.",
        verb="update_webhook",
        query=Nothing,
        body=takes(WebhookChange),
        gives=(Gives(200, WebhookView, "The webhook; with its secret when that is new."),),
    ),
    Route(
        "DELETE",
        WEBHOOK,
        delete,
        name="delete_webhook",
        summary="End a webhook. Nothing is sent any more.",
        verb="delete_webhook",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(204, None, "It is ended."),),
    ),
    Route(
        "GET",
        f"{WEBHOOK}/deliveries",
        list_deliveries,
        name="list_deliveries",
        summary="List what was sent, newest first, with every attempt.",
        verb="deliveries",
        query=DeliveriesAsked,
        body=NO_BODY,
        gives=(Gives(200, DeliveryPage, "A page."),),
    ),
    Route(
        "GET",
        f"{WEBHOOK}/deliveries/{{delivery_id}}",
        show_delivery,
        name="show_delivery",
        summary="Show one delivery with its payload.",
        verb="delivery",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, Delivery, "The delivery."),),
    ),
    Route(
        "POST",
        f"{WEBHOOK}/redeliver",
        redeliver,
        name="redeliver",
        summary="Send deliveries again: some, or all that failed since an instant.",
        verb="redeliver",
        query=Nothing,
        body=takes(AgainBody),
        gives=(Gives(200, Queued, "How many are queued."),),
        refuses=(409,),
    ),
)
