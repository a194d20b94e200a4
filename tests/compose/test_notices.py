"""Notices: who a ticket names is told when it opens and at its reminders, and nobody waits for the telling."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

import aob
from aob.compose import notices
from aob.compose.app import App
from aob.compose.files import accept_loss
from aob.compose.files.link_secret import link_secret
from aob.server import create_app, serving
from tests.runs.home import crashed
from tests.work.peers import Peer, peer

HOOK = "/hook"


def document(notify: list[str], **timeout: str) -> dict[str, Any]:
    ask = {"kind": "approval", "config": {"text": "Ship?", "notify": notify}, "timeout": timeout}
    return {"workflow": "ship", "nodes": {"ok": ask if timeout else {**ask, "timeout": {"deadline": "1d"}}}}


TOLD = document(["webhook:ops"])


@pytest.fixture
async def ops() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer(HOOK)
        yield it


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice that failed is sent again at once."""
    monkeypatch.setattr(notices, "PAUSE_S", 0)


@asynccontextmanager
async def served(folder: Path, ops: Peer, app: Any = None) -> AsyncIterator[App]:
    """A home with its server, which knows the target `ops`."""
    settings = {"egress": {"private": [f"127.0.0.1:{ops.port}"]}, "notify": {"targets": {"ops": ops.url + HOOK}}}
    async with (
        aob.open(folder, app=app, **settings) as home,
        serving(create_app(home.views, link_secrets=(link_secret(folder),))) as url,
    ):
        home.notices.base_url = url
        yield home


@pytest.fixture
async def home(tmp_path: Path, ops: Peer) -> AsyncIterator[App]:
    async with served(tmp_path / "home", ops) as it:
        yield it


def told(ops: Peer, at: int) -> Any:
    return msgspec.json.decode(ops.requests[at].body)


async def opened(home: App, run_id: str) -> str:
    """The ticket of a run, once it is open."""
    async for _, name, event in home.views.follow(home.who, run_id=run_id):
        if name == "ticket_opened":
            return str(event["id"])
    raise AssertionError("the run has ended")


async def test_a_ticket_that_opens_is_told_with_a_link_that_decides(home: App, ops: Peer) -> None:
    await home.push(TOLD)
    run = await home.start("ship")
    await ops.asked()
    notice = told(ops, 0)
    ticket_id = await opened(home, run.id)
    assert (notice["what"], notice["ticket"], notice["run"]) == ("opened", ticket_id, run.id)
    assert notice["subject"] == "ship: Ship?"
    assert notice["link"] in notice["text"]
    async with httpx.AsyncClient() as guest:
        page = await guest.get(notice["link"])
        assert 'value="approve"' in page.text
        assert (await home.views.ticket(home.who, ticket_id))["state"] == "open"
        assert (await guest.post(notice["link"], data={"choice": "approve"})).status_code == 200
    assert (await run.done())["status"] == "COMPLETED"
    assert (await home.views.ticket(home.who, ticket_id))["by"] == "link:webhook:ops"
    assert len(ops.requests) == 1


async def test_a_question_of_an_agent_is_told_with_a_link_that_decides(tmp_path: Path, ops: Peer) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def asks(record: Any, ctx: Any) -> None:
        answer = await ctx.interrupt("Ship?", notify=["webhook:ops"], form={"sum": "integer"})
        ctx.emit("out", "decided", [answer["by"], answer["values"]])

    async with aob.open(tmp_path / "home") as home:
        await home.metrics.create_topic(home.who, "orders")
        await home.metrics.create_topic(home.who, "out")
    async with served(tmp_path / "home", ops, SimpleNamespace(asks=asks)) as home:
        await home.produce("orders", "order", 1, subject="ann")
        await ops.asked()
        notice = told(ops, 0)
        assert (notice["what"], notice["agent"], notice["key"], notice["subject"]) == (
            "opened", "asks", "ann", "asks: Ship?",
        )  # fmt: skip
        async with httpx.AsyncClient() as guest:
            assert 'name="value.sum"' in (await guest.get(notice["link"])).text
            posted = await guest.post(notice["link"], data={"choice": "approve", "value.sum": "4"})
            assert posted.status_code == 200
        async for record in home.follow("out"):
            assert record.data == ["link:webhook:ops", {"sum": 4}]
            break


async def test_notices_go_on_when_a_loss_of_the_journal_was_accepted(tmp_path: Path, ops: Peer) -> None:
    """The journal ends before the mark: what is new is told though its rows have numbers that were read before."""
    folder = tmp_path / "home"
    async with served(folder, ops) as home:
        await home.push(TOLD)
        await home.start("ship")
        await ops.asked()
        await home.notices._save()
        old = crashed(home, tmp_path / "old")
        for number in range(2, 6):
            await home.start("ship")
            await ops.asked(number)
    for end in ("", "-wal", "-shm"):
        (folder / f"shard-0.db{end}").unlink(missing_ok=True)
        if (old / f"shard-0.db{end}").exists():
            shutil.copy(old / f"shard-0.db{end}", folder)
    accept_loss(folder, "shard-0.db")
    for number in (6, 7):
        async with served(folder, ops) as home:
            run = await home.start("ship")
            await ops.asked(number)
            assert told(ops, number - 1)["run"] == run.id
    async with served(folder, ops) as home:
        assert home.wiring is not None
        await home.wiring.platform.caught_up(home.views.core.journal.durable_row, 10)
        for metric, count in (("runs_started", 3), ("approvals_opened", 3)):
            assert (await home.metric(metric, window="all"))["value"] == count, "as the journal says it now"


async def test_a_reminder_is_told_again_under_another_key(home: App, ops: Peer) -> None:
    await home.push(document(["webhook:ops"], remind="50ms", deadline="1d"))
    run = await home.start("ship")
    await ops.asked(3)
    await home.views.cancel(home.who, run.id)
    notices_told = sorted((told(ops, at) for at in range(3)), key=lambda notice: str(notice["what"]))
    assert [notice["what"] for notice in notices_told] == ["opened", "remind", "remind"]
    assert [notice["subject"].startswith("Reminder: ") for notice in notices_told] == [False, True, True]
    assert len({asked.headers["idempotency-key"] for asked in ops.requests[:3]}) == 3


async def test_a_target_that_is_busy_gets_the_same_notice_again(home: App, ops: Peer) -> None:
    async def busy(writer: asyncio.StreamWriter) -> None:
        ops.answer(HOOK)
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    ops.answers[HOOK] = busy
    await home.push(TOLD)
    await home.start("ship")
    first, second = await ops.asked(2)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_a_target_that_fails_is_given_up_and_holds_up_no_run(home: App, ops: Peer) -> None:
    ops.answer(HOOK, status="503 Service Unavailable")
    await home.push(TOLD)
    run = await home.start("ship")
    await home.answer(await opened(home, run.id), "approve")
    assert (await run.done())["status"] == "COMPLETED"
    await ops.asked(notices.TRIES_MAX)
    ops.answer("/other")
    await home.push(document([f"{ops.url}/other"]))
    await home.start("ship")
    await ops.asked(notices.TRIES_MAX + 1)
    assert ops.paths() == [*[HOOK] * notices.TRIES_MAX, "/other"]


async def test_a_target_that_hangs_holds_up_neither_the_run_nor_the_end_of_the_home(tmp_path: Path, ops: Peer) -> None:
    async def hang(writer: Any) -> None:
        await writer.wait_closed()

    ops.answers[HOOK] = hang
    async with served(tmp_path / "home", ops) as home:
        await home.push(TOLD)
        run = await home.start("ship")
        await ops.asked()
        await home.answer(await opened(home, run.id), "reject")
        await run.done()


async def test_a_target_that_says_no_is_not_asked_again(home: App, ops: Peer) -> None:
    ops.answer("/first", status="403 Forbidden")
    await home.push(document([f"{ops.url}/first"]))
    await home.start("ship")
    await ops.asked()
    await home.push(TOLD)
    await home.start("ship")
    await ops.asked(2)
    assert ops.paths() == ["/first", HOOK]


async def test_nothing_is_told_of_tickets_that_name_nobody(home: App, ops: Peer) -> None:
    await home.push(document([]))
    quiet = await home.start("ship")
    await opened(home, quiet.id)
    await home.push(TOLD)
    loud = await home.start("ship")
    await ops.asked()
    assert [told(ops, at)["run"] for at in range(len(ops.requests))] == [loud.id]


async def test_a_link_outlives_the_process_that_made_it(tmp_path: Path, ops: Peer) -> None:
    async with served(tmp_path / "home", ops) as home:
        await home.push(TOLD)
        run_id = (await home.start("ship")).id
        await ops.asked()
    path = httpx.URL(told(ops, 0)["link"]).path
    async with served(tmp_path / "home", ops) as home, httpx.AsyncClient(base_url=home.notices.base_url) as guest:
        assert (await guest.post(path, data={"choice": "reject"})).status_code == 200
        assert (await home.views.run(home.who, run_id))["nodes"]["ok"]["state"] != "open"
    assert (tmp_path / "home" / "link.secret").stat().st_mode & 0o777 == 0o600


async def test_a_crash_loses_no_notice_and_tells_of_no_ticket_that_was_answered(tmp_path: Path, ops: Peer) -> None:
    ops.answer(HOOK, status="503 Service Unavailable")
    async with served(tmp_path / "home", ops) as home:
        await home.push(TOLD)
        runs = [await home.start("ship") for _ in range(2)]
        tickets = [await opened(home, run.id) for run in runs]
        before, count = set[str](), 2
        while len(before) < 2:  # one of them may have been told twice before the other
            before, count = {asked.headers["idempotency-key"] for asked in await ops.asked(count)}, count + 1
        await home.answer(tickets[1], "approve")
        await runs[1].done()
        after = crashed(home, tmp_path / "after")
    ops.requests.clear()
    ops.answer(HOOK)
    async with served(after, ops) as home:
        (asked,) = await ops.asked()
        assert asked.headers["idempotency-key"] in before
        assert told(ops, 0)["ticket"] == tickets[0]
    async with served(after, ops) as home:
        await home.start("ship")
        await ops.asked(2)
        assert tickets[0] not in {told(ops, at)["ticket"] for at in range(1, len(ops.requests))}


async def test_a_home_of_before_begins_to_tell_of_what_comes(tmp_path: Path, ops: Peer) -> None:
    async with served(tmp_path / "home", ops) as home:
        await home.push(TOLD)
        await home.start("ship")
        await ops.asked()
        await home.wiring.delivered.clear()  # type: ignore[union-attr]
    async with served(tmp_path / "home", ops) as home:
        run = await home.start("ship")
        await ops.asked(2)
        assert told(ops, 1)["run"] == run.id
