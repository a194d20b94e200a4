"""A small shop whose contracts are right, and what stands in its files."""

from aob.core.contract import check_set
from aob.core.contract.sources import Sources
from aob.core.errors import Problem

EVENTS = """\
event: order.created
version: 1
owner: shop
description: An order was placed.
subject: data.customer_id
fields:
  order_id: {type: string, maxLength: 64}
  customer_id: {type: string, pii: identity}
  session: string
  amount: {type: number, minimum: 0, unit: EUR}
  tip: {type: number, unit: USD}
  items: integer
  currency: {type: string, enum: [EUR, USD]}
  paid: {type: number, unit: data.currency}
  region: string
  coupon: {type: string, optional: true}
  lines:
    type: array
    items: {type: object, fields: {sku: string, price: {type: number, unit: EUR}}}
rules:
  - {name: has_items, rule: "data.items > 0", message: an order has at least one item}
enrich: [order_size]
entities:
  - {entity: order, key: data.order_id, set: {status: "'placed'", amount: data.amount}}
---
event: order.refunded
fields:
  order_id: string
  session: string
  amount: {type: number, unit: EUR}
  ordered_at: timestamp
  region: string
"""
METRICS = """\
metric: revenue
type: sum
unit: EUR
owner: finance
moves:
  - {on: order.created, value: data.amount, when: "data.currency == 'EUR'"}
  - {on: order.refunded, value: data.amount, retract: true, at: timestamp(data.ordered_at)}
dimensions: [region]
windows:
  - 1m
  - {name: today, tumbling: day, zone: Europe/Berlin}
  - {name: five, hopping: 5m, every: 1m}
  - {to_date: month}
  - all
slo: {objective: freshness, limit: 5s, target: 0.99, window: 1h}
---
metric: orders
type: count
moves: [{on: order.created}]
dimensions: {area: data.region, size: enriched.order_size}
---
metric: order_value
type: derived
unit: EUR
value: revenue / orders
---
metric: refund_rate
type: ratio
numerator: [{on: order.refunded}]
denominator: [{on: order.created}]
---
metric: checkout
type: funnel
key: data.session
within: 30m
steps: [placed, refunded]
moves: [{on: order.created, step: placed}, {on: order.refunded, step: refunded}]
"""
ALERTS = """\
- alert: refunds_high
  metric: refund_rate
  window: 5m
  when: value > 0.2
  clear: value < 0.1
  for: 30s
  start: {workflow: order_incident, inputs: {rate: value}, cooldown: 10m}
- slo: rate_low
  metric: refund_rate
  objective: value
  good: value < 0.1
  target: 0.99
"""
SHOP = {"events.yaml": EVENTS, "metrics.yaml": METRICS, "alerts.yaml": ALERTS}


def problems_of(files: dict[str, str]) -> list[Problem]:
    """Everything that is wrong with files, as a person is told it."""
    sources = Sources(files)
    return [*sources.problems, *sources.located(check_set(sources.set))]


def with_change(name: str, old: str, new: str) -> dict[str, str]:
    """The shop with one place written in another way."""
    assert old in SHOP[name]
    return {**SHOP, name: SHOP[name].replace(old, new, 1)}
