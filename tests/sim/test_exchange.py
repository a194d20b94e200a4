"""Messages between shards over a bad line: each takes effect once and in order; planted bugs are found."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from aob.journal import exchange
from aob.journal.exchange import Exchange
from aob.journal.messages import Pairs
from aob.testing.world import simulate_exchange
from aob.testing.world.loop import replaced

SEEDS = range(1, 41)
AT_ONCE = 10
WORLDS = 24
lived = cache(simulate_exchange)
"""Worlds without a planted bug: each lives once for all tests of this process."""


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_every_message_takes_effect_once_and_in_order(first: int) -> None:
    broken = {seed: lived(seed).broken for seed in range(first, first + AT_ONCE)}
    assert not {seed: rule for seed, rule in broken.items() if rule}, "make sim SEED=n shows the trace"


def test_a_seed_gives_the_same_world_again_and_its_line_is_bad() -> None:
    one, other = lived(5), simulate_exchange(5)
    assert one.trace == other.trace
    worlds = [lived(seed) for seed in range(1, 9)]
    said = {line.split(" ", 1)[1].split(":")[0].lstrip("0123456789 ") for world in worlds for line in world.trace}
    for fault in ("delivery lost", "answer lost", "an old delivery came to nobody"):
        assert fault in said
    assert any("crashes" in line for line in said)
    for what in ("sent", "got", "back"):
        assert sum(world.events[what] for world in worlds) > 100


def without(*parts: str) -> Any:
    """A commit that leaves something out of what it writes of messages."""
    fill = Pairs.fill

    def wrong(self: Any, batch: Any, mail: Any) -> None:
        fill(self, batch, mail)
        for part in parts:
            setattr(batch, part, ())

    return replaced((Pairs, "fill", wrong))


def mark_not_in_the_commit() -> Any:
    """What was taken is not written beside what it led to."""
    return without("received")


def number_reused_after_a_crash() -> Any:
    """The next process begins to count anew where all is delivered."""
    return without("sent")


def gaps_are_taken() -> Any:
    """Whatever is newer is taken."""
    return replaced(
        (exchange, "standing", lambda mark, message, *_: "known" if message.place <= mark.place else "next")
    )


def leaves_before_it_is_durable() -> Any:
    """A message goes out when it is decided on."""
    put = Exchange._put

    def early(self: Any, draft: Any, message: Any) -> None:
        put(self, draft, message)
        if message in draft.mail.outbox:
            pair = self._pairs.pair((message.sender, message.receiver))
            pair.waiting.append(message)
            self._move(pair)

    def nothing(self: Any, mail: Any) -> None:
        """They have gone already."""

    return replaced((Exchange, "_put", early), (Exchange, "_went_out", nothing))


PLANTED: dict[Callable[[], Any], float] = {
    mark_not_in_the_commit: 0.3, number_reused_after_a_crash: 0.3, gaps_are_taken: 0.3,
    leaves_before_it_is_durable: 0.1,
}  # fmt: skip


@pytest.mark.parametrize(("bug", "least"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_found(bug: Callable[[], Any], least: float) -> None:
    wanted, found = round(least * WORLDS + 0.5), 0
    for seed in range(1, WORLDS + 1):
        with bug():
            found += bool(simulate_exchange(seed).broken)
        if found >= wanted:
            return
    raise AssertionError(f"{found} of {WORLDS} worlds found it, and {wanted} should")
