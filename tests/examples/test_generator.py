"""`aob generate`: a seed is a shop, what it sends passes the gate of the example, and shares are kept."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.cli.session import run
from shop.generator import Shop, Wishes
from tests.house.tree import ROOT

START_S = 1_790_000_000.0
"""Event time of what is generated here."""
CONTRACTS = ROOT / "examples" / "shop" / "contracts"


def events(count: int, wishes: Wishes = Wishes(), seed: int = 7) -> list[dict[str, Any]]:  # noqa: B008  # frozen
    """The first events of a shop."""
    told = Shop(seed, wishes).events(START_S)
    return [next(told)[1] for _ in range(count)]


def test_a_seed_gives_the_same_events_and_another_gives_others(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> bytes:
        words = ["--count", "500", "--start", str(START_S), "--seed", str(seed), "--out", str(tmp_path / name)]
        assert run(["generate", *words]) == 0
        return (tmp_path / name).read_bytes()

    assert written("a", 7) == written("b", 7)
    assert written("a", 7) != written("c", 8)
    assert {msgspec.json.decode(line)["type"] for line in written("a", 7).splitlines()} >= {
        "page.viewed", "cart.updated", "order.created", "payment.captured", "stock.adjusted",
    }  # fmt: skip


def test_a_shop_that_opens_again_sends_nothing_under_an_old_id() -> None:
    def ids(start_s: float) -> set[str]:
        told = Shop(7).events(start_s)
        return {next(told)[1]["id"] for _ in range(200)}

    assert not ids(START_S) & ids(START_S + 5)


@pytest.mark.parametrize(("words", "code"), [(("--bad", "2"), 2), (("--out", "-"), 2), (("--scenario", "refunds"), 2)])
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], code: int) -> None:
    assert run(["generate", *words]) == code


async def test_the_gate_of_the_example_takes_everything_but_the_share_that_is_bad_and_repeated(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts(CONTRACTS)
        good = await app.ingest(events(3_000))
        assert (good["accepted"], good["rejected"]) == (3_000, 0)
        mixed = await app.ingest(events(6_000, Wishes(bad=0.1, late=0.05, duplicate=0.05), seed=8))
    assert mixed["rejected"] == pytest.approx(600, rel=0.2)
    assert mixed["duplicate"] == pytest.approx(300, rel=0.3)
    assert mixed["accepted"] + mixed["duplicate"] + mixed["rejected"] == mixed["received"] == 6_000


def test_late_events_keep_their_time_and_come_later() -> None:
    def behind(wishes: Wishes) -> int:
        newest, found = "", 0
        for event in events(3_000, wishes):
            found += event["time"] < newest
            newest = max(newest, event["time"])
        return found

    assert behind(Wishes()) == 0
    assert behind(Wishes(late=0.1, late_s=5.0)) > 150


def test_a_wave_of_refunds_comes_and_goes() -> None:
    shop = Shop(7, Wishes())
    told = shop.events(START_S)
    shares = []
    for share in (0.0, 0.9, 0.0):
        shop.refunds = share
        kinds = Counter(next(told)[1]["type"] for _ in range(4_000))
        shares.append(kinds["order.refunded"] / kinds["order.created"])
    assert shares[1] > 5 * shares[0]
    assert shares[1] > 0.5
    assert shares[2] < 0.1
