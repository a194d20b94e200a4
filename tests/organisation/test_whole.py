"""An organisation as it is and as it was: any instant can be made again, its history is paged, what changed is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.client import AsyncClient
from aob.compose import App
from aob.core.errors import CallerError, Conflict, Invalid, Refused, Unavailable
from aob.core.instant import iso
from aob.core.policy import LOCAL, Caller
from aob.server import create_app, serving
from tests.runs.home import BOB, VIEWER

ANN = Caller("default", "ann", frozenset({"deploy", "view"}), "key_a")


async def grown(app: App) -> list[dict[str, Any]]:
    """The organisation after each of some changes."""
    verbs, seen = app.metrics, list[dict[str, Any]]()
    for step in (
        verbs.create_topic(ANN, "acme.support.tickets"), verbs.create_topic(ANN, "old"),
        verbs.register_agent(ANN, "acme.support.triage", consumes=("acme.support.tickets",)),
        verbs.set_namespace(LOCAL, "acme.support", topics=1), verbs.delete_topic(ANN, "old", drain="0s", keep="0s"),
        verbs.register_agent(ANN, "acme.support.triage", consumes=("acme.support.tickets",), handler="b"),
        verbs.deploy_agent(ANN, "acme.support.triage", percent=25), verbs.pause_agent(ANN, "acme.support.triage"),
    ):  # fmt: skip
        await step
        seen.append(await verbs.org(VIEWER))
    return seen


@pytest.mark.every_store
async def test_any_past_state_is_made_again_also_after_a_restart(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        seen = await grown(app)
        assert [each["events"] for each in seen] == sorted({each["events"] for each in seen})
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        for was in seen:
            assert await verbs.org(VIEWER, was["position"]) == was
        last = seen[-1]
        for text in (iso(last["at"]), str(last["at"]), ""):
            assert await verbs.org(VIEWER, text) == last
        first = await verbs.org(VIEWER, iso(seen[0]["at"] - 1))
        assert (first["events"], first["topics"], first["position"]) == (0, [], "")
        told = await verbs.org_diff(VIEWER, seen[1]["position"], seen[-1]["position"])
        assert [(each["change"], each["kind"], each["name"]) for each in told["changes"]] == [
            ("changed", "namespace", "acme.support"), ("removed", "topic", "old"),
            ("added", "agent", "acme.support.triage"),
        ]  # fmt: skip
        assert (await verbs.org_diff(VIEWER, last["position"]))["changes"] == []


async def test_the_history_is_paged_from_the_newest_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.organisation.whole.WINDOW", 3)
    async with aob.open(tmp_path) as app:
        seen = await grown(app)
        verbs, entries, before = app.metrics, list[Any](), ""
        while True:
            page = await verbs.org_history(VIEWER, limit=2, before=before)
            entries += page["entries"]
            before = page["next"]
            if before is None:
                break
        assert [each["seq"] for each in entries] == list(range(seen[-1]["events"] - 1, -1, -1))
        assert entries == (await verbs.org_history(VIEWER))["entries"]
        assert entries[0]["type"] == "agent_paused"
        assert entries[0]["position"] == seen[-1]["position"]
        assert {each["by"] for each in entries} == {"ann", "local"}
        assert entries[1]["data"]["shares"] == [{"version": 2, "percent": 25.0}, {"version": 1, "percent": 75.0}]
        old = await verbs.org_history(VIEWER, "old")
        assert [each["type"] for each in old["entries"]] == [
            "topic_deleted", "topic_read_only", "topic_draining", "topic_created",
        ]  # fmt: skip
        assert (await verbs.org_history(VIEWER, as_of=seen[0]["position"]))["entries"] == entries[-seen[0]["events"] :]
        assert await verbs.org_history(BOB) == {"entries": [], "next": None}


async def test_an_instant_may_be_so_long_ago(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(LOCAL, "orders")
        assert (await app.metrics.org(LOCAL, as_of="1h"))["topics"] == []
        assert len((await app.metrics.org(LOCAL, as_of="0s"))["topics"]) == 1
        assert [each["change"] for each in (await app.metrics.org_diff(LOCAL, since="2d"))["changes"]] == ["added"]


async def test_what_is_no_instant_and_no_cursor_is_refused(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        await verbs.create_topic(ANN, "orders")
        for text in ("2026-13-01T00:00:00Z", "2026-01-01 00:00"):
            with pytest.raises(Invalid) as caught:
                await verbs.org(ANN, text)
            assert caught.value.code == "bad_instant"
        for text in ("soon", "kg", "²"):
            with pytest.raises((CallerError, Conflict)) as other:
                await verbs.org(ANN, text)
            assert other.value.code in {"bad_position", "position_expired"}
        for cursor in ("-1", "x", "²"):
            with pytest.raises(CallerError):
                await verbs.org_history(ANN, before=cursor)
        with pytest.raises(Invalid):
            await verbs.set_namespace(LOCAL, "a.b.c")
        for who in (ANN, VIEWER):
            with pytest.raises(Refused):
                await verbs.set_namespace(who, "default", topics=1)


async def test_a_change_that_this_release_cannot_read_is_shown_and_nothing_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(ANN, "orders")
        monkeypatch.setattr("aob.runs.recorded.events_of", lambda law, data: ["of another release"])
        (entry,) = (await app.metrics.org_history(ANN))["entries"]
        assert (entry["type"], entry["data"]) == ("unreadable", {"reason": "of another release"})
        with pytest.raises(Unavailable) as caught:
            await app.metrics.org(ANN)
        assert caught.value.code == "history_unreadable"


async def test_the_feed_tells_what_was_after_a_position_and_what_comes(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        begun = [await anext(verbs.follow_org(VIEWER)), await anext(verbs.follow_org(BOB))]
        assert [item[1] for item in begun] == ["", ""]
        seen = await grown(app)
        history = (await verbs.org_history(VIEWER))["entries"][::-1]
        for position, told in ((begun[0][0], history), (seen[1]["position"], history[seen[1]["events"] :])):
            async with aclosing(verbs.follow_org(VIEWER, position)) as feed, asyncio.timeout(30):
                assert [await anext(feed) for _ in told] == [(each["position"], "change", each) for each in told]
                more = asyncio.ensure_future(anext(feed))
                await verbs.resume_agent(ANN, "acme.support.triage")
                assert (await more)[2]["type"] == "agent_resumed"
                await verbs.pause_agent(ANN, "acme.support.triage")
            history += (await verbs.org_history(VIEWER, limit=2))["entries"][::-1]
        async with aclosing(verbs.follow_org(BOB, begun[1][0])) as feed, asyncio.timeout(30):
            his = asyncio.ensure_future(anext(feed))
            await verbs.create_topic(BOB, "his")
            assert (await his)[2]["name"] == "his"
        for wrong in ("soon", seen[0]["position"][::-1]):
            with pytest.raises((CallerError, Conflict)):
                await anext(verbs.follow_org(VIEWER, wrong))


async def test_a_reader_that_was_too_slow_misses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aob.runs.feed.NEWS_MAX", 2)
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        async with aclosing(verbs.follow_org(VIEWER)) as feed, asyncio.timeout(30):
            await anext(feed)
            first = asyncio.ensure_future(anext(feed))
            await asyncio.sleep(0)
            for n in range(9):
                await verbs.create_topic(ANN, f"t{n}")
            told = [await first, *[await anext(feed) for _ in range(8)]]
        assert [item[2]["name"] for item in told] == [f"t{n}" for n in range(9)]


async def test_a_change_while_the_history_is_read_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with aob.open(tmp_path) as app:
        verbs = app.metrics
        begin = (await anext(verbs.follow_org(VIEWER)))[0]
        await verbs.create_topic(ANN, "first")
        room = verbs.follow_org.__self__
        reads = room._reads

        async def meanwhile(stream: Any, after: int) -> AsyncIterator[Any]:
            await verbs.create_topic(ANN, "meanwhile")
            async for fact in reads(stream, after):
                yield fact

        monkeypatch.setattr(room, "_reads", meanwhile)
        async with aclosing(verbs.follow_org(VIEWER, begin)) as feed, asyncio.timeout(30):
            told = [(await anext(feed))[2]["name"] for _ in range(2)]
            last = asyncio.ensure_future(anext(feed))
            await verbs.create_topic(ANN, "last")
            assert [*told, (await last)[2]["name"]] == ["first", "meanwhile", "last"]


async def test_the_feed_over_http_is_resumed(tmp_path: Path) -> None:
    async with aob.open(tmp_path) as app:
        key = (await app.views.create_key(LOCAL, "ann", ("deploy", "view")))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url, AsyncClient(url, key) as client:
            await client.create_topic("orders")
            begin = (await client.org())["position"]
            await client.register_agent("triage", consumes=["orders"])
            from_begin: Any = client.follow_org(position=begin)
            async with aclosing(from_begin) as feed, asyncio.timeout(30):
                events = [await anext(feed) for _ in range(2)]
            assert [each.data["type"] for each in events] == ["agent_registered", "agent_deployed"]
            from_first: Any = client.follow_org(position=events[0].position)
            async with aclosing(from_first) as feed, asyncio.timeout(30):
                assert (await anext(feed)).data == events[1].data
            with pytest.raises(CallerError):
                await anext(aiter(client.follow_org(position="soon")))
