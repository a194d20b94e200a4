"""A till: the contracts of a small world for tests of folds, and its events made from a few drawn numbers."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from aob.core.accepted_event import Event
from aob.core.contract import read_contracts
from aob.core.ingest.shape import shape_of

NOW: Final = 1_792_899_000_000  # 2026-10-25T03:30:00Z, the night in which clocks of Berlin go back
SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000
DAY: Final = 86_400_000
WINDOWS: Final = ("10s", "1h", "1d", "7d", "today", "five", "month_to_date", "all")
_COMMON: Final = """
dimensions: [region, channel]
windows:
  - 10s
  - 1h
  - 1d
  - 7d
  - {name: today, tumbling: day, zone: Europe/Berlin}
  - {name: five, hopping: 5m, every: 1m}
  - {to_date: month, zone: Asia/Kolkata}
  - all
"""
_FIELDS: Final = """
version: 1
fields:
  amount: {type: number}
  region: {type: string}
  channel: {type: string}
  customer: {type: string}
  coupon: {type: string, optional: true}
"""
_TYPES: Final = {
    "orders": "type: count\nmoves: [{on: sold}]",
    "revenue": "type: sum\nmoves: [{on: sold, value: data.amount}, {on: refunded, value: data.amount, retract: true}]",
    "large": "type: count\nmoves: [{on: sold, when: 'data.amount > 5.0'}]",
    "mean": "type: average\nmoves: [{on: sold, value: data.amount}]",
    "refund_rate": "type: ratio\nnumerator: [{on: refunded}]\ndenominator: [{on: sold}]",
    "least": "type: min\nmoves: [{on: sold, value: data.amount}]",
    "most": "type: max\nexact: true\nmoves: [{on: sold, value: data.amount}, "
    "{on: refunded, value: data.amount, retract: true}]",
    "newest": "type: last\nmoves: [{on: sold, value: data.amount}]",
    "buyers": "type: distinct\nmoves: [{on: sold, value: data.customer}]",
    "spread": "type: percentile\nquantiles: [0.5, 0.9]\nmoves: [{on: sold, value: data.amount}]",
    "best": "type: top\nk: 2\nmoves: [{on: sold, value: data.customer}]",
    "coupons": "type: distinct\nmoves: [{on: sold, when: 'has(data.coupon)', value: data.coupon}]",
    "net": "type: derived\nvalue: revenue / orders",
}
METRICS: Final = tuple(_TYPES)


class Drawn(NamedTuple):
    """What an event is made of."""

    ago_ms: int
    refund: bool = False
    amount: float = 1.0
    region: str = "eu"
    channel: str = "web"
    customer: str = "ann"
    source: str = "till"


def contracts_text(budget: int = 1_000) -> str:
    """The contracts as a file."""
    events = "\n---\n".join(f"event: {name}{_FIELDS}" for name in ("sold", "refunded"))
    metrics = "\n---\n".join(
        f"metric: {name}\nversion: 1\nbudget: {budget}\n{body}{_COMMON}" for name, body in _TYPES.items()
    )
    return f"{events}\n---\n{metrics}"


CONTRACTS: Final = read_contracts({"till.yaml": contracts_text()})
_DATA: Final = shape_of(CONTRACTS.events["sold"][1].schema).type


def events_of(drawn: Iterable[Drawn], now_ms: int = NOW) -> list[Event]:
    """Accepted events, numbered in their order."""
    return [
        Event(
            str(offset), each.source, "refunded" if each.refund else "sold", at_ms=now_ms - each.ago_ms, offset=offset,
            data=_DATA(amount=each.amount, region=each.region, channel=each.channel, customer=each.customer),
        )
        for offset, each in enumerate(drawn)
    ]  # fmt: skip
