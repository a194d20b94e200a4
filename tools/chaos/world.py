"""What the load is made of: documents and contracts, and what each means for the outside."""

from collections.abc import Mapping
from typing import Any, Final

ONCE: Final = {"attempts": 1}
"""No retry: one attempt that is counted as failed would end a run."""


def _function(handler: str) -> dict[str, Any]:
    return {"kind": "function", "config": {"handler": handler}, "input": {"n": "inputs.n"}, "retry": ONCE}


def _flow(name: str, nodes: dict[str, Any], *edges: str) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    for number, edge in enumerate(edges):
        start, _, rest = edge.partition(">")
        end, _, on = rest.partition(":")
        lines[f"e{number}"] = {"from": start, "to": end} | ({"on": on} if on else {})
    return {"workflow": name, "inputs": {"type": "object"}, "nodes": nodes, "edges": lines}


FLOWS: Final = {
    "chain": _flow(
        "chain",
        {"look": _function("look"), "nap": {"kind": "timer", "config": {"for": "300ms"}}, "book": _function("book")},
        "look>nap", "nap>book",
    ),
    "paid": _flow(
        "paid",
        {
            "pay": _function("pay"),
            "tell": {
                "kind": "emit", "retry": ONCE,
                "config": {"topic": "payments", "type": "chaos.paid", "subject": "{n}", "data": {"n": "{n}"}},
                "input": {"n": "inputs.n"},
            },
        },
        "pay>tell",
    ),
    "waits": _flow(
        "waits", {"go": {"kind": "wait", "config": {"message": "go"}}, "book": _function("book")}, "go>book"
    ),
    "asked": _flow(
        "asked",
        {"ok": {"kind": "approval", "config": {"text": "go on?"}}, "book": _function("book")}, "ok>book:approved",
    ),
    "patched": _flow(
        "patched", {"go": {"kind": "wait", "config": {"message": "go"}}, "book": _function("book")}, "go>book"
    ),
    "cancelled": _flow(
        "cancelled", {"go": {"kind": "wait", "config": {"message": "go"}}, "book": _function("book")}, "go>book"
    ),
    "mapped": _flow(
        "mapped",
        {
            "each": {
                "kind": "map", "config": {"items": "[inputs.n, inputs.n + 1, inputs.n + 2]", "window": 2},
                "body": {"nodes": {"book": _function("book") | {"input": {"n": "item"}}}, "edges": {}},
            }
        },
    ),
    "quiet": _flow(
        "quiet",
        {
            "nap": {"kind": "timer", "config": {"for": "300ms"}},
            "tell": {
                "kind": "emit", "retry": ONCE,
                "config": {"topic": "payments", "type": "chaos.paid", "subject": "{n}", "data": {"n": "{n}"}},
                "input": {"n": "inputs.n"},
            },
        },
        "nap>tell",
    ),
    "alarm": _flow("alarm", {"nap": {"kind": "timer", "config": {"for": "100ms"}}}),
}  # fmt: skip
"""Workflows by name. `book` is asked for again with the same key at most, `pay` never without a decision. `patched`
waits until it has been patched, `cancelled` until it is cancelled; `alarm` is started by alerts."""
EFFECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "chain": ("look", "book"), "paid": ("pay",), "waits": ("book",), "asked": ("book",), "patched": ("book", "extra"),
    "mapped": ("each[0]/book", "each[1]/book", "each[2]/book"),
}  # fmt: skip
"""The visits of each workflow that must have asked the ledger."""
ALARM: Final = "alarm"
PAYS: Final = ("paid", "quiet")
"""Workflows that tell of a payment."""
MIX: Final = ("chain", "chain", "paid", "paid", "waits", "asked", "patched", "cancelled", "mapped")
"""What is started, each as often as it stands here."""
PATCH: Final = [
    {"op": "add_node", "id": "extra", "node": _function("look")},
    {"op": "connect", "from": "go", "to": "extra"},
]  # fmt: skip
THRESHOLDS: Final = (50, 200, 800, 3_200, 12_800)
"""From how many sales on an alert fires: more than so many."""

CONTRACTS: Final = {
    "chaos.yaml": """
event: chaos.sale
version: 1
owner: chaos
description: Something was sold.
subject: data.till
fields:
  till: {type: string, maxLength: 32}
  amount: {type: integer, minimum: 1, maximum: 1000}
---
event: chaos.paid
version: 1
owner: chaos
description: A run has paid.
fields:
  n: {type: integer, minimum: 1}
---
metric: chaos_sales
version: 1
type: count
unit: sales
owner: chaos
description: Sales.
moves: [{on: chaos.sale}]
dimensions: [till]
windows: [all]
---
metric: chaos_amount
version: 1
type: sum
unit: EUR
owner: chaos
description: Money of sales.
moves: [{on: chaos.sale, value: data.amount}]
windows: [all]
---
metric: chaos_payments
version: 1
type: count
unit: payments
owner: chaos
description: Payments that runs told of.
moves: [{on: chaos.paid}]
windows: [all]
"""
}
ALERTS: Final = {
    "alerts.yaml": "---".join(
        f"""
alert: sales_over_{sales}
metric: chaos_sales
window: all
when: "value > {sales}.0"
start:
  workflow: alarm
  inputs: {{metric: metric, value: value}}
"""
        for sales in THRESHOLDS
    )
}
TILLS: Final = ("north", "south", "east")
