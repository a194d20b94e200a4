"""Webhooks: signed, in order, again until taken, nothing skipped, nothing told to another tenant."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from standardwebhooks import Webhook, WebhookVerificationError

from aob.backends.memory.store import MemoryStore
from aob.core.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from aob.core.policy import LOCAL, Caller
from aob.fanout.webhooks import inbox, notice
from aob.ports.store import Batch, StaleEpoch
from aob.testing.world.loop import replaced
from tests.fanout.webhooks.house import QUICK, House, numbers, told
from tests.work.peers import Peer
from tests.work.peers import peer as listening

DOWN = "503 Service Unavailable"


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with listening() as found:
        found.answer("/in")
        yield found


@pytest.fixture
async def home(tmp_path: Path, peer: Peer) -> AsyncIterator[House]:
    async with House(tmp_path / "webhooks").open(peer) as opened:
        yield opened


def in_turn(*answers: str) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Statuses one after another; the last one for ever."""
    left = list(answers)

    async def answer(writer: asyncio.StreamWriter) -> None:
        status = left.pop(0) if len(left) > 1 else left[0]
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()

    return answer


# -- what is sent ----------------------------------------------------------------------------------------------------


async def test_a_message_is_signed_so_that_the_library_verifies_it(home: House, peer: Peer) -> None:
    hook = await home.subscribed(peer, events=["order.created"])
    home.committed("page.viewed", "order.created")
    (asked,) = await peer.asked()
    message = told(asked, hook["secret"])
    assert message["type"] == "order.created"
    assert message["timestamp"].endswith("Z")
    assert message["data"]["event"] == {"n": 1, "pad": ""}
    assert message["data"]["offset"] == 1
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(asked.body, asked.headers)


async def test_events_arrive_in_order(home: House, peer: Peer) -> None:
    await home.subscribed(peer, events=["a", "b"])
    home.committed("a", "b", "c", "a")
    home.committed("b")
    assert numbers(await peer.asked(4)) == [0, 1, 3, 4]


async def test_runs_and_alerts_are_told_by_their_state_and_name(home: House, peer: Peer) -> None:
    hook = await home.subscribed(peer, runs=["failed"], alerts=["*"])
    home.happened("run", "COMPLETED", {"run_id": "r1"})
    home.happened("run", "FAILED", {"run_id": "r2"})
    home.happened("alert", "refunds_high", {"state": "firing"})
    asked = await peer.asked(2)
    messages = [told(each, hook["secret"]) for each in asked]
    assert [(each["type"], each["data"]) for each in messages] == [
        ("run.failed", {"run_id": "r2"}), ("alert.changed", {"state": "firing"}),
    ]  # fmt: skip


@pytest.mark.parametrize("queue_max", [1, 2, 256])
async def test_what_shares_a_position_is_told_once_each(tmp_path: Path, peer: Peer, queue_max: int) -> None:
    with replaced((inbox, "QUEUE_MAX", queue_max)):
        first = House(tmp_path)
        async with first.open(peer) as home:
            hook = await home.subscribed(peer, runs=["*"])
            home.happened("run", "FAILED", {"run_id": "r0"}, {"run_id": "r1"}, {"run_id": "r2"})
            await peer.asked(1)
            await home.hooks._shared.saver.flush()
            kept = dict(home.pages._pages)
            await home.delivered(hook["id"], 3)
            home.happened("run", "FAILED", {"run_id": "r3"}, {"run_id": "r4"})
            await home.delivered(hook["id"], 5)
        assert [told(each, hook["secret"])["data"]["run_id"] for each in peer.requests] == [
            "r0",
            "r1",
            "r2",
            "r3",
            "r4",
        ]
        first.pages._pages = kept
        async with House(tmp_path, before=first).open(peer) as home:
            await home.until(lambda view: view["delivered"] >= 5 and view["waiting"] == 0, hook["id"])
            assert len({each["id"] for each in await home.sent(hook["id"])}) == 5


async def test_of_a_metric_only_the_newest_value_waits(home: House, peer: Peer) -> None:
    def gone() -> None:
        raise NotFound("no such metric")

    hook = await home.subscribed(peer, metrics=["revenue", "gone"])
    home.hooks.offer_metric("default", "gone", gone)
    looks: list[int] = []

    def look(value: int) -> dict[str, int]:
        looks.append(value)
        return {"value": value}

    for value in range(100):
        home.hooks.offer_metric("default", "revenue", partial(look, value))
        home.hooks.offer_metric("default", "other", partial(look, value))
    (asked,) = await peer.asked()
    assert told(asked, hook["secret"])["data"] == {"value": 99}
    assert looks == [99]
    home.hooks.offer_metric("default", "revenue", partial(look, 100))
    await peer.asked(2)
    assert told(peer.requests[1], hook["secret"])["data"] == {"value": 100}


async def test_only_who_wants_it_is_told_and_no_other_tenant(home: House, peer: Peer) -> None:
    peer.answer("/star")
    await home.subscribed(peer, events=["a"])
    star = await home.subscribed(peer, path="/star", events=["*"])
    assert not home.hooks.wants("default", "event", "b") or home.hooks.wants("default", "event", "anything")
    home.committed("a", tenant="other")
    home.committed("b")
    home.committed("a")
    await home.delivered(star["id"], 2)
    await peer.asked(3)
    assert sorted(each.target for each in peer.requests) == ["/in", "/star", "/star"]
    stranger = Caller("other", "eve", frozenset({"admin"}))
    assert await home.hooks.webhooks(stranger) == []
    for work in (home.hooks.webhook, home.hooks.delete_webhook, home.hooks.deliveries):
        with pytest.raises(NotFound):
            await work(stranger, star["id"])


async def test_what_nobody_wants_costs_nothing(home: House) -> None:
    assert not home.hooks.wants("default", "event")
    home.hooks.offer_events("default", [object()], b"")  # type: ignore[list-item]  # it is not even looked at


# -- again -----------------------------------------------------------------------------------------------------------


async def test_a_message_that_was_not_taken_is_sent_again_under_the_same_id(home: House, peer: Peer) -> None:
    peer.answers["/in"] = in_turn(DOWN, "500 Oh", "429 Slow", "200 OK")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a", "a")
    await home.delivered(hook["id"], 2)
    ids = [each.headers["webhook-id"] for each in peer.requests]
    assert len(set(ids[:4])) == 1
    assert numbers(peer.requests) == [0, 0, 0, 0, 1]
    first = (await home.sent(hook["id"]))[-1]
    assert [each["status"] for each in first["attempts"]] == [503, 500, 429, 200]
    assert first["state"] == "delivered"


async def test_a_message_that_is_never_taken_fails_and_the_next_one_goes_on(home: House, peer: Peer) -> None:
    peer.answers["/in"] = in_turn(*[DOWN] * 8, "200 OK")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a", "a")
    view = await home.delivered(hook["id"], 1)
    assert (view["failed"], view["delivered"]) == (1, 1)
    assert [each["state"] for each in await home.sent(hook["id"])] == ["delivered", "failed"]


async def test_a_message_that_the_target_refuses_does_not_hold_up_the_others_for_long(home: House, peer: Peer) -> None:
    peer.answers["/in"] = in_turn(*["400 No"] * 3, "200 OK")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a", "a")
    assert (await home.delivered(hook["id"], 1))["failed"] == 1
    assert numbers(peer.requests) == [0, 0, 0, 1]


async def test_a_redirect_is_not_followed(home: House, peer: Peer) -> None:
    peer.redirect("/in", "/elsewhere")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a")
    await home.until(lambda view: view["failed"] == 1, hook["id"])
    assert set(peer.paths()) == {"/in"}
    assert "redirected" in (await home.sent(hook["id"]))[0]["attempts"][0]["error"]


async def test_a_target_that_the_rules_of_the_home_forbid_is_never_reached(home: House, peer: Peer) -> None:
    async with listening() as private:
        hook = await home.subscribed(private, events=["a"])
        home.committed("a")
        await home.until(lambda view: view["failed"] == 1, hook["id"])
        assert private.connections == 0
        assert "egress_refused" in (await home.sent(hook["id"]))[0]["attempts"][0]["error"]


async def test_a_target_that_is_too_slow_is_asked_again(tmp_path: Path, peer: Peer) -> None:
    slow = asyncio.Event()

    async def never(writer: asyncio.StreamWriter) -> None:
        await slow.wait()

    peer.answers["/in"] = never
    async with House(tmp_path, replace(QUICK, timeout_s=0.05)).open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
        home.committed("a")
        await peer.asked(2)
        peer.answer("/in")
        await home.delivered(hook["id"], 1)
        assert "http_timeout" in (await home.sent(hook["id"]))[0]["attempts"][0]["error"]
        slow.set()


async def test_a_target_that_is_gone_for_good_is_paused(home: House, peer: Peer) -> None:
    peer.answer("/in", status="410 Gone")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a")
    await home.until(lambda view: view["failed"] + view["waiting"] > 0 and view["state"] == "paused", hook["id"])
    assert len(peer.requests) == 1


async def test_a_slow_target_is_read_to_again_from_the_log_and_misses_nothing(home: House, peer: Peer) -> None:
    with replaced((inbox, "QUEUE_MAX", 3), (inbox, "READ_MAX", 4)):
        hook = await home.subscribed(peer, events=["a"])
        for _ in range(20):
            home.committed("a", "b")
        view = await home.hooks.webhook(LOCAL, hook["id"])
        assert view["waiting"] <= 4
        for _ in range(5):
            await peer.asked(len(peer.requests) + 1)
            home.committed("a", "b")
        await home.delivered(hook["id"], 25)
        assert numbers(peer.requests) == list(range(0, 50, 2))
        assert home.log.reads > 1


async def test_what_is_committed_while_the_log_is_read_is_read_too(home: House, peer: Peer) -> None:
    home.log.gate.clear()
    await home.subscribed(peer, events=["a"])
    await home.log.asked.wait()
    home.committed("a", "b", "a")
    home.log.gate.set()
    assert numbers(await peer.asked(2)) == [0, 2]
    home.committed("a")
    assert numbers(await peer.asked(3)) == [0, 2, 3]


# -- circuits --------------------------------------------------------------------------------------------------------


async def test_a_target_that_is_down_is_left_alone_probed_and_gets_everything_when_it_is_up(
    tmp_path: Path, peer: Peer
) -> None:
    rules = replace(QUICK, pauses_ms=(5, 5, 3_600_000), open_after=3)
    async with House(tmp_path, rules).open(peer) as home:
        peer.answer("/in", status=DOWN)
        hook = await home.subscribed(peer, events=["a"])
        home.committed("a", "a", "a")
        await home.until(lambda view: view["state"] == "open", hook["id"])
        await peer.asked(5)
        peer.answer("/in")
        view = await home.delivered(hook["id"], 3)
        assert (view["state"], view["failed"]) == ("active", 0)
        attempts = (await home.sent(hook["id"]))[-1]["attempts"]
        assert [each["probe"] for each in attempts[:4]] == [False, False, False, True]
        assert sorted(set(numbers(peer.requests))) == [0, 1, 2]


async def test_hooks_of_one_target_share_its_circuit(tmp_path: Path, peer: Peer) -> None:
    rules = replace(QUICK, pauses_ms=(3_600_000,), open_after=1, probe_ms=3_600_000, probe_ms_max=3_600_000)
    async with House(tmp_path, rules).open(peer) as home:
        peer.answer("/in", status=DOWN)
        one = await home.subscribed(peer, events=["a"])
        two = await home.subscribed(peer, events=["b"])
        home.committed("a")
        await home.until(lambda view: view["state"] == "open", one["id"])
        home.committed("b")
        assert (await home.hooks.webhook(LOCAL, two["id"]))["state"] == "open"
        peer.answer("/in")
        await home.hooks.update_webhook(LOCAL, two["id"], paused=False)
        await home.delivered(two["id"], 1)
        await home.delivered(one["id"], 1)
        assert numbers(peer.requests)[0] == 0
        assert sorted(numbers(peer.requests)[1:]) == [0, 1]


async def test_a_retry_that_a_step_of_the_clock_makes_due_is_made_and_signed_by_the_clock(
    tmp_path: Path, peer: Peer
) -> None:
    async with House(tmp_path, replace(QUICK, pauses_ms=(3_600_000,) * 3)).open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
        peer.answer("/in", status=DOWN)
        home.committed("a")
        await home.tried(hook["id"])
        peer.answer("/in")
        home.skew_ms = 4_000_000
        home.hooks.stepped()
        await home.delivered(hook["id"], 1)
        stamps = [int(each.headers["webhook-timestamp"]) for each in peer.requests]
        assert stamps[1] - stamps[0] < 3_000  # by the clock, not by the time that goes on after a step
        assert all(0 <= each["took_ms"] < 60_000 for sent in await home.sent(hook["id"]) for each in sent["attempts"])


# -- restart ---------------------------------------------------------------------------------------------------------


async def test_retries_history_and_place_survive_a_restart(tmp_path: Path, peer: Peer) -> None:
    rules = replace(QUICK, pauses_ms=(3_600_000,) * 3)
    first = House(tmp_path, rules)
    async with first.open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
        home.committed("a")
        await home.delivered(hook["id"], 1)
        peer.answer("/in", status=DOWN)
        home.committed("a", "a")
        await home.tried(hook["id"])
    peer.answer("/in")
    second = House(tmp_path, rules, first)
    second.committed("b", "a", offered=False)
    second.skew_ms = 4_000_000
    async with second.open(peer) as home:
        view = await home.delivered(hook["id"], 4)
        assert view["delivered"] == 4
        assert numbers(peer.requests) == [0, 1, 1, 2, 4]
        sent = await home.sent(hook["id"])
        assert [len(each["attempts"]) for each in reversed(sent)] == [1, 2, 1, 1]


async def test_what_a_kill_took_away_is_sent_again_under_the_same_ids(tmp_path: Path, peer: Peer) -> None:
    first = House(tmp_path)
    async with first.open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
        home.committed("a", "a")
        await home.delivered(hook["id"], 2)
    first.pages._pages.clear()  # nothing of it was saved
    async with House(tmp_path, before=first).open(peer) as home:
        await home.delivered(hook["id"], 2)
        ids = [each.headers["webhook-id"] for each in peer.requests]
        assert ids[:2] == ids[2:]


@pytest.mark.parametrize("cut_at", range(1, 8))
async def test_whenever_it_is_killed_nothing_is_skipped(tmp_path: Path, peer: Peer, cut_at: int) -> None:
    """Everything that is durable at some moment is a place from which nothing is missed."""
    peer.answers["/in"] = in_turn(*["200 OK", DOWN, "200 OK", "400 No"] * 2, "200 OK")
    first = House(tmp_path)
    async with first.open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
        for _ in range(4):
            home.committed("a", "b")
        await peer.asked(cut_at)
        await home.hooks._shared.saver.flush()
        kept, store = dict(first.pages._pages), first.store
        await home.delivered(hook["id"], 4)
    seen = len(peer.requests)
    first.pages._pages, first.store = kept, store
    async with House(tmp_path, before=first).open(peer) as home:
        home.committed("a")
        view = await home.until(lambda view: view["waiting"] == 0 and view["delivered"] >= 5, hook["id"])
        ids = [each["id"] for each in await home.sent(hook["id"])]
        assert len(ids) == len(set(ids)) == 5
        assert view["failed"] == 0
        after = numbers(peer.requests[seen:])
        assert after == sorted(after)


# -- what a person does ----------------------------------------------------------------------------------------------


async def test_a_paused_hook_sends_nothing_and_then_all_of_it(home: House, peer: Peer) -> None:
    hook = await home.subscribed(peer, events=["a"])
    assert (await home.hooks.update_webhook(LOCAL, hook["id"], paused=True))["state"] == "paused"
    home.committed("a", "a")
    await home.hooks.deliveries(LOCAL, hook["id"])
    assert peer.requests == []
    await home.hooks.update_webhook(LOCAL, hook["id"], paused=False)
    assert numbers(await peer.asked(2)) == [0, 1]


async def test_after_a_new_secret_both_sign_for_a_while(home: House, peer: Peer) -> None:
    hook = await home.subscribed(peer, events=["a"])
    changed = await home.hooks.update_webhook(LOCAL, hook["id"], rotate=True)
    assert changed["secret"] != hook["secret"]
    home.committed("a")
    (asked,) = await peer.asked()
    for secret in (hook["secret"], changed["secret"]):
        told(asked, secret)
    home.skew_ms = 2 * 86_400_000
    home.committed("a")
    await peer.asked(2)
    assert len(peer.requests[0].headers["webhook-signature"].split(" ")) == 2
    assert len(peer.requests[1].headers["webhook-signature"].split(" ")) == 1


async def test_a_secret_is_told_once_and_lies_where_only_its_owner_reads(home: House, peer: Peer) -> None:
    own = "whsec_" + "QUJD" * 10
    hook = await home.subscribed(peer, events=["a"], secret=own)
    assert hook["secret"] == own
    for view in (await home.hooks.webhook(LOCAL, hook["id"]), *await home.hooks.webhooks(LOCAL)):
        assert "secret" not in view
    (file,) = home.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    rows = await home.store.journal(0)
    assert own not in repr(rows) + repr(home.pages._pages)
    await home.hooks.delete_webhook(LOCAL, hook["id"])
    assert list(home.folder.iterdir()) == []


async def test_what_failed_is_sent_again_by_hand(home: House, peer: Peer) -> None:
    peer.answers["/in"] = in_turn(*["400 No"] * 6, "200 OK")
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a", "a", "a")
    await home.until(lambda view: view["failed"] == 2 and view["delivered"] == 1, hook["id"])
    assert await home.hooks.redeliver(LOCAL, hook["id"], since_ms=0) == {"queued": 2}
    await home.delivered(hook["id"], 3)
    assert numbers(peer.requests)[-2:] == [0, 1], "the oldest first"
    sent = await home.sent(hook["id"])
    assert [each["state"] for each in sent] == ["delivered"] * 3
    assert await home.hooks.redeliver(LOCAL, hook["id"], deliveries=[sent[0]["id"]]) == {"queued": 1}
    await home.delivered(hook["id"], 4)
    assert len(await home.sent(hook["id"])) == 3


async def test_deliveries_are_paged_filtered_and_shown_whole(home: House, peer: Peer) -> None:
    peer.answers["/in"] = in_turn(*["400 No"] * 3, "200 OK")
    hook = await home.subscribed(peer, events=["a"])
    home.committed(*["a"] * 5)
    await home.delivered(hook["id"], 4)
    first = await home.hooks.deliveries(LOCAL, hook["id"], limit=2)
    rest = await home.hooks.deliveries(LOCAL, hook["id"], before=first["next"])
    assert [len(first["deliveries"]), len(rest["deliveries"]), rest["next"]] == [2, 3, None]
    failed = (await home.hooks.deliveries(LOCAL, hook["id"], state="failed"))["deliveries"]
    assert failed == [rest["deliveries"][-1]]
    shown = await home.hooks.delivery(LOCAL, hook["id"], failed[0]["id"])
    payload: Any = shown["payload"]
    assert payload["data"]["offset"] == 0
    with pytest.raises(NotFound):
        await home.hooks.delivery(LOCAL, hook["id"], "msg_none")


async def test_a_deleted_hook_leaves_nothing(home: House, peer: Peer) -> None:
    hook = await home.subscribed(peer, events=["a"])
    home.committed("a")
    await home.delivered(hook["id"], 1)
    await home.hooks.delete_webhook(LOCAL, hook["id"])
    home.committed("a")
    await home.hooks._shared.saver.flush()
    assert home.pages._pages == {}
    assert len(peer.requests) == 1
    with pytest.raises(NotFound):
        await home.hooks.webhook(LOCAL, hook["id"])


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http://", "http://u:p@a/", "nonsense", "http://a/#x", "http://a:0/", "http://a:99999/",
            "http://a b/", "http://\u00fc/", "http://[::1"],
)  # fmt: skip
async def test_what_is_no_target_is_refused(home: House, url: str) -> None:
    with pytest.raises(Invalid):
        await home.hooks.create_webhook(LOCAL, url, events=["a"])


async def test_wrong_wishes_and_callers_are_refused(home: House, peer: Peer) -> None:
    for wanted in ({}, {"events": [""]}, {"events": ["a"] * 3 + [str(n) for n in range(300)]}, {"events": ["a\n"]}):
        with pytest.raises(Invalid):
            await home.subscribed(peer, **wanted)
    for secret in ("nonsense", "whsec_QUJD", "whsec_!!!!", "whsec_" + "QUJD" * 40):
        with pytest.raises(Invalid):
            await home.subscribed(peer, events=["a"], secret=secret)
    hook = await home.subscribed(peer, events=["a"])
    reader = Caller("default", "reader", frozenset({"view"}))
    with pytest.raises(Refused):
        await home.hooks.create_webhook(reader, peer.url, events=["a"])
    with pytest.raises(Refused):
        await home.hooks.update_webhook(reader, hook["id"], paused=True)
    with pytest.raises(Invalid):
        await home.hooks.redeliver(LOCAL, hook["id"])


async def test_a_lost_secret_sends_nothing_until_it_has_a_new_one(tmp_path: Path, peer: Peer) -> None:
    first = House(tmp_path / "webhooks")
    async with first.open(peer) as home:
        hook = await home.subscribed(peer, events=["a"])
    for file in (tmp_path / "webhooks").iterdir():
        file.unlink()
    async with House(tmp_path / "webhooks", before=first).open(peer) as home:
        home.committed("a")
        changed = await home.hooks.update_webhook(LOCAL, hook["id"], rotate=True)
        (asked,) = await peer.asked()
        told(asked, changed["secret"])


async def test_a_store_that_is_away_refuses_a_subscription_and_no_secret_is_kept_once_it_is_back(
    tmp_path: Path, peer: Peer
) -> None:
    async def away(batch: object) -> int:
        raise Unavailable("the disk is full", code="disk_full")

    first = House(tmp_path / "webhooks")
    async with first.open(peer) as home:
        commit, home.store.commit = home.store.commit, away  # type: ignore[method-assign,assignment]
        with pytest.raises(Unavailable):
            await home.subscribed(peer, events=["a"])
    home.store.commit = commit  # type: ignore[method-assign]
    async with House(tmp_path / "webhooks", before=first).open(peer) as home:
        assert (await home.hooks.webhooks(LOCAL), list(home.folder.iterdir())) == ([], [])


async def test_messages_that_wait_already_are_not_queued_twice(tmp_path: Path, peer: Peer) -> None:
    async with House(tmp_path, replace(QUICK, pauses_ms=(3_600_000,))).open(peer) as home:
        peer.answer("/in", status=DOWN)
        hook = await home.subscribed(peer, events=["a"])
        home.committed("a")
        await home.until(lambda view: view["waiting"] == 1, hook["id"])
        (waiting,) = await home.sent(hook["id"])
        with pytest.raises(Conflict):
            await home.hooks.redeliver(LOCAL, hook["id"], deliveries=[waiting["id"]])


async def test_after_a_loss_of_its_log_a_hook_goes_on_at_the_end_and_misses_nothing_new(
    tmp_path: Path, peer: Peer
) -> None:
    first = House(tmp_path)
    async with first.open(peer) as home:
        hook = await home.subscribed(peer, events=["a"], runs=["*"])
        home.committed(*["a"] * 6)
        home.happened("run", "FAILED", {"run_id": "r1"})
        home.happened("run", "FAILED", {"run_id": "r2"})
        await home.delivered(hook["id"], 8)
    for kept in first.log.notices.values():  # an older file was put back, and that was accepted
        del kept[1:]
    async with House(tmp_path, before=first).open(peer) as home:
        home.committed("b", "a")
        home.happened("run", "COMPLETED", {"run_id": "r3"})
        await home.delivered(hook["id"], 10)
        sent = [told(each, hook["secret"]) for each in peer.requests[8:]]
        assert sorted(each["type"] for each in sent) == ["a", "run.completed"]


async def test_a_feed_that_cannot_be_read_keeps_no_other_from_being_told(home: House, peer: Peer) -> None:
    """A hook of before a feed was there begins at its end, and what it wants of others goes on meanwhile."""
    box = inbox.Inbox("default", {"run": ("*",), "event": ("*",)}, {"run": 0}, home.log, inbox.Budget(), shards=2)
    box.begin("event")
    box.begin("run", 0)
    home.committed("a", offered=False)
    first = await box.take(home.now_ms(), 5)
    assert first is not None
    assert first.kind == "event"
    with pytest.raises(Unavailable):
        await box.take(home.now_ms(), 5)
    assert box.settled(None, {}) == {"run": 0, "event": 0}, "nothing is said of a feed that was never there"
    box.begin("run/1", 7)
    assert await box.take(home.now_ms(), 5) is None
    box.offer(notice("run", "FAILED", 8, 0, {"run_id": "r"}, feed="run/1"))
    assert box.settled(None, {}) == {"run": 0, "run/1": 7, "event": 0}
    last = await box.take(home.now_ms(), 5)
    assert last is not None
    assert last.source == "run/1"


# -- a store of which nobody knows whether it wrote -----------------------------------------------------------------


class Unsure:
    """A store whose next commit is lost: before it was written, or only its answer."""

    def __init__(self, store: MemoryStore, *, written: bool) -> None:
        self._commit, self._written, self._store = store.commit, written, store

    async def __call__(self, batch: Batch) -> int | StaleEpoch:
        self._store.commit = self._commit  # type: ignore[method-assign]  # it is lost once
        if self._written:
            await self._commit(batch)
        raise Unavailable("the connection was lost", code="store_failed")


async def settled(home: House) -> None:
    await asyncio.gather(*(task for task in home.hooks._tasks if "_read_back" in str(task.get_coro())))


@pytest.mark.parametrize("written", [True, False])
async def test_a_hook_is_there_or_not_as_the_store_has_it_when_the_answer_was_lost(
    tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    monkeypatch.setattr("aob.journal.journal.RETRY_S", 0)
    first = House(tmp_path)
    async with first.open(peer) as home:
        monkeypatch.setattr(home.store, "commit", Unsure(home.store, written=written))
        with pytest.raises(Unavailable):
            await home.subscribed(peer, events=["*"])
        await settled(home)
        hooks = await home.hooks.webhooks(LOCAL)
        assert len(hooks) == len(await asyncio.to_thread(os.listdir, tmp_path)) == written
        home.committed("order.created")
        if written:
            await home.delivered(hooks[0]["id"], 1)
        other = await home.subscribed(peer, events=["*"])
        monkeypatch.setattr(home.store, "commit", Unsure(home.store, written=written))
        with pytest.raises(Unavailable):
            await home.hooks.update_webhook(LOCAL, other["id"], paused=True)
        await settled(home)
        assert (await home.hooks.webhook(LOCAL, other["id"]))["state"] == ("paused" if written else "active")
        monkeypatch.setattr(home.store, "commit", Unsure(home.store, written=written))
        with pytest.raises(Unavailable):
            await home.hooks.delete_webhook(LOCAL, other["id"])
        await settled(home)
        left = {each["id"] for each in await home.hooks.webhooks(LOCAL)}
        assert (other["id"] in left) is not written
    async with House(tmp_path, before=first).open(peer) as home:
        assert {each["id"] for each in await home.hooks.webhooks(LOCAL)} == left
