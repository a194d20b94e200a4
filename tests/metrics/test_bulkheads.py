"""What was accepted stops no home: neither the fold, nor a fill, nor the next start; what is left out is counted."""

import json
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.compose.files import accept_loss
from aob.core.ingest import Event, Gate
from aob.core.metric_query import MetricQuery
from tests.metrics.till import OTHER, SHOP, filled, ingest_as, sold

CART = """
event: cart
version: 1
fields: {paid: {type: number}, total: {type: number}}
---
metric: paid_share
version: 1
type: average
moves: [{on: cart, value: data.paid / data.total}]
windows: [all]
"""
LATER = "metric: carts\nversion: 1\ntype: count\nmoves: [{on: cart}]\nwindows: [all]\n"


def cart(number: int, paid: float, total: float) -> dict[str, Any]:
    """A cart."""
    return {"type": "cart", "source": "s", "id": str(number), "data": {"paid": paid, "total": total}}


async def share(app: App) -> dict[str, Any]:
    """The share as it is told."""
    return dict(await app.metric("paid_share", window="all"))


async def test_what_is_no_number_is_counted_and_shown_everywhere_and_the_home_opens_again(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"cart.yaml": CART})
        await app.ingest([cart(1, 0.0, 0.0), cart(2, 1.0, 2.0), cart(3, 0.0, 0.0)])
        told = await share(app)
        assert (told["value"], told["unmoved"]) == (0.5, 2)
        await app.push_contracts({"later.yaml": LATER})
        await filled(app)
        assert (await app.metric("carts", window="all"))["value"] == 3
    async with aob.open(tmp_path) as app:
        told = await share(app)
        assert (told["value"], told["unmoved"]) == (0.5, 2)
        listed = {each["name"]: each for each in await app.metrics.metrics(app.who)}
        assert (listed["paid_share"]["unmoved"], listed["carts"]["unmoved"]) == (2, 0)
        catalog = {each["name"]: each for each in (await app.metrics.catalog(app.who))["metrics"]}
        assert catalog["paid_share"]["unmoved"] == 2
        health = await app.metrics.metrics_health()
        assert (health["status"], health["fold"]["unmoved"], health["fold"]["stuck"]) == ("ok", 2, 0)
        lost = await app.metrics.metric(app.who, MetricQuery("aob_unmoved", "all", by=("metric",)))
        assert lost["rows"] == [{"by": {"metric": "paid_share"}, "value": 2.0}]
        assert app.wiring is not None
        assert app.wiring.unmoved() == {"paid_share": 2}
        assert "aob_unmoved" in {each["name"] for each in await app.metrics.alerts(app.who)}


async def test_a_row_that_cannot_be_read_is_set_aside_with_its_reason_and_touches_no_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        await app.metrics.push_contracts(OTHER, {"shop.yaml": SHOP})
        for name in ("mine-1", "mine-2", "mine-3"):
            await app.ingest([sold(name)])
            await ingest_as(app, OTHER, sold(f"other-{name}"))
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"metrics.db{end}").unlink(missing_ok=True)
    read = Gate.reread

    def breaks(self: Gate, lines: bytes, notes: bytes, first: int) -> list[Event]:
        if b'"sold-mine-1"' in lines:
            raise ValueError("no gate has written this")
        return read(self, lines, notes, first)

    monkeypatch.setattr(Gate, "reread", breaks)
    async with aob.open(tmp_path) as app:
        assert (await app.metric("sales", window="all"))["value"] == 2
        assert (await app.metrics.metric(OTHER, MetricQuery("sales", "all")))["value"] == 3
        numbers = app.metrics.live.numbers(app.who.tenant)
        assert list(numbers.aside.values()) == [(1, "ValueError: no gate has written this")]
        health = await app.metrics.metrics_health()
        assert (health["status"], health["fold"]["aside"]) == ("rows_set_aside", 1)
        assert health["gate"]["accepted"] == 6
        await app.push_contracts({"later.yaml": "metric: many\nversion: 1\ntype: count\nmoves: [{on: sold}]\n"})
        await filled(app)
        assert (await app.metric("many", window="all"))["value"] == 2
        json.dumps(await app.metrics.metrics(app.who))
    async with aob.open(tmp_path) as app:
        (row,) = app.metrics.live.numbers(app.who.tenant).aside  # a snapshot remembers it
        verb = f"aob restore --accept-loss gate.db:{row}"
        assert verb in (await app.metrics.metrics_health())["detail"]
    # What cannot be mended is accepted, and that is recorded: health is whole again, and so are the neighbours.
    accept_loss(tmp_path, f"gate.db:{row}")
    assert f"gate.db:{row}" in (tmp_path / "losses.jsonl").read_text()
    async with aob.open(tmp_path) as app:
        assert (await app.metrics.metrics_health())["status"] == "ok"
        assert (await app.metric("sales", window="all"))["value"] == 2
        assert (await app.metrics.metric(OTHER, MetricQuery("sales", "all")))["value"] == 3


async def test_a_derived_metric_of_an_earlier_release_keeps_its_windows_and_may_be_pushed_again(tmp_path: Path) -> None:
    plain = "metric: ratio\nversion: 1\ntype: derived\nvalue: revenue / sales\n"
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP, "old.yaml": plain + "windows: [all]\n"})
        told = await app.push_contracts({"ratio.yaml": plain})
        assert (told["new"], told["same"]) == ([], ["metric ratio@1"])
        assert (await app.metric("ratio"))["window"]["name"] == "all"
        await app.push_contracts({"new.yaml": plain.replace("ratio", "share")})
        await filled(app)
        assert (await app.metric("share", by=("region",)))["rows"] == []
