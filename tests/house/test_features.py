"""docs/features.md lists every capability by its id, says its state, and names a test that exists for what works."""

import re
from typing import Final

import pytest

from tests.house.tree import ROOT

IDS: Final = {"O": 26, "M": 18, "F": 7, "K": 13, "D": 10, "X": 7}
ROW: Final = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (works|partly|not yet) \| (.*?) \| ?(.*?) ?\|$", re.MULTILINE)
TEST: Final = re.compile(r"`(tests/[\w./-]+)(?:::(\w+))?`")


def rows() -> dict[str, tuple[str, str, str]]:
    """State, tests and note of each capability by its id."""
    text = (ROOT / "docs" / "features.md").read_text()
    return {id: (state, tests, note) for id, _, state, tests, note in ROW.findall(text.replace("| |", "|  |"))}


def test_every_capability_has_one_row_with_a_state() -> None:
    assert set(rows()) == {f"{letter}{n}" for letter, count in IDS.items() for n in range(1, count + 1)}


@pytest.mark.parametrize("state", ["works", "partly"])
def test_what_is_there_names_a_test_that_exists(state: str) -> None:
    for id, (said, tests, note) in rows().items():
        if said != state:
            continue
        named = TEST.findall(tests)
        assert named, f"{id} {state}, but names no test"
        assert state == "works" or note, f"{id} is there in part: say what is missing"
        for path, function in named:
            file = ROOT / path
            assert file.exists(), f"{id}: there is no {path}"
            assert not function or f"def {function}(" in file.read_text(), f"{id}: {path} has no {function}"
