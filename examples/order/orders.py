"""Seeded orders: the same seed gives the same orders. Three kinds: normal, big (many lines), failing (out of stock)."""

import random
from dataclasses import dataclass, field
from typing import Final

FIRST_NUMBER: Final = 1001
BIG_LINES: Final = 1_200
"""Enough that a big order's JSON passes 64 KiB, so that it is kept as a file of the blob folder."""

PRODUCTS: Final = (
    ("chair", 129.0), ("table", 349.0), ("lamp", 59.5), ("shelf", 89.0), ("sofa", 799.0), ("desk", 259.0),
    ("rug", 119.0), ("mirror", 75.0),
)  # fmt: skip
PEOPLE: Final = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Tony", "Radia")
COUNTRIES: Final = ("DE", "FR", "SE")
MIX: Final = ("normal", "big", "failing")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order; the price is of one piece, in EUR."""

    sku: str
    product: str
    quantity: int
    price: float


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody ordered. `in_stock` is what the warehouse will find out when it is asked to ship."""

    order_id: str
    customer: str
    email: str
    country: str
    lines: tuple[Line, ...] = field(repr=False)
    in_stock: bool = True

    @property
    def total(self) -> float:
        """The sum of all lines in EUR."""
        return round(sum(line.quantity * line.price for line in self.lines), 2)

    def as_json(self) -> dict[str, object]:
        """The order as the shop shows it; whether it is in stock is not known to it."""
        return {
            "order_id": self.order_id,
            "customer": {"name": self.customer, "email": self.email, "country": self.country},
            "lines": [
                {"sku": line.sku, "product": line.product, "quantity": line.quantity, "price": line.price}
                for line in self.lines
            ],
            "count": len(self.lines),
            "total": self.total,
            "currency": "EUR",
        }


def generate(seed: int, count: int) -> dict[str, Order]:
    """`count` orders by id: a normal, a big and a failing one, and so on in turn."""
    dice = random.Random(seed)
    return {order.order_id: order for order in (_order(dice, number, MIX[number % 3]) for number in range(count))}


def _order(dice: random.Random, number: int, kind: str) -> Order:
    person = dice.choice(PEOPLE)
    lines = BIG_LINES if kind == "big" else dice.randint(1, 3)
    return Order(
        order_id=f"o-{FIRST_NUMBER + number}",
        customer=person,
        email=f"{person.lower()}@customers.example",
        country=COUNTRIES[number // 3 % len(COUNTRIES)],
        lines=tuple(_line(dice, kind) for _ in range(lines)),
        in_stock=kind != "failing",
    )


def _line(dice: random.Random, kind: str) -> Line:
    product, price = dice.choice(PRODUCTS)
    quantity = dice.randint(2, 9) if kind == "big" else 1
    return Line(f"{product}-{dice.randint(100, 999)}", product, quantity, price)
