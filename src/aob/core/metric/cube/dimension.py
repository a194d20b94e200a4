"""How many values a dimension may have: values as they come in, the value that they count under out.

What was seen first stays itself, also after a restart; what comes when the budget is spent is `__other__`.
"""

from typing import Final

import msgspec

from aob.core.contract_model import REST

VALUE_MAX: Final = 256
"""Characters of a value; a longer one counts under `__other__`."""
_decode = msgspec.msgpack.Decoder(list[tuple[str, int, int, list[str]]]).decode


class _Dimension:
    __slots__ = ("budget", "overflow", "values")

    def __init__(self, budget: int) -> None:
        self.budget, self.overflow = budget, 0
        self.values: set[str] = set()

    def place(self, value: str) -> str:
        if value in self.values:
            return value
        if value == REST or len(self.values) >= self.budget or len(value) > VALUE_MAX:
            self.overflow += 1
            return REST
        self.values.add(value)
        return value


class Dimensions:
    """The values of all dimensions of a tenant, by name and budget."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Dimension] = {}
        self.changed = False

    def place(self, names: tuple[str, ...], budget: int, values: tuple[str, ...]) -> tuple[str, ...]:
        """The values that these count under."""
        self.changed = True
        return tuple(self._of(name, budget).place(value) for name, value in zip(names, values, strict=True))

    def overflowed(self, names: tuple[str, ...], budget: int) -> list[str]:
        """Which of these dimensions have had more values than their budget."""
        return [name for name in names if (name, budget) in self._known and self._known[name, budget].overflow]

    def knows(self, name: str, budget: int, value: str) -> bool:
        """Whether a dimension has had this value."""
        known = self._known.get((name, budget))
        return known is not None and value in known.values

    def counts(self) -> dict[str, tuple[int, int]]:
        """By dimension: values known, and how often another one came."""
        found: dict[str, tuple[int, int]] = {}
        for (name, _), each in self._known.items():
            values, overflow = found.get(name, (0, 0))
            found[name] = (max(values, len(each.values)), overflow + each.overflow)
        return found

    def dump(self) -> bytes:
        """All of it as bytes."""
        self.changed = False
        rows = [(name, budget, each.overflow, sorted(each.values)) for (name, budget), each in self._known.items()]
        return msgspec.msgpack.encode(rows)

    def load(self, data: bytes) -> None:
        """Become what was dumped."""
        for name, budget, overflow, values in _decode(data):
            each = self._of(name, budget)
            each.overflow, each.values = overflow, set(values)

    def _of(self, name: str, budget: int) -> _Dimension:
        return self._known.setdefault((name, budget), _Dimension(budget))
