"""Constants of the product stay as they are: a test file that leaves another value behind changes what later files in
the same process see."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

KINDS = (int, float, str, bytes, tuple, frozenset)


def constants() -> dict[tuple[str, str], Any]:
    """The constants of all loaded modules of the product, by module and name."""
    return {
        (module, name): value
        for module, loaded in list(sys.modules.items()) if module.partition(".")[0] == "aob"
        for name, value in list(vars(loaded).items()) if name.isupper() and isinstance(value, KINDS)
    }  # fmt: skip


def changed(before: dict[tuple[str, str], Any]) -> list[str]:
    """Puts back the constants that are not as before; returns their names. Modules loaded since are not looked at."""
    left: list[str] = []
    for (module, name), value in constants().items():
        was = before.get((module, name), value)
        if was is not value and was != value:
            vars(sys.modules[module])[name] = was
            left.append(f"{module}.{name}: {was!r:.80} became {value!r:.80}")
    return left


@pytest.fixture(scope="module", autouse=True)
def unchanged_constants() -> Iterator[None]:
    """A test file leaves no constant changed."""
    before = constants()
    yield
    assert not (left := changed(before)), f"constants that this file left changed: {left}"
