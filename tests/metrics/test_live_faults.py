"""What goes wrong beside the numbers does not stop them; what is waited for is told when it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

import aob
from aob.compose import App
from aob.compose.metrics.feeds import Feeds, LocalRuns
from aob.core.errors import Invalid
from aob.core.metric import NeedsScan
from aob.core.metric_query import MetricQuery
from aob.metrics.live import Watches
from tests.metrics.till import ALL, OTHER, SHOP, Signal, ingest_as, recount, sold
from tests.runs.home import finished, flow


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path) as app:
        await app.push_contracts({"shop.yaml": SHOP})
        yield app


async def test_who_hears_of_a_group_and_breaks_keeps_nobody_else_from_it(app: App) -> None:
    live, heard = app.metrics.live, list[int]()

    def breaks(groups: Any) -> None:
        raise ZeroDivisionError

    live.heard.insert(0, breaks)
    live.heard.append(lambda groups: heard.extend(group.row for group in groups))
    told = await app.ingest([sold(1)])
    assert (await app.metric("sales", window="all", min_position=told["position"]))["value"] == 1
    assert heard == [live.ends[0]]


async def test_a_run_that_cannot_be_counted_does_not_end_the_counting(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = app.wiring.platform if app.wiring is not None else None
    assert platform is not None
    moved = Signal()
    app.metrics.live.moved.append(moved)
    await app.push(flow("nap", {"a": {"kind": "wait", "config": {"message": "m"}}}))
    with monkeypatch.context() as patch:
        broken = asyncio.Event()

        def breaks(commits: Any) -> None:
            broken.set()
            raise ZeroDivisionError

        patch.setattr(platform._tellings[0], "read", breaks)
        await app.start("nap")
        await broken.wait()
    await app.start("nap")
    while not (await app.metric("runs_started", window="all"))["value"]:
        await moved.next()


async def test_an_alert_on_a_number_that_is_being_filled_fires_once_it_is_there(app: App) -> None:
    await app.ingest([sold(n) for n in range(10)])
    more = "metric: many\nversion: 1\ntype: count\nmoves: [{on: sold}]\nwindows: [all]\n"
    alert = "---\nalert: too_many\nmetric: many\nwindow: all\nwhen: value > 3.0\n"
    seen = asyncio.create_task(first_alert(app))
    pushed = await app.metrics.push_contracts(app.who, {"more.yaml": more + alert})
    assert pushed["filling"] == ["many"]
    assert (await seen)["alert"] == "too_many"


async def first_alert(app: App) -> dict[str, Any]:
    feed: Any = app.metrics.stream(app.who, types=frozenset({"nothing"}), alerts=frozenset({"*"}))
    async with asyncio.timeout(60), aclosing(feed) as opened:
        async for _, event, data in opened:
            if event == "alert":
                return dict(data)
    raise AssertionError("the feed ended")


def test_what_only_a_scan_tells_cannot_be_followed_and_says_so() -> None:
    def read(tenant: str, query: MetricQuery) -> Any:
        raise NeedsScan

    with pytest.raises(Invalid, match="scan"):
        Watches(read, lambda: 0).add("default", ALL, cast("Any", None))


def told(notice: Any) -> dict[str, Any]:
    """What a notice would send."""
    return dict(msgspec.json.decode(notice.body)["data"])


class TestTheFeedOfWebhooks:
    @pytest.fixture
    def feeds(self, app: App) -> Feeds:
        assert app.wiring is not None
        feeds = Feeds(app.metrics.live.events, app.metrics.live, app.wiring.alerting.told)
        feeds.runs["run"] = LocalRuns(app.views.core)
        return feeds

    @pytest.mark.parametrize("limit", [1, 50])
    async def test_passes_over_rows_in_which_nothing_was_accepted(self, app: App, feeds: Feeds, limit: int) -> None:
        await app.metrics.push_contracts(OTHER, {"shop.yaml": SHOP})
        bad = sold("bad") | {"data": {}}
        await app.ingest([bad])
        await app.ingest([sold(1), bad, sold(1)])
        await app.ingest([bad])
        await ingest_as(app, OTHER, sold(7))
        await app.ingest([sold(2)])
        found, after = [], -1
        while True:
            chunk = await feeds.read("default", "event", after, {"*"}, limit)
            found += [told(notice)["id"] for notice in chunk.notices]
            after = chunk.through
            if chunk.end:
                break
        assert found == ["sold-1", "sold-2"]
        assert after == await feeds.end("default", "event") == 1

    async def test_tells_of_runs_of_its_own_tenant_from_any_place(self, app: App, feeds: Feeds) -> None:
        await app.push(flow("tell", {"a": {"kind": "emit", "config": {"topic": "t", "type": "x", "data": {}}}}))
        run = await app.start("tell")
        await finished(app, run.id)
        chunk = await feeds.read("default", "run", 0, {"*"}, 50)
        assert [(notice.key, told(notice)["run_id"]) for notice in chunk.notices] == [
            ("RUNNING", run.id), ("COMPLETED", run.id),
        ]  # fmt: skip
        assert not (await feeds.read("other", "run", 0, {"*"}, 50)).notices
        assert chunk.through == app.views.core.journal.durable_row


async def test_many_callers_and_readers_at_once_agree_with_the_log(app: App) -> None:
    """Numbers never go back while they are read, and end as the log says."""
    seen: list[int] = []
    stop = asyncio.Event()

    async def read() -> None:
        while not stop.is_set():
            seen.append((await app.metrics.metric(app.who, ALL))["value"] or 0)
            await asyncio.sleep(0)

    reading = asyncio.create_task(read())
    await asyncio.gather(*(app.ingest([sold(f"{lane}-{n}") for n in range(5)]) for lane in range(40)))
    stop.set()
    await reading
    assert seen == sorted(seen)
    assert (await app.metric("sales", window="all"))["value"] == 200 == recount(app.home)["sales"]
