"""A night's questions: those that were held out, each asked by a visitor; one of them came as an empty page."""

from typing import Any, Final

from triage.corpus import corpus

VISITORS: Final = {"ada": 14, "ben": 11, "cleo": 9, "dan": 8, "eva": 7, "finn": 6, "gus": 4, "hana": 3}
"""Who asked, and how many of a whole night's questions."""
POISON: Final = "hana-empty"
MENDED: Final = "who wrote The Great Gatsby"
"""What stood on the page, once somebody looked."""


def questions(count: int) -> list[dict[str, Any]]:
    """The first so many held-out questions as records for the topic, shuffled over visitors; then the empty page."""
    held_out, found = corpus().held_out[:count], list[dict[str, Any]]()
    left, turns = dict(VISITORS), list[str]()
    while any(left.values()):
        for visitor in [name for name, more in left.items() if more]:
            turns.append(visitor)
            left[visitor] -= 1
    for n, one in enumerate(held_out):
        visitor = turns[n % len(turns)]
        found.append(record(f"{visitor}-{n + 1}", visitor, one.question))
    return [*found, record(POISON, POISON.partition("-")[0], "")]


def record(id: str, visitor: str, text: str) -> dict[str, Any]:
    """A question as a record: its key is the visitor, so that the questions of one keep their order."""
    return {"type": "question.asked", "id": id, "subject": visitor, "data": {"visitor": visitor, "text": text}}
