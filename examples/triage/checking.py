"""The books and the platform's numbers in, what is wrong out: each question once, in order, counted right."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Booking = Mapping[str, Any]


def in_order(bookings: Iterable[Booking]) -> list[Booking]:
    """By visitor, each one's in the order they were handled."""
    return sorted(bookings, key=lambda one: (str(one["visitor"]), int(one["nth"])))


def by_desk(bookings: Iterable[Booking]) -> dict[str, int]:
    """How many questions each desk has in its book."""
    return dict(Counter(str(one["desk"]) for one in bookings))


def digest(bookings: Iterable[Booking]) -> str:
    """The whole answer in one word: what was asked by whom, in which order, and what became of it."""
    told = "\n".join(
        f"{one['visitor']} {one['nth']} {one['question']} {one['desk']} {one['priority']}" for one in in_order(bookings)
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def wrong(bookings: Sequence[Booking], count: int, counted: Mapping[str, int]) -> Iterator[str]:
    """What does not hold of so many questions; `counted` is the live number by desk."""
    twice = [name for name, times in Counter(one["question"] for one in bookings).items() if times > 1]
    if twice:
        yield f"booked twice: {', '.join(sorted(twice))}"
    if len(bookings) != count:
        yield f"the books have {len(bookings)} bookings of {count} questions"
    order = Counter[str]()
    for one in sorted(bookings, key=lambda one: int(one["number"])):
        order[one["visitor"]] += 1
        if one["nth"] != order[one["visitor"]]:
            yield f"{one['question']} was booked out of its order"
    if dict(counted) != by_desk(bookings):
        yield f"the live number is {dict(counted)}, the books have {by_desk(bookings)}"
