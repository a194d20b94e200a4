"""How long an owner may act on its lease: two thirds of it, counted from before it asked. What it may not do then
(answer a read, send a frame, dispatch a job) no store would stop; a commit is stopped by the epoch alone."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

ACTS: Final = Fraction(2, 3)
"""The part of a lease during which its owner acts; the rest is for what is on its way."""
RENEWS: Final = Fraction(1, 3)
"""The part of a lease after which it is renewed."""


class Tenure:
    """One owner's right to act for one shard. `steady_s` is a clock that also counts while the machine sleeps."""

    def __init__(self, lease_s: float, steady_s: Callable[[], float]) -> None:
        self._acts_s, self._steady_s = float(lease_s * ACTS), steady_s
        self._until_s = -1.0

    def renewed(self, asked_s: float) -> None:
        """The store has granted what was asked for at this time of the clock."""
        self._until_s = max(self._until_s, asked_s + self._acts_s)

    def lost(self) -> None:
        """It is over, whatever the clock says."""
        self._acts_s, self._until_s = 0.0, -1.0

    @property
    def acts(self) -> bool:
        """Whether the owner may act now."""
        return self._steady_s() < self._until_s
