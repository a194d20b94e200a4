"""Built-in enrichments: pure functions of an event's `data` to a text or a number, stored with the event for ever."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import UNSET

from aob.core.expression.library import Value


class Enrichment(msgspec.Struct, frozen=True):
    """`run(data)` returns the value; `kind` is its CEL type; `reads` are the fields it uses."""

    run: Callable[[Value], str | float]
    kind: str
    reads: tuple[str, ...]
    doc: str


def field_of(data: Value, name: str) -> Value:
    """A field of data, which may be a struct or an object; None when missing."""
    value = data.get(name) if isinstance(data, dict) else getattr(data, name, None)
    return None if value is UNSET else value


def _number(data: Value, *names: str) -> float | None:
    for name in names:
        value = field_of(data, name)
        if type(value) is int or type(value) is float:
            return float(value)
    return None


SMALL_BELOW: Final = 50.0
LARGE_FROM: Final = 500.0


def order_size(data: Value) -> str:
    """`small` below 50, `large` from 500, `medium` between, by amount (or total); by items where there is none."""
    amount = _number(data, "amount", "total")
    if amount is None:
        items = _number(data, "items", "quantity")
        if items is None:
            return "unknown"
        amount = items * SMALL_BELOW / 2
    return "small" if amount < SMALL_BELOW else "large" if amount >= LARGE_FROM else "medium"


_CLICKS: Final[Mapping[str, str]] = {
    "home": "browse", "product": "interest", "search": "interest", "category": "browse", "cart": "intent",
    "checkout": "intent", "order": "purchase", "thanks": "purchase",
}  # fmt: skip


def click_class(data: Value) -> str:
    """What a page view means: `browse`, `interest`, `intent`, `purchase`, or `other`."""
    page = field_of(data, "page")
    if type(page) is not str:
        return "other"
    return _CLICKS.get(page) or _CLICKS.get(page.strip("/").partition("/")[0].lower(), "other")


_RISKY: Final[Mapping[str, float]] = {"card": 0.2, "crypto": 0.6, "transfer": 0.1, "invoice": 0.3, "wallet": 0.15}


def payment_risk(data: Value) -> float:
    """From 0 to 1: by amount, by the way of paying, and by a country that is not that of the order."""
    risk = _RISKY.get(str(field_of(data, "method")), 0.25)
    amount = _number(data, "amount", "total")
    if amount is not None and amount >= LARGE_FROM:
        risk += 0.3
    here, there = field_of(data, "country"), field_of(data, "card_country")
    if here is not None and there is not None and here != there:
        risk += 0.3
    return min(1.0, round(risk, 2))


BUILTIN: Final[Mapping[str, Enrichment]] = {
    "order_size": Enrichment(order_size, "string", ("amount", "total", "items", "quantity"), order_size.__doc__ or ""),
    "click_class": Enrichment(click_class, "string", ("page",), click_class.__doc__ or ""),
    "payment_risk": Enrichment(
        payment_risk, "double", ("method", "amount", "total", "country", "card_country"), payment_risk.__doc__ or ""
    ),
}
