"""The shop: a small HTTP service over its orders. It counts every request and ships once per idempotency key."""

from collections import Counter
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from order.orders import Order

HIDDEN: Final = "/_"
"""Paths that begin so are for people who look on, and are not counted."""


class Shop:
    """The orders of one day, what was asked of them, and what was shipped."""

    def __init__(self, orders: dict[str, Order]) -> None:
        self.orders = orders
        self.asked: Counter[str] = Counter()
        self.shipments: dict[str, dict[str, object]] = {}

    def app(self) -> Starlette:
        """The service as an ASGI application."""
        return Starlette(
            routes=[
                Route("/orders/{order_id}", self._show),
                Route("/orders/{order_id}/ship", self._ship, methods=["POST"]),
                Route("/orders/{order_id}/cancel", self._cancel, methods=["POST"]),
                Route("/_count", self._count),
                Route("/_orders", self._list),
            ]
        )

    async def _show(self, request: Request) -> Response:
        self._note(request)
        order = self.orders.get(request.path_params["order_id"])
        return JSONResponse(order.as_json()) if order else _no_such_order(request)

    async def _ship(self, request: Request) -> Response:
        self._note(request)
        order = self.orders.get(request.path_params["order_id"])
        if order is None:
            return _no_such_order(request)
        if not order.in_stock:
            return JSONResponse({"error": "out_of_stock", "order_id": order.order_id}, status_code=409)
        key = request.headers.get("Idempotency-Key", order.order_id)
        shipment: dict[str, object] = {
            "shipment": f"s-{order.order_id}",
            "order_id": order.order_id,
            "carrier": "Loopback Express",
        }
        return JSONResponse(self.shipments.setdefault(key, shipment))

    async def _cancel(self, request: Request) -> Response:
        self._note(request)
        order = self.orders.get(request.path_params["order_id"])
        return JSONResponse({"order_id": order.order_id, "cancelled": True}) if order else _no_such_order(request)

    async def _count(self, request: Request) -> Response:
        return JSONResponse(
            {"total": self.asked.total(), "by_request": dict(self.asked), "shipments": len(self.shipments)}
        )

    async def _list(self, request: Request) -> Response:
        brief = [
            {
                "order_id": order.order_id,
                "count": len(order.lines),
                "kind": "failing" if not order.in_stock else "big" if len(order.lines) > 10 else "normal",
                "total": order.total,
            }
            for order in self.orders.values()
        ]
        return JSONResponse(brief)

    def _note(self, request: Request) -> None:
        if not request.url.path.startswith(HIDDEN):
            self.asked[f"{request.method} {request.url.path}"] += 1


def _no_such_order(request: Request) -> Response:
    return JSONResponse({"error": "no_such_order", "order_id": request.path_params["order_id"]}, status_code=404)
