"""Contracts and lines that the tests of the gate share."""

import json
from typing import Any

from aob.core.contract_model import ContractSet, EventContract, Rule

NOW_MS = 1_800_000_000_000
ORDER = EventContract(
    "order.created", 1,
    {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "minLength": 1, "maxLength": 64},
            "amount": {"type": "number", "minimum": 0},
            "currency": {"type": "string", "enum": ["EUR", "USD"]},
            "items": {"type": "integer", "minimum": 1, "maximum": 1000},
            "coupon": {"type": "string"},
            "email": {"type": "string", "format": "email"},
            "to": {
                "type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
                "required": ["city"],
            },
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "note": {"type": ["string", "null"]},
        },
        "required": ["order_id", "amount", "currency", "items"],
        "additionalProperties": False,
    },
    subject="data.order_id",
    rules=(
        Rule("costs", "data.amount > 0.0 || data.currency == 'USD'", "an order costs something"),
        Rule("coupon", "!has(data.coupon) || data.coupon.startsWith('C')", "coupons begin with C"),
    ),
    enrich=("order_size",),
)  # fmt: skip
ORDER_2 = EventContract(
    "order.placed", 2, {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
)
ORDER_1 = EventContract(
    "order.placed", 1, {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
)
CONTRACTS = ContractSet(events={"order.created": {1: ORDER}, "order.placed": {1: ORDER_1, 2: ORDER_2}})
DATA = {"order_id": "o-1", "amount": 24.5, "currency": "EUR", "items": 2}


def line(id: str = "e-1", data: Any = None, /, *, without: str = "", **attributes: Any) -> bytes:
    """One event on a line."""
    sent = {"id": id, "source": "/shop", "type": "order.created", "time": "2023-11-14T22:13:20.123Z",
            "data": DATA if data is None else data, **attributes}  # fmt: skip
    sent.pop(without, None)
    return json.dumps(sent).encode()


def apart(id: str, data: Any = DATA, **attributes: Any) -> bytes:
    """A line with a subject of its own: several go to several partitions."""
    return line(id, {**data, "order_id": f"o-{id}"}, **attributes)
