"""A small shop for the oracle: its contracts, and streams of its events that come late, twice, out of order or broken.

Amounts are multiples of a quarter, so that sums of floats are exact in any order.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_WINDOWS: Final = """windows:
  - 10s
  - 1m
  - 15m
  - 1h
  - 6h
  - 1d
  - 7d
  - 90d
  - {name: this_minute, tumbling: minute}
  - {name: this_hour, tumbling: hour}
  - {name: today, tumbling: day, zone: Europe/Berlin}
  - {name: today_ny, tumbling: day, zone: America/New_York}
  - {name: quarter_day, tumbling: 6h, zone: Europe/Berlin}
  - {name: this_week, tumbling: week, zone: Europe/Berlin}
  - {name: this_month, tumbling: month, zone: Asia/Kolkata}
  - {name: five, hopping: 5m, every: 1m}
  - {name: day_to_date, to_date: day, zone: Europe/Berlin}
  - {name: month_to_date, to_date: month}
  - {name: year_to_date, to_date: year, zone: America/New_York}
  - all
"""
_ORDER_FIELDS: Final = """fields:
  order_id: {type: string}
  customer: {type: string}
  session: {type: string}
  amount: {type: number, minimum: 0}
  currency: {type: string, enum: [EUR, USD]}
  region: {type: string}
  channel: {type: string}
  item: {type: string}
"""
_EVENTS: Final = f"""
event: order.created
version: 1
owner: shop
{_ORDER_FIELDS}
entities:
  - {{entity: order, key: data.order_id, set: {{status: "'placed'", amount: data.amount}}}}
---
event: order.refunded
version: 1
owner: shop
{_ORDER_FIELDS}  ordered_at: {{type: string, format: date-time}}
entities:
  - {{entity: order, key: data.order_id, set: {{status: "'refunded'"}}}}
---
event: page.viewed
version: 1
owner: shop
fields: {{session: {{type: string}}, region: {{type: string}}, channel: {{type: string}}}}
---
event: cart.updated
version: 1
owner: shop
fields: {{session: {{type: string}}, region: {{type: string}}, channel: {{type: string}}}}
---
event: payment.captured
version: 1
owner: shop
fields: {{order_id: {{type: string}}, region: {{type: string}}, channel: {{type: string}}, fee: {{type: number}}}}
---
event: stock.adjusted
version: 1
owner: shop
fields: {{sku: {{type: string}}, level: {{type: integer}}}}
"""
_BACK: Final = 'retract: true, at: "timestamp(data.ordered_at)"'


def _metric(name: str, kind: str, moves: list[str], more: str = "", dimensions: str = "[region, channel]") -> str:
    listed = "".join(f"\n  - {{{move}}}" for move in moves)
    head = f"---\nmetric: {name}\nversion: 1\nowner: shop\ntype: {kind}\nmoves:{listed}\n{more}"
    return f"{head}\ndimensions: {dimensions}\n{_WINDOWS}"


def _both(value: str, more: str = "") -> list[str]:
    value = f", value: {value}" if value else ""
    return [f"on: order.created{value}{more}", f"on: order.refunded{value}{more}, {_BACK}"]


_STEPS: Final = ["on: page.viewed, step: 0", "on: cart.updated, step: 1", "on: order.created, step: 2"]
_SIDES: Final = ["on: order.created, step: 0", "on: payment.captured, step: 1"]
_EUR: Final = ''', when: "data.currency == 'EUR'"'''
CONTRACTS: Final = {
    "events.yaml": _EVENTS,
    "metrics.yaml": "".join((
        _metric("orders", "count", _both("")),
        _metric("revenue", "sum", _both("data.amount", _EUR)),
        _metric("smallest", "min", ["on: order.created, value: data.amount"]),
        _metric("cheapest", "min", _both("data.amount"), "on_retract: refold"),
        _metric("largest", "max", _both("data.amount"), "exact: true"),
        _metric("mean", "average", _both("data.amount")),
        f"---\nmetric: refund_rate\nversion: 1\nowner: shop\ntype: ratio\nnumerator:\n  - {{on: order.refunded}}\n"
        f"denominator:\n  - {{on: order.created}}\ndimensions: [region, channel]\n{_WINDOWS}",
        f"---\nmetric: aov\nversion: 1\nowner: shop\ntype: derived\nvalue: revenue / orders\n"
        f"dimensions: [region, channel]\n{_WINDOWS}",
        _metric("buyers", "distinct", _both("data.customer"), "exact: true"),
        _metric("visitors", "distinct", ["on: page.viewed, value: data.session"]),
        _metric("spread", "percentile", _both("data.amount"), "exact: true\nquantiles: [0.5, 0.07, 0.95]"),
        _metric("bestsellers", "top", _both("data.item"), "exact: true\nk: 3"),
        _metric("earners", "top", _both("data.item", ", weight: data.amount"), "exact: true\nk: 3"),
        _metric("stock", "last", ["on: stock.adjusted, value: data.level"], dimensions="[sku]"),
        _metric("checkout", "funnel", _STEPS, "key: data.session\nwithin: 30m\nsteps: [view, cart, order]"),
        _metric("twice", "funnel", ["on: page.viewed, step: 0", "on: page.viewed, step: 1"],
                "key: data.session\nwithin: 30m\nsteps: [first, second]"),
        _metric("visits", "sessions", ["on: page.viewed", "on: cart.updated"], "key: data.session\nwithin: 10m"),
        _metric("time_to_pay", "join", _SIDES, "key: data.order_id\nwithin: 1h"),
        _metric("again", "join", ["on: page.viewed, step: 0", "on: page.viewed, step: 1"],
                "key: data.session\nwithin: 1h"),
        _metric("fees", "join", _SIDES, "key: data.order_id\nwithin: 1h\nvalue: right.data.fee / left.data.amount"),
    )),
}  # fmt: skip
"""Contract files, by name."""
REGIONS: Final = ("eu", "us", "asia")
CHANNELS: Final = ("web", "app")


class Sent(NamedTuple):
    """What is sent: when, the event as an object (None: the line is no JSON at all), its line, whether it is right."""

    at_ms: int
    event: dict[str, Any] | None
    line: bytes
    good: bool


def stream(seed: int, count: int, now_ms: int, spread_ms: int, late_max_ms: int) -> list[Sent]:
    """About `count` events of the last `spread_ms` before `now_ms`, most of them recent, in an order of arrival that
    is roughly that of time; some late (by `late_max_ms` at most), some twice (even with other content), some broken."""
    dice = random.Random(seed)
    events = [event for number in range(count // 6) for event in _shopper(dice, number, now_ms, spread_ms)]
    ranked = []
    for event in events:
        late_ms = dice.choice([0, dice.randrange(3_000), dice.randrange(20_000), dice.randrange(spread_ms)])
        late_ms = min(late_ms, late_max_ms)
        ranked.append((min(event["time_ms"] + late_ms, now_ms), event))
    ranked.sort(key=lambda pair: (pair[0], pair[1]["id"]))
    sent = [Sent(at_ms, event, _line(dice, event), True) for at_ms, event in ranked]
    for _ in range(count // 10):
        index = dice.randrange(len(sent))
        again = sent[index]
        if again.event is None:
            continue
        if dice.random() < 0.3:
            again = again._replace(line=_line(dice, again.event | {"time_ms": again.event["time_ms"] - 1}))
        place = dice.randrange(index, len(sent))
        sent.insert(place + 1, again._replace(at_ms=sent[place].at_ms))
    for number in range(count // 20):
        place = dice.randrange(len(sent))
        sent.insert(place, _broken(dice, dice.choice(events), number)._replace(at_ms=sent[place].at_ms))
    return sent


def batches(sent: list[Sent], dice: random.Random) -> Iterator[list[Sent]]:
    """The stream in pieces of all sizes."""
    start = 0
    while start < len(sent):
        size = dice.choice([1, 2, 10, 60])
        yield sent[start : start + size]
        start += size


def _shopper(dice: random.Random, number: int, now_ms: int, spread_ms: int) -> Iterator[dict[str, Any]]:
    """What one visitor does: looks, perhaps fills a cart, orders, pays, sends it back; and stock that changes."""
    share = dice.choice([1.0, 1.0, 0.1, 0.01])
    at_ms = now_ms - dice.randrange(1, max(int(spread_ms * share), 2))
    region, channel, session = dice.choice(REGIONS), dice.choice(CHANNELS), f"s{dice.randrange(max(number, 1))}"
    where = {"region": region, "channel": channel}
    pace_ms = dice.choice([500, 30_000, 5 * MINUTE, 20 * MINUTE])
    count = 0

    def event(type: str, data: dict[str, Any], most_ms: int = pace_ms) -> dict[str, Any]:
        nonlocal at_ms, count
        count += 1
        told = {"id": f"{number}-{count}", "source": f"shop/{number % 3}", "type": type, "time_ms": at_ms, "data": data}
        at_ms = min(at_ms + dice.randrange(most_ms), now_ms - 1)
        return told

    for _ in range(dice.choice([1, 1, 3])):
        yield event("page.viewed", {"session": session, **where})
    if dice.random() < 0.8:
        yield event("cart.updated", {"session": session, **where})
    if dice.random() < 0.3:
        sku = f"sku{dice.randrange(4)}"
        for _ in range(3):
            yield event("stock.adjusted", {"sku": sku, "level": dice.randrange(100)}, 300)
    if dice.random() < 0.8:
        ordered_ms = at_ms
        order = {
            "order_id": f"o{number}", "customer": f"c{dice.randrange(30)}", "session": session,
            "amount": dice.randrange(1, 60) / 4, "currency": dice.choice(["EUR", "EUR", "USD"]),
            "item": f"item{int(dice.paretovariate(1)) % 12}", **where,
        }  # fmt: skip
        yield event("order.created", order)
        if dice.random() < 0.8:
            yield event("payment.captured", {"order_id": order["order_id"], "fee": dice.randrange(8) / 4, **where})
        if dice.random() < 0.25:
            yield event("order.refunded", order | {"ordered_at": instant(ordered_ms)})


def instant(at_ms: int) -> str:
    """RFC 3339 of ms since 1970."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def _line(dice: random.Random, event: dict[str, Any]) -> bytes:
    told = {name: value for name, value in event.items() if name != "time_ms"}
    told["time"] = instant(event["time_ms"]) if dice.random() < 0.8 else event["time_ms"] / 1_000
    names = list(told)
    dice.shuffle(names)
    return json.dumps({name: told[name] for name in names}).encode()


def _broken(dice: random.Random, event: dict[str, Any], number: int) -> Sent:
    event = {**event, "id": f"broken-{number}", "data": dict(event["data"])}
    how = dice.randrange(4)
    if how == 0:
        return Sent(0, None, b'{"id": "x", "type": "order.created", ', False)
    if how == 1:
        event["data"].pop(next(iter(event["data"])))
    elif how == 2:
        event["type"] = "order.forgotten"
    else:
        event["data"][next(iter(event["data"]))] = [1]
    return Sent(0, event, _line(dice, event), False)
