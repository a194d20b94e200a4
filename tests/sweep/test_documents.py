"""Every field of a document does something that the world sees: two runs that differ in it alone are told apart.

A field that is added without an observer fails here; so does one that is checked and read by nobody. Each observer also
has to see the same twice, or a difference would show nothing.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.house.test_fields import SHOWN_ONLY, fields
from tests.sweep import decided, graph, work
from tests.sweep.frame import CASES, told_apart

OBSERVERS: Final = (decided, graph, work)


def test_every_field_of_a_document_has_an_observer() -> None:
    assert set(fields()) - SHOWN_ONLY == {case for case in CASES if CASES[case].observe.__module__ in NAMES}


NAMES: Final = {module.__name__ for module in OBSERVERS}


@pytest.mark.parametrize(("part", "field"), sorted(set(fields()) - SHOWN_ONLY))
async def test_a_field_is_seen_by_the_world(part: str, field: str, tmp_path: Path) -> None:
    await told_apart(part, field, tmp_path)
