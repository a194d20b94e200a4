"""A shop that never was: sessions, carts, orders, payments that fail, refunds and stock, told by three systems.

In: a seed and `Wishes`. Out: events in the order in which they arrive, each an object as it is sent. No clock: time is
an argument. Event types and fields are those of `examples/shop/contracts`.
"""

import heapq
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from aob.core.answers import JsonObject

STORE: Final = "shop/web-store"
GATEWAY: Final = "shop/payment-gateway"
WAREHOUSE: Final = "shop/inventory"
REGIONS: Final = ("north", "south", "east", "west")
METHODS: Final = ("card", "card", "card", "wallet", "transfer")
REASONS: Final = ("insufficient funds", "card expired", "refused by the bank")
COMPLAINTS: Final = ("broken", "too late", "not as shown", "changed my mind")
ARTICLES: Final = {"mug": 12.0, "pen": 3.5, "lamp": 49.0, "chair": 120.0, "poster": 18.0, "notebook": 7.25}
EVENTS_PER_SESSION: Final = 4.07
"""What a session comes to on average: it tells how many sessions make a rate."""
DAY_S: Final = 86_400.0
OPTIONAL: Final = frozenset(("sku",))
"""What an event may do without, in one of the contracts at least."""
RECENT: Final = 4_096
"""Events from which a repeat is drawn."""


class Wishes(msgspec.Struct, frozen=True):
    """`rate` events a second on average; `bad`, `late` and `duplicate` are shares of all events (0 to 1); `rhythm` lets
    days have evenings and nights; `refunds` is the share of paid orders that is refunded."""

    rate: float = 100.0
    bad: float = 0.0
    late: float = 0.0
    duplicate: float = 0.0
    late_s: float = 120.0
    refunds: float = 0.03
    failures: float = 0.06
    rhythm: bool = True


class Shop:
    """One seeded shop. `events(start_s)` goes on for ever; `refunds` may be changed while it does."""

    def __init__(self, seed: int, wishes: Wishes = Wishes()) -> None:  # noqa: B008  # frozen
        self.seed, self.wishes = seed, wishes
        self.refunds = wishes.refunds
        self._dice = random.Random(seed)
        self._tag = str(seed)
        self._number = 0
        self._sessions = 0
        self._orders = 0
        self._due: list[tuple[float, int, JsonObject]] = []
        self._stock = dict.fromkeys(ARTICLES, 5_000)
        self._recent: list[JsonObject] = []
        self._tie = 0
        self._refused: list[str] = []

    def events(self, start_s: float, *, open_s: float = 0.0) -> Iterator[tuple[float, JsonObject]]:
        """(when it arrives, in seconds since 1970; the event), in that order, without end. The shop has been open for
        `open_s` when the first one comes: its sessions are under way, and events come at their rate. Ids hold the seed
        and the start, so that a shop that opens again sends no repeats."""
        self._tag = f"{self.seed}-{_letters(int(start_s))}"
        return ((at, event) for at, event in self._events(start_s - open_s) if at >= start_s)

    def _events(self, at: float) -> Iterator[tuple[float, JsonObject]]:
        while True:
            wait = self._dice.expovariate(self._sessions_per_s(at))
            while self._due and self._due[0][0] <= at + wait:
                due, _, event = heapq.heappop(self._due)
                yield from self._sent(due, event)
            at += wait
            self._session(at)

    def _sessions_per_s(self, at: float) -> float:
        rhythm = 1.0 + 0.6 * math.sin((at % DAY_S) / DAY_S * 2 * math.pi - 2.2) if self.wishes.rhythm else 1.0
        return max(0.001, self.wishes.rate / EVENTS_PER_SESSION * rhythm)

    # -- what happens -------------------------------------------------------------------------------------------------

    def _session(self, at: float) -> None:
        dice = self._dice
        self._sessions += 1
        session = f"s-{self._tag}-{self._sessions}"
        channel = "app" if dice.random() < 0.35 else "web"
        views = min(12, 1 + int(dice.expovariate(0.45)))
        page, sku = "home", ""
        for _ in range(views):
            data: JsonObject = {"session": session, "page": page, "channel": channel}
            if page == "product":
                sku = dice.choice(list(ARTICLES))
                data["sku"] = sku
            self._plan(at, STORE, "page.viewed", session, data)
            at += dice.expovariate(1 / 4.0)
            page = "product"
        if sku and dice.random() < 0.62:
            quantity = 1 + int(dice.expovariate(1.2))
            self._plan(at, STORE, "cart.updated", session, {"session": session, "sku": sku, "quantity": quantity})
            at += dice.expovariate(1 / 6.0)
            if dice.random() < 0.75:
                self._plan(
                    at, STORE, "page.viewed", session, {"session": session, "page": "checkout", "channel": channel}
                )
                self._order(at + dice.expovariate(1 / 5.0), session, sku, quantity, channel)

    def _order(self, at: float, session: str, sku: str, quantity: int, channel: str) -> None:
        dice = self._dice
        self._orders += 1
        order, region = f"o-{self._tag}-{self._orders}", dice.choice(REGIONS)
        customer = f"c-{int(dice.paretovariate(0.7)) % 20_000}"
        amount = round(ARTICLES[sku] * quantity * dice.choice((1.0, 1.0, 1.0, 0.9)), 2)
        self._plan(at, STORE, "order.created", order, {
            "order_id": order, "session": session, "customer_id": customer, "amount": amount, "currency": "EUR",
            "items": quantity, "sku": sku, "region": region, "channel": channel,
        })  # fmt: skip
        at += dice.expovariate(1 / 2.0)
        payment = {"order_id": order, "amount": amount, "method": dice.choice(METHODS), "region": region}
        if dice.random() < self.wishes.failures:
            self._plan(at, GATEWAY, "payment.failed", order, payment | {"reason": dice.choice(REASONS)})
            return
        self._plan(at, GATEWAY, "payment.captured", order, payment)
        self._stock[sku] -= quantity
        if self._stock[sku] < 100:
            self._stock[sku] += 5_000
        self._plan(at + 0.5, WAREHOUSE, "stock.adjusted", sku, {"sku": sku, "level": max(0, self._stock[sku])})
        # Decided when it is due: a wave of refunds takes orders that were placed before it.
        self._plan(at + 2.0 + dice.expovariate(1 / 4.0), GATEWAY, "", order, {
            "order_id": order, "amount": amount, "reason": dice.choice(COMPLAINTS), "region": region,
        })  # fmt: skip

    def _plan(self, at: float, source: str, kind: str, subject: str, data: JsonObject) -> None:
        self._tie += 1
        event = {"source": source, "type": kind, "subject": subject, "at": at, "data": data}
        heapq.heappush(self._due, (at, self._tie, event))

    # -- how it is sent -----------------------------------------------------------------------------------------------

    def _sent(self, due: float, event: JsonObject) -> Iterator[tuple[float, JsonObject]]:
        dice, wishes = self._dice, self.wishes
        if not event["type"]:
            if dice.random() >= self.refunds:
                return
            event["type"] = "order.refunded"
        at = event.pop("at")
        if "id" not in event:
            self._number += 1
            event = {"id": f"e-{self._tag}-{self._number}", "time": _rfc3339(at), **event}
            if dice.random() < wishes.late:
                self._tie += 1
                later = due + dice.expovariate(1 / max(0.001, wishes.late_s))
                heapq.heappush(self._due, (later, self._tie, {**event, "at": at}))
                return
            if dice.random() < wishes.bad:
                event = _spoiled(event, dice)
        yield due, event
        if len(self._recent) < RECENT:
            self._recent.append(event)
        else:
            self._recent[dice.randrange(RECENT)] = event
        if dice.random() < wishes.duplicate:
            yield due, dice.choice(self._recent)


def _letters(number: int) -> str:
    """A number in as few letters and digits as there are."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    found = ""
    while number:
        number, digit = divmod(number, 36)
        found = digits[digit] + found
    return found or "0"


def _spoiled(event: JsonObject, dice: random.Random) -> JsonObject:
    """An event that the gate must refuse: a field that is missing, of another type or null, or a type unknown."""
    data = dict(event["data"])
    name = dice.choice(sorted(set(data) - OPTIONAL))
    match dice.randrange(4):
        case 0:
            del data[name]
        case 1:
            data[name] = [data[name]]
        case 2:
            data[name] = None
        case _:
            return {**event, "type": event["type"] + ".unknown"}
    return {**event, "data": data}


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
