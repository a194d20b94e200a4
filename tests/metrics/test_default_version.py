"""An event that names no version is judged by the default of its type, which a push never moves."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import aob
from aob.compose.app import App
from aob.core.contract_model import ContractSet
from aob.core.errors import Invalid, NotFound, Refused, Unavailable
from aob.core.ingest import Gate
from aob.core.metric.fold import fold as plans
from aob.core.metric_query import MetricQuery
from aob.core.policy import Caller
from aob.metrics.contracts.defaults import defaults_of
from aob.metrics.contracts.law import Declared

FIRST = """
event: sold
version: 1
owner: shop
fields: {amount: number}
---
metric: revenue
version: 1
type: sum
owner: shop
moves: [{on: sold, value: data.amount}]
windows: [all]
"""
SECOND = """
event: sold
version: 2
owner: shop
fields: {amount: number, currency: string}
"""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": FIRST})
        yield app


def sold(id: str, version: int = 0, **data: Any) -> bytes:
    event = {"id": id, "source": "shop", "type": "sold", "data": {"amount": 1, **data}}
    return msgspec.json.encode(event | ({"version": version} if version else {}))


async def send(app: App, *lines: bytes) -> list[str]:
    told = msgspec.json.decode(await app.metrics.ingest(app.who, b"\n".join(lines)))
    return [verdict["verdict"] for verdict in told["verdicts"]]


async def push(app: App, text: str) -> Any:
    return await app.metrics.push_contracts(app.who, {"more.yaml": text}, allow_breaking=True)


async def test_a_push_lets_producers_go_on_and_says_how_many_there_are(app: App) -> None:
    assert await send(app, sold("a"), sold("b"), sold("v", 1)) == ["accepted"] * 3
    pushed = await push(app, SECOND)
    (told,) = pushed["unversioned"]
    assert (told["type"], told["default"], told["newest"]) == ("sold", 1, 2)
    assert told["per_minute"] >= 2
    assert await send(app, sold("c"), sold("d", 2, currency="EUR"), sold("e", 2)) == [
        "accepted",
        "accepted",
        "rejected",
    ]
    assert (await app.metrics.contract(app.who, "event", "sold"))["default"] == 1
    assert (await app.metrics.default_version(app.who, "sold", 2)) == {
        "type": "sold", "default": 2, "was": 1, "newest": 2,
    }  # fmt: skip
    assert await send(app, sold("f"), sold("g", currency="EUR"), sold("h", 1)) == ["rejected", "accepted", "accepted"]
    assert (await push(app, SECOND))["unversioned"] == []
    assert (await app.metrics.metric(app.who, MetricQuery("revenue")))["value"] == 7


async def test_the_default_outlives_a_restart_and_old_lines_are_read_as_they_were(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": FIRST})
        await send(app, sold("a"))
        await push(app, SECOND)
        await send(app, sold("b"))
        await app.metrics.default_version(app.who, "sold", 2)
        await send(app, sold("c", currency="EUR"))
        await push(app, SECOND.replace("version: 2", "version: 3"))
    async with aob.open(tmp_path / "home") as again:
        assert (await again.metrics.contract(again.who, "event", "sold"))["default"] == 2
        assert (await again.metrics.metric(again.who, MetricQuery("revenue")))["value"] == 3
        rows = await again.metrics.query(again.who, {"sql": "select id, version from sold order by number"})
        assert rows["rows"] == [["a", 1], ["b", 1], ["c", 2]]
        assert await send(again, sold("d")) == ["rejected"]


async def test_events_that_name_a_version_are_decoded_at_once_whichever_it_is(app: App) -> None:
    await push(app, SECOND)
    gate = Gate(app.wiring.contracts.own("default"))  # type: ignore[union-attr]
    gate._one_by_one = None  # type: ignore[method-assign, assignment]  # the slow way is not gone
    for lines in ([sold("a"), sold("b", 1)], [sold("a", 2, currency="EUR")] * 2):
        assert len(gate.read(b"\n".join(lines), 1_800_000_000_000).events) == 2


async def test_only_who_may_push_moves_it_and_only_to_a_version_that_is_there(app: App) -> None:
    with pytest.raises(NotFound, match="no event sold version 7"):
        await app.metrics.default_version(app.who, "sold", 7)
    with pytest.raises(NotFound):
        await app.metrics.default_version(app.who, "none", 1)
    with pytest.raises(Refused):
        await app.metrics.default_version(Caller("default", "reader", frozenset(("view",))), "sold", 1)


def test_what_an_older_release_pushed_keeps_the_newest_of_that_time() -> None:
    (old,) = msgspec.json.decode(b'[[1, 1, ["event sold@1"], "00", "me", 5]]', type=list[Declared])
    assert not old.keeps
    one, two, four = (_set(version) for version in (1, 2, 4))
    known = msgspec.structs.replace(one, defaults=defaults_of(_set(), one, kept=False))
    assert known.defaults == {"sold": 1}
    both = msgspec.structs.replace(_set(1, 2), defaults=defaults_of(known, two, kept=False))
    assert both.defaults == {"sold": 2}
    assert defaults_of(both, four) == {"sold": 2}
    assert defaults_of(_set(), _set(2, 3)) == {"sold": 2}


def _set(*versions: int) -> Any:
    from aob.core.contract_model import ContractSet, EventContract

    events = {"sold": {version: EventContract("sold", version, {}) for version in versions}}
    return ContractSet(events if versions else {})


async def test_contracts_that_change_are_compiled_beside_the_loop(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    by = set[str]()
    plan_of = plans.plan_of

    def noting(contracts: ContractSet, metrics: frozenset[str] | None) -> plans.Plan:
        if metrics is None:  # thousands of metrics are minutes of the compiler's work: everybody would wait for them
            by.add(threading.current_thread().name)
        return plan_of(contracts, metrics)

    monkeypatch.setattr(plans, "plan_of", noting)
    await push(app, SECOND + FIRST.partition("---")[2].replace("revenue", "more").join(("---", "")))
    await app.metrics.default_version(app.who, "sold", 2)
    assert (await app.metrics.metric(app.who, MetricQuery("more")))["value"] == 0
    assert by
    assert threading.main_thread().name not in by


def lose_an_answer(store: Any, patch: pytest.MonkeyPatch) -> None:
    """The next commit with decisions is made, and seems to fail."""
    commit = store.commit

    async def cut(batch: Any) -> Any:
        told = await commit(batch)
        if batch.count:
            patch.undo()
            raise Unavailable("the connection is cut", code="store_away", unknown=True)
        return told

    patch.setattr(store, "commit", cut)


async def test_who_changes_contracts_next_knows_what_was_committed_also_when_nobody_has_read_it_back(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, journal, contracts = app.views.core.store, app.views.core.journal, app.metrics.live.contracts

    async def seemingly_fails(text: str) -> None:
        lose_an_answer(store, monkeypatch)
        with pytest.MonkeyPatch.context() as unread:
            unread.setattr(journal, "aside", lambda work: work.close())
            with pytest.raises(Unavailable):
                await contracts.push_contracts(app.who, {"more.yaml": text}, allow_breaking=True)
        assert await journal.mended()

    await seemingly_fails(SECOND)
    assert (await contracts.default_version(app.who, "sold", 2))["default"] == 2
    third = SECOND.replace("version: 2", "version: 3")
    await seemingly_fails(third)
    with pytest.raises(Invalid) as refused:
        await push(app, third.replace("currency: string", "currency: number"))
    assert refused.value.problems[0].code == "version_changed"


async def test_a_push_whose_commit_seemed_to_fail_counts_and_is_not_pushed_again_with_other_content(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, contracts, heard = app.views.core.store, app.metrics.live.contracts, asyncio.Queue[ContractSet]()

    async def hears(tenant: str, before: ContractSet, after: ContractSet) -> list[str]:
        heard.put_nowait(after)
        return []

    contracts.changed.append(hears)
    lose_an_answer(store, monkeypatch)
    with pytest.raises(Unavailable):
        await contracts.push_contracts(app.who, {"more.yaml": SECOND}, allow_breaking=True)
    after = await asyncio.wait_for(heard.get(), 20)
    assert (
        after.events["sold"].keys() == app.metrics.gate.gate(app.who.tenant).contracts.events["sold"].keys() == {1, 2}
    )
    lose_an_answer(store, monkeypatch)
    with pytest.raises(Unavailable):
        await contracts.default_version(app.who, "sold", 2)
    assert (await asyncio.wait_for(heard.get(), 20)).defaults == {"sold": 2}
    other = SECOND.replace("currency: string", "currency: number")
    with pytest.raises(Invalid) as refused:
        await contracts.push_contracts(app.who, {"more.yaml": other}, allow_breaking=True)
    assert refused.value.problems[0].code == "version_changed", "a version never changes"
    assert len(contracts.history(app.who.tenant)) == 3
