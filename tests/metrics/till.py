"""A small shop for tests of live numbers on a home: its contracts, its events, and its numbers counted by SQL."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.compose import App
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller

SHOP: Final = """
event: sold
version: 1
owner: shop
fields:
  order_id: {type: string}
  amount: {type: number, minimum: 0, unit: EUR}
  region: {type: string}
  customer: {type: string}
entities: [{entity: order, key: data.order_id, set: {amount: data.amount, region: data.region}}]
---
event: refunded
version: 1
owner: shop
fields:
  order_id: {type: string}
  amount: {type: number, minimum: 0, unit: EUR}
  region: {type: string}
  customer: {type: string}
---
metric: sales
version: 1
type: count
moves: [{on: sold}]
dimensions: [region]
windows: [1h, 1m, all]
---
metric: revenue
version: 1
type: sum
unit: EUR
moves: [{on: sold, value: data.amount}, {on: refunded, value: data.amount, retract: true}]
dimensions: [region]
windows: [all, 1h]
---
metric: buyers
version: 1
type: distinct
moves: [{on: sold, value: data.customer}]
windows: [all, 1h]
---
metric: largest
version: 1
type: max
on_retract: refold
moves: [{on: sold, value: data.amount}, {on: refunded, value: data.amount, retract: true}]
windows: [all, 1h]
---
metric: mean
version: 1
type: derived
value: "revenue / sales"
windows: [all, 1h]
"""
ALL: Final = MetricQuery("sales", window="all")
NAMES: Final = ("sales", "revenue", "buyers", "mean")
"""Numbers that one row of SQL tells."""
OTHER: Final = Caller("other", "olga", frozenset({"admin"}))


def sold(number: int | str, amount: float = 1.0, region: str = "north", **more: Any) -> dict[str, Any]:
    """A sale; its id is its order's."""
    data = {"order_id": f"o-{number}", "amount": amount, "region": region, "customer": f"c-{hash(str(number)) % 7}"}
    return {"type": "sold", "source": "till", "id": f"sold-{number}", "data": data, **more}


def refunded(number: int | str, amount: float = 1.0, region: str = "north", **more: Any) -> dict[str, Any]:
    """Money that went back. What cannot be subtracted is only taken back in its own tile: give both the same time."""
    data = {"order_id": f"o-{number}", "amount": amount, "region": region, "customer": "c"}
    return {"type": "refunded", "source": "till", "id": f"refunded-{number}", "data": data, **more}


async def numbers(app: App) -> dict[str, Any]:
    """What the home says."""
    return {name: (await app.metric(name, window="all"))["value"] for name in NAMES}


def recount(home: Path, tenant: str = "default") -> dict[str, Any]:
    """What SQL says of the log of a home."""
    with closing(sqlite3.connect(f"file:{home / 'gate.db'}?mode=ro", uri=True)) as db:
        sales, bought, revenue, buyers = db.execute(
            """select count(*) filter (where type = 'sold'), count(distinct source || ' ' || id),
                      coalesce(sum(iif(type = 'sold', 1, -1) * (data ->> 'amount')), 0.0),
                      count(distinct iif(type = 'sold', data ->> 'customer', null))
               from events where tenant = ? and type in ('sold', 'refunded')""", (tenant,)
        ).fetchone()  # fmt: skip
        events = db.execute("select coalesce(sum(count), 0) from row where tenant = ?", (tenant,)).fetchone()[0]
    assert bought == events, "an event lies in the log twice"
    return {"sales": sales, "revenue": revenue, "buyers": buyers, "mean": revenue / sales if sales else None}


def counts(app: App) -> dict[str, int]:
    """The gate's conservation, as health tells it."""
    told = app.metrics._health()["gate"]
    return {name: told[name] for name in ("received", "accepted", "duplicate", "rejected")}


async def ingest_as(app: App, who: Caller, *events: dict[str, Any]) -> dict[str, Any]:
    """Events of a tenant."""
    lines = msgspec.json.Encoder().encode_lines(events)
    told: dict[str, Any] = msgspec.json.decode(await app.metrics.ingest(who, lines))
    return told


class Signal:
    """Awaitable: the next time that something happens. Hang it where the product calls back."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self, *args: Any) -> None:
        self._event.set()

    async def next(self) -> None:
        """Waits until the signal comes, if it has not come since the last look."""
        async with asyncio.timeout(20):
            await self._event.wait()
        self._event.clear()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds; it is looked at whenever the signal comes."""
        async with asyncio.timeout(20):
            while not holds():
                self._event.clear()
                await self._event.wait()


async def filled(app: App) -> None:
    """Waits until no metric of the home's own tenant is being filled."""
    live = app.metrics.live
    moved = Signal()
    live.moved.append(moved)
    await moved.until(lambda: not live.filling.busy(app.who.tenant) and not live.numbers(app.who.tenant).filling)


async def counted_anew(app: App) -> None:
    """Waits until nothing waits to be counted anew."""
    live = app.metrics.live
    moved = Signal()
    live.moved.append(moved)
    await moved.until(lambda: not live.numbers(app.who.tenant).fold.restating)
