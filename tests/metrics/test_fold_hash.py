"""What folds go by has one hash, in whatever order it was declared: else every restart would count the log anew."""

from pathlib import Path

import aob
from aob.core.contract import read_contracts
from aob.metrics.live.tenant import fold_hash
from tests.metrics.till import SHOP

REVERSED = "\n---\n".join(reversed(SHOP.strip().split("\n---\n")))


def test_the_order_of_declarations_makes_no_difference() -> None:
    one, other = read_contracts({"shop.yaml": SHOP}), read_contracts({"shop.yaml": REVERSED})
    assert list(one.metrics) != list(other.metrics)
    assert fold_hash(one) == fold_hash(other)


def test_a_metric_that_counts_otherwise_has_another() -> None:
    one = read_contracts({"shop.yaml": SHOP})
    other = read_contracts({"shop.yaml": SHOP.replace("value: data.amount}", "value: data.amount * 2.0}")})
    assert fold_hash(one) != fold_hash(other)


async def test_a_home_opened_again_goes_by_the_same(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": REVERSED})
        before = app.metrics.live.numbers("default").filled_by
    async with aob.open(tmp_path / "home") as app:
        assert app.metrics.live.numbers("default").filled_by == before
