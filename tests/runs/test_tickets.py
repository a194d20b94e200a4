"""Verbs of tickets: a person decides, once, within a role, a form and a deadline; nobody holds a worker meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import aob
from aob.compose import App
from aob.core.errors import CallerError, Conflict, Invalid, NotFound, Refused, TooLarge
from aob.server import create_app
from tests.runs.home import BOB, FINANCE, RUNNER, VIEWER, Deed, finished, flow, fn, kinds, ticket_of, until


def ask(config: dict[str, Any] | None = None, **node: Any) -> dict[str, Any]:
    """A workflow that asks: `yes` after approval, `no` after a rejection, `late` after a deadline that only passes."""
    review = {"kind": "approval", "config": {"role": "finance", **(config or {})}, **node}
    nodes = {"a": fn(), "review": review, "yes": fn(), "no": fn()}
    edges = ["a>review", "review>yes:approved", "review>no:rejected"]
    timeout = node.get("timeout", {})
    if "deadline" in timeout and "expire" not in timeout:
        nodes["late"] = fn()
        edges.append("review>late:expired")
    return flow("ask", nodes, *edges)


def taken(run: dict[str, Any]) -> set[str]:
    """Which of the ways was taken."""
    return {name for name in ("yes", "no", "late") if run["nodes"].get(name, {}).get("state") == "completed"}


@pytest.mark.parametrize(("choice", "way"), [("approve", "yes"), ("reject", "no")])
async def test_the_answer_chooses_the_way(app: App, choice: str, way: str) -> None:
    await app.push(ask())
    run = await app.start("ask", {"total": 9})
    ticket = await ticket_of(app, run.id)
    waiting = await app.run(run.id)
    told = await app.views.answer(app.who, ticket["ticket_id"], choice, reason="because")
    ended = await finished(app, run.id)
    assert (waiting["status"], waiting["tickets"]) == ("WAITING", [ticket["ticket_id"]])
    assert (ticket["role"], ticket["shown"], ticket["state"]) == ("finance", {"total": 9}, "open")
    assert (told["choice"], told["by"], told["reason"]) == (choice, "local", "because")
    assert (ended["status"], taken(ended)) == ("COMPLETED", {way})
    assert ended["nodes"]["review"]["output"]["by"] == "local"


async def test_the_same_answer_again_changes_nothing_and_another_is_a_conflict(app: App) -> None:
    await app.push(ask())
    run = await app.start("ask", 1)
    id = (await ticket_of(app, run.id))["ticket_id"]
    await app.answer(id, "approve")
    again = await app.answer(id, "approve")
    assert again["state"] == "approve"
    with pytest.raises(Conflict) as caught:
        await app.answer(id, "reject")
    assert caught.value.code == "ticket_closed"
    await finished(app, run.id)
    assert kinds(await app.views.timeline(app.who, run.id)).count("ticket_answered") == 1
    assert (await app.answer(id, "approve"))["state"] == "approve"


class TestARole:
    async def test_is_enough(self, app: App) -> None:
        await app.push(ask())
        run = await app.start("ask", 1)
        ticket = await ticket_of(app, run.id)
        assert (await app.views.answer(FINANCE, ticket["ticket_id"], "approve"))["by"] == "fin"

    @pytest.mark.parametrize("who", [VIEWER, RUNNER])
    async def test_that_is_missing_is_refused_before_and_after(self, app: App, who: Any) -> None:
        await app.push(ask())
        run = await app.start("ask", 1)
        id = (await ticket_of(app, run.id))["ticket_id"]
        with pytest.raises(Refused, match="finance"):
            await app.views.answer(who, id, "approve")
        await app.answer(id, "approve")
        with pytest.raises(Refused, match="finance"):
            await app.views.answer(who, id, "approve")

    async def test_filters_the_list(self, app: App) -> None:
        await app.push(ask())
        run = await app.start("ask", 1)
        await ticket_of(app, run.id)
        assert len(await app.views.tickets(app.who, role="finance")) == 1
        assert await app.views.tickets(app.who, role="legal") == []


FORM = {
    "reason": "string", "amount": "number", "count": "integer", "sure": "boolean",
    "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
}  # fmt: skip


class TestAForm:
    async def test_that_fits_is_in_the_output(self, app: App) -> None:
        await app.push(ask({"form": FORM}))
        run = await app.start("ask", 1)
        values = {"reason": "fine", "amount": 1.5, "count": 2, "sure": True, "code": "ABC"}
        ticket = await ticket_of(app, run.id)
        await app.views.answer(app.who, ticket["ticket_id"], "approve", values=values)
        assert ticket["form"] == FORM
        assert (await finished(app, run.id))["nodes"]["review"]["output"]["values"] == values

    @pytest.mark.parametrize(
        ("values", "path"),
        [
            ({"reason": 7}, "/values/reason"), ({"amount": "1"}, "/values/amount"),
            ({"amount": True}, "/values/amount"),
            ({"count": 1.5}, "/values/count"), ({"count": True}, "/values/count"), ({"sure": 1}, "/values/sure"),
            ({"other": 1}, "/values/other"), ({"code": "abc"}, "/values/code"), ([1], "/values"), ("x", "/values"),
        ],
    )  # fmt: skip
    async def test_that_does_not_fit_leaves_the_ticket_open(self, app: App, values: Any, path: str) -> None:
        await app.push(ask({"form": FORM}))
        run = await app.start("ask", 1)
        id = (await ticket_of(app, run.id))["ticket_id"]
        with pytest.raises(Invalid) as caught:
            await app.views.answer(app.who, id, "approve", values=values)
        assert [p.path for p in caught.value.problems] == [path]
        assert (await app.views.ticket(app.who, id))["state"] == "open"

    async def test_has_at_most_a_megabyte(self, app: App) -> None:
        await app.push(ask({"form": FORM}))
        run = await app.start("ask", 1)
        id = (await ticket_of(app, run.id))["ticket_id"]
        with pytest.raises(TooLarge):
            await app.views.answer(app.who, id, "approve", values={"reason": "x" * 1_000_001})


@pytest.mark.parametrize("choice", ["maybe", "", "approve ", 7, None])
async def test_only_its_choices_are_choices(app: App, choice: Any) -> None:
    await app.push(ask())
    run = await app.start("ask", 1)
    id = (await ticket_of(app, run.id))["ticket_id"]
    with pytest.raises(CallerError):
        await app.views.answer(app.who, id, choice)


class TestADeadline:
    @pytest.mark.parametrize(("expire", "way"), [("", "late"), ("approve", "yes"), ("reject", "no")])
    async def test_that_passes_decides_as_the_node_says(self, app: App, expire: str, way: str) -> None:
        timeout = {"deadline": "20ms", **({"expire": expire} if expire else {})}
        await app.push(ask(timeout=timeout))
        run = await finished(app, (await app.start("ask", 1)).id)
        assert (run["status"], taken(run), run["timers"]) == ("COMPLETED", {way}, [])

    async def test_without_a_way_of_its_own_fails_the_node(self, app: App) -> None:
        review = {"kind": "approval", "config": {}, "timeout": {"deadline": "20ms"}}
        await app.push(flow("ask", {"review": review, "yes": fn()}, "review>yes:approved"))
        run = await finished(app, (await app.start("ask", 1)).id)
        assert (run["status"], run["error"]["code"]) == ("FAILED", "approval_expired")

    async def test_too_late_an_answer_is_a_conflict(self, app: App) -> None:
        await app.push(ask(timeout={"deadline": "20ms"}))
        run = await app.start("ask", 1)
        opened = await until(app, run.id, "ticket_opened")
        await finished(app, run.id)
        with pytest.raises(Conflict):
            await app.answer(opened["id"], "approve")

    async def test_is_shown_and_comes_first_in_the_list(self, app: App) -> None:
        for hours in (3, 1, 2):
            await app.push(ask(timeout={"deadline": f"{hours}h"}))
            await ticket_of(app, (await app.start("ask", hours)).id)
        listed = await app.views.tickets(app.who)
        assert [ticket["shown"] for ticket in listed] == [1, 2, 3]

    async def test_stands_over_a_restart(self, tmp_path: Path, deed: Deed) -> None:
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            await app.push(ask(timeout={"deadline": "300ms"}))
            run = await app.start("ask", 1)
            await ticket_of(app, run.id)
        async with aob.open(tmp_path, app=deed.handlers()) as app:
            assert taken(await finished(app, run.id)) == {"late"}


class TestALadder:
    async def test_reminds_reassigns_and_decides(self, app: App) -> None:
        escalate = [
            {"after": "20ms", "do": "remind"}, {"after": "40ms", "do": "reassign", "role": "boss"},
            {"after": "80ms", "do": "approve"},
        ]  # fmt: skip
        await app.push(ask({"escalate": escalate}))
        run = await app.start("ask", 1)
        ended = await finished(app, run.id)
        timeline = await app.views.timeline(app.who, run.id)
        changed = [(e["what"], e.get("role", "")) for e in timeline if e["type"] == "ticket_changed"]
        assert changed == [("remind", ""), ("reassign", "boss")]
        assert (taken(ended), ended["timers"]) == ({"yes"}, [])
        assert next(e for e in timeline if e["type"] == "ticket_answered")["by"] == "timer"

    async def test_reminders_come_until_the_answer(self, app: App) -> None:
        await app.push(ask(timeout={"remind": "15ms"}))
        run = await app.start("ask", 1)
        await until(app, run.id, "ticket_changed", what="remind", step=2)
        await app.answer((await ticket_of(app, run.id))["ticket_id"], "approve")
        assert (await finished(app, run.id))["timers"] == []


async def test_a_cancel_withdraws_the_ticket(app: App) -> None:
    await app.push(ask())
    run = await app.start("ask", 1)
    id = (await ticket_of(app, run.id))["ticket_id"]
    await app.views.cancel(app.who, run.id)
    assert (await app.views.ticket(app.who, id))["state"] == "withdrawn"
    assert await app.views.tickets(app.who) == []
    assert len(await app.views.tickets(app.who, open=False)) == 1
    with pytest.raises(Conflict):
        await app.answer(id, "approve")


async def test_a_list_of_decided_tickets_looks_at_a_bounded_number_of_runs(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.push(ask())
    runs = [await app.start("ask", n) for n in range(6)]
    ids = [(await ticket_of(app, run.id))["ticket_id"] for run in runs]
    for run, id in zip(runs[1:], ids[1:], strict=True):
        await app.answer(id, "approve")
        await finished(app, run.id)
    looked = list[object]()
    monkeypatch.setattr("aob.runs.tickets.RUNS_WALKED", 2)
    monkeypatch.setattr("aob.runs.tickets.mine", lambda who, run: looked.append(run) or True)
    found = {ticket["ticket_id"] for ticket in await app.views.tickets(app.who, open=False)}
    assert len(looked) == 2
    assert found == {ids[0], *ids[-2:]}, "what is open has a row, whatever its run's age"
    assert [t["ticket_id"] for t in await app.views.tickets(app.who, open=False, run_id=runs[1].id)] == [ids[1]]


async def test_a_ticket_that_is_not_there_is_not_found(app: App) -> None:
    for id in ("ticket_none", "", "../x", "x" * 1_000):
        with pytest.raises(NotFound):
            await app.views.ticket(app.who, id)


async def test_a_ticket_of_another_tenant_is_not_there(app: App) -> None:
    await app.push(ask())
    run = await app.start("ask", 1)
    id = (await ticket_of(app, run.id))["ticket_id"]
    with pytest.raises(NotFound):
        await app.views.answer(BOB, id, "approve")
    assert await app.views.tickets(BOB) == []


async def test_tickets_of_an_ended_run_are_found_after_a_restart(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(ask())
        run = await app.start("ask", 1)
        id = (await ticket_of(app, run.id))["ticket_id"]
        await app.answer(id, "approve")
        await finished(app, run.id)
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        assert (await app.views.ticket(app.who, id))["choice"] == "approve"
        assert [t["ticket_id"] for t in await app.views.tickets(app.who, open=False, run_id=run.id)] == [id]


async def test_a_node_whose_policy_is_review_asks_what_now(app: App) -> None:
    await app.push(flow("r", {"a": fn("wrong", on_failure="review"), "b": fn()}, "a>b"))
    run = await app.start("r", 1)
    ticket = await ticket_of(app, run.id, "review")
    assert ticket["choices"] == ["retry", "skip", "fail"]
    await app.answer(ticket["ticket_id"], "retry")
    second = await until(app, run.id, "ticket_opened", seq=(await latest(app, run.id)))
    await app.answer(second["id"], "skip")
    ended = await finished(app, run.id)
    assert (ended["status"], ended["nodes"]["b"]["state"]) == ("COMPLETED", "skipped")


async def latest(app: App, run_id: str) -> int:
    """The `seq` of the second ticket of a run."""
    seen: list[int] = []
    async for _, name, entry in app.views.follow(app.who, run_id=run_id):
        if name == "ticket_opened":
            seen.append(entry["seq"])
        if len(seen) == 2:
            break
    return seen[1]


async def test_tickets_come_by_the_page_each_once_and_in_order(app: App) -> None:
    asks = {"kind": "approval", "config": {}}
    await app.push(flow("pages", {"ok": asks, "b": fn()}, "ok>b:approved"))
    await app.push(flow("dated", {"ok": {**asks, "timeout": {"deadline": "1h"}}, "b": fn()}, "ok>b:approved"))
    for name in ("pages", "dated", "pages", "dated", "pages"):
        await app.start(name)
    whole = [ticket["ticket_id"] for ticket in await app.views.tickets(app.who)]
    assert len(whole) == 5
    app_ = create_app(app.views, app.metrics)
    made = await app.views.create_key(app.who, "reader", ["view"])
    seen: list[str] = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app_), base_url="http://aob", headers={"x-api-key": made["secret"]}
    ) as http:
        query: dict[str, str] = {"limit": "2"}
        while True:
            page = (await http.get("/v1/tickets", params=query)).json()
            assert len(page["tickets"]) <= 2
            seen += [ticket["ticket_id"] for ticket in page["tickets"]]
            if "next" not in page:
                break
            query["cursor"] = page["next"]
        assert (await http.get("/v1/tickets", params={"cursor": "nonsense"})).status_code == 422
        assert (await http.get("/v1/tickets", params={"limit": "0"})).status_code == 422
    assert seen == whole


async def test_open_tickets_of_an_earlier_release_get_their_rows_at_the_next_commit(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with aob.open(home, app=Deed().handlers()) as app:
        await app.push(ask())
        ids = [(await ticket_of(app, (await app.start("ask", n)).id))["ticket_id"] for n in range(3)]
        rows = await app.views.core.store.tickets()
        assert sorted((row.id, row.tenant, row.roles) for row in rows) == sorted(
            (id, "default", "finance") for id in ids
        )
    with closing(sqlite3.connect(home / "shard-0.db")) as file:  # as that release left it
        file.executescript("delete from ticket; delete from whole; update file set format = 3")
    async with aob.open(home, app=Deed().handlers()) as app:
        store = app.views.core.store
        assert not await store.tickets_whole()
        told = await app.views.tickets(app.who)
        assert sorted(ticket["ticket_id"] for ticket in told) == sorted(ids)
        await app.answer(ids[1], "approve")
        assert await store.tickets_whole()
        assert sorted(row.id for row in await store.tickets()) == sorted((ids[0], ids[2]))
    async with aob.open(home, app=Deed().handlers()) as app:
        assert sorted(row.id for row in app.views.core.journal.tickets.rows()) == sorted((ids[0], ids[2]))
        await app.answer(ids[0], "reject")
        assert [ticket["ticket_id"] for ticket in await app.views.tickets(app.who)] == [ids[2]]
