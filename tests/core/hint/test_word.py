"""Hints: the nearest known word, slips of the pen, and words of one's own that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.hint import meant, nearest, slip_of
from aob.core.node import ROLES


def test_the_nearest_word_is_named_or_else_what_there_is() -> None:
    assert nearest("amout", ["total", "amount"]) == "amount"
    assert nearest("zzz", ["total", "amount"]) == ""
    assert nearest("", []) == ""
    assert meant("amout", {"total": 1, "amount": 2}) == "did you mean `amount`?"
    assert meant("zzz", ("b", "a"), "one of") == "one of: a, b"
    assert meant("zzz", ()) == ""


def test_long_words_and_long_lists_cost_no_more() -> None:
    assert nearest("a" * 1_000_000, ["a" * 1_000_000]) == ""
    assert nearest("name5", (f"name{n}" for n in range(10_000_000))) == "name5"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("deplyo", "deploy"), ("depoy", "deploy"), ("deployy", ""), ("Deploy", "deploy"), ("VIEW", "view"),
        ("veiw", "view"), ("viiew", "view"), ("aprove", "approve"), ("approv", "approve"), ("apporve", "approve"),
        ("rnu", "run"), ("urn", "run"), ("pathc", "patch"), ("pach", "patch"), ("amdin", "admin"), ("admim", "admin"),
    ],
)  # fmt: skip
def test_a_slip_is_told(word: str, known: str) -> None:
    assert slip_of(word, ROLES) == known


OWN = ["finance", "approver", "viewer", "runner", "deployer", "reviewer", "batch", "watch", "sun", "ran", "ops"]


@pytest.mark.parametrize("word", OWN)
def test_a_word_of_its_own_is_no_slip(word: str) -> None:
    assert slip_of(word, ROLES) == ""


@given(st.sampled_from([role for role in ROLES if len(role) > 3]), st.integers(1, 6), st.sampled_from("aeinprst"))
def test_one_letter_behind_the_first_is_a_slip(role: str, at: int, letter: str) -> None:
    at = min(at, len(role) - 1)
    for word in (role[:at] + role[at + 1 :], role[:at] + letter + role[at + 1 :], role[:at] + letter + role[at:]):
        assert word in ROLES or word.startswith(role) or slip_of(word, ROLES) == role
