"""What the workers of a tenant bring along has a pace, and other tenants wait for none of it."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Unavailable
from aob.server.workers import turns
from aob.server.workers.turns import BROUGHT_MAX, COMING, KNOWN_MAX, WITHIN_S, Turns
from tests.workers.client import EndedError, Raw, hello, pb
from tests.workers.home import home, key_of, where


@given(st.lists(st.tuples(st.integers(0, 20_000), st.floats(0, 20)), max_size=40))
def test_no_stretch_of_time_lets_in_more_than_its_share(comes: list[tuple[int, float]]) -> None:
    at_s, let_in, to = 100.0, list[tuple[float, int]](), Turns()
    for brought, pause_s in comes:
        at_s += pause_s
        with suppress(Unavailable):  # it comes back later
            let_in.append((at_s + to.wait_s("acme", brought, at_s), brought + COMING))
        assert to.wait_s("other", 0, at_s) == 0
    for first in range(len(let_in)):
        for last in range(first, len(let_in)):
            span_s = let_in[last][0] - let_in[first][0]
            most = BROUGHT_MAX * (1 + span_s / WITHIN_S) + 20_000 + COMING + 1
            assert sum(cost for _, cost in let_in[first : last + 1]) <= most


def test_a_thousand_workers_that_come_back_at_once_do_not_wait() -> None:
    to = Turns()
    assert not any(to.wait_s("acme", 20, 5.0) for _ in range(1_000))


def test_tenants_are_forgotten_in_time() -> None:
    to = Turns()
    for number in range(3 * KNOWN_MAX):
        to.wait_s(f"t{number}", 0, float(number))
    assert len(to._paid_s) <= KNOWN_MAX


async def test_a_worker_that_brings_too_much_is_sent_away_and_another_tenant_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "BROUGHT_MAX", 100)
    held = [pb.Held(run="r", visit=str(number), attempt=1) for number in range(200)]
    async with home(tmp_path / "home") as app:
        greedy, other = Raw(where(app), await key_of(app, tenant="greedy")), Raw(where(app), await key_of(app))
        await greedy.send(hello(held=held))
        with pytest.raises(EndedError, match="bring too many") as ended:
            await greedy.items("welcome")
        assert ended.value.code == "UNAVAILABLE", "a worker comes back after that"
        again = Raw(where(app), await key_of(app, tenant="greedy"))
        await again.send(hello(held=held[:80]))
        await again.items("welcome")
        await other.send(hello(held=held[:80]))
        async with asyncio.timeout(15):  # with the turns of the one before it would wait for 24 s
            await other.items("welcome")
        for raw in (greedy, again, other):
            await raw.die()
