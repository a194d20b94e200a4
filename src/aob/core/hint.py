"""Finds the known word nearest to a wrong one. Long words and lists cost no more than short ones."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

CUTOFF: Final = 0.6  # The similarity from which a word is suggested (0 to 1).
WORD_CHARS_MAX: Final = 200  # A longer word is not a typing error.
WORDS_MAX: Final = 1_000  # Known words that are compared; further ones are ignored.
SHOWN_MAX: Final = 16


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most similar to a wrong one; empty when none is similar."""
    if len(word) > WORD_CHARS_MAX:
        return ""
    found = get_close_matches(word, sorted(islice(known, WORDS_MAX)), n=1, cutoff=CUTOFF)
    return found[0] if found else ""


def meant(word: str, known: Iterable[str], what: str = "") -> str:
    """A hint: the known word nearest to a wrong one, else the known words; empty without any."""
    words = sorted(known)
    near = nearest(word, words)
    if near:
        return f"did you mean `{near}`?"
    if not words:
        return ""
    shown = ", ".join(words[:SHOWN_MAX]) + (" …" if len(words) > SHOWN_MAX else "")
    return f"{what or 'known'}: {shown}"


def slip_of(word: str, known: Iterable[str]) -> str:
    """The known word that this one misspells: other capitals, two swapped letters, or, in a word of four letters or
    more, one letter too many, too few or wrong after the first. Empty for a known word, or a distinct one such as
    `approver`."""
    words = tuple(known)
    return "" if word in words else next((each for each in words if _is_slip(word, each)), "")


def _is_slip(word: str, known: str) -> bool:
    given = word.lower()
    if given == known:
        return True
    first = next(
        (at for at, (a, b) in enumerate(zip(given, known, strict=False)) if a != b), min(map(len, (given, known)))
    )
    rest, other = given[first:], known[first:]
    if len(given) == len(known) and rest[:2] == other[:2][::-1] and rest[2:] == other[2:]:
        return True
    if len(known) < 4 or first == 0 or given.startswith(known):
        return False
    return rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]
