"""The functions of the order workflow. `aob up --app examples/order/handlers.py` finds them by their mark."""

from typing import Final

from aob import node

LARGE_EUR: Final = 1_000.0
RATES_EUR: Final = {"DE": 4.9, "FR": 7.5, "SE": 9.9}
RATE_ELSEWHERE_EUR: Final = 19.0


@node(effect="none", deterministic=True)
def rate(country: str) -> dict[str, float | str]:
    """What shipping to a country costs. The same for every order from there, so it is remembered."""
    return {"country": country, "eur": RATES_EUR.get(country, RATE_ELSEWHERE_EUR)}


@node(effect="none", deterministic=True)
def score(total: float, count: int) -> dict[str, object]:
    """How large and how unusual an order is; `risk` is between 0 and 1."""
    return {"risk": round(min(1.0, total / 500_000 + count / 3_000), 3), "large": total >= LARGE_EUR * 5}
