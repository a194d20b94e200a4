"""Ids of tickets and patches say their run: whoever is asked for one reads that run and no other."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob
from aob.compose import App
from aob.core.answers import ticket_place
from aob.core.errors import NotFound, Quarantined
from aob.core.event.ids import derived_id, held_id, holder_of
from aob.core.policy import Caller
from tests.compose.test_recorded_homes import RECORDED, unpacked
from tests.runs.home import BOB, Deed, finished, flow, fn, ticket_of

ADDED = [
    {"op": "add", "path": "/nodes/z", "value": fn()},
    {"op": "add", "path": "/edges/b-z", "value": {"from": "b", "to": "z"}},
]
ASKS = {"kind": "approval", "config": {"text": "?"}}


@given(st.from_regex(r"run_[A-Za-z0-9]{1,60}", fullmatch=True), st.sampled_from(("ticket", "patch")), st.text())
def test_an_id_says_its_run(run: str, kind: str, part: str) -> None:
    assert holder_of(held_id(kind, run, part)) == run
    assert held_id(kind, run, part).startswith(f"{kind}_")
    assert holder_of(derived_id(kind, run, part)) == ""
    assert held_id(kind, run, part)[-8:] != held_id(kind, run + "0", part)[-8:]


def watched(app: App, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The streams that are read from now on."""
    read: list[str] = []
    real = app.views.core.journal.load

    async def load(name: str) -> Any:
        read.append(name)
        return await real(name)

    monkeypatch.setattr(app.views.core.journal, "load", load)
    return read


async def test_what_is_asked_by_id_reads_its_run_and_no_other(
    tmp_path: Path, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    deed.release()
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("w", {"a": ASKS, "b": fn()}, "a>b:approved"))
        runs = [await app.start("w", n) for n in range(8)]
        patches = [await app.views.propose(app.who, run.id, {"operations": ADDED}) for run in runs]
        tickets = [await ticket_of(app, run.id, "approval") for run in runs]
        for ticket in tickets[:4]:
            await app.answer(ticket["ticket_id"], "approve")
        for run in runs[:4]:
            await finished(app, run.id)
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        read = watched(app, monkeypatch)
        for run, ticket, patch in zip(runs, tickets, patches, strict=True):
            read.clear()
            assert (await app.views.ticket(app.who, ticket["ticket_id"]))["run_id"] == run.id
            assert (await app.views.patch(app.who, patch["patch_id"]))["run_id"] == run.id
            assert set(read) == {run.id}
            for who in (BOB, Caller("other", "x", frozenset({"view"}))):
                with pytest.raises(NotFound):
                    await app.views.ticket(who, ticket["ticket_id"])
        read.clear()
        for none in (
            held_id("ticket", runs[0].id, "no"),
            "ticket_no",
            "ticket_-",
            "patch_x-",
            held_id("ticket", "run_0"),
        ):
            with pytest.raises(NotFound):
                await app.views.ticket(app.who, none)
            with pytest.raises(NotFound):
                await app.views.patch(app.who, none)


@pytest.mark.parametrize("name", RECORDED)
async def test_ids_of_an_earlier_release_are_found_by_an_index(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = unpacked(name, tmp_path / "home")
    if (home / "shard-1.db").exists():
        pytest.skip("a home of several processes")
    async with aob.open(home) as app:
        core, found = app.views.core, 0
        names = [row["run_id"] for row in (await app.views.runs(app.who, limit=500))["runs"]]
        streams = [await core.journal.load(name) for name in names]
        held = [(stream.name, "ticket", id) for stream in streams if stream for id in stream.state.tickets]
        held += [(stream.name, "patch", id) for stream in streams if stream for id in stream.state.patches]
        core.journal.tickets.replace([])  # only the index is left
        read = watched(app, monkeypatch)
        for run_id, kind, id in held:
            read.clear()
            told = await getattr(app.views, kind)(app.who, id)
            assert (told["run_id"], set(read)) == (run_id, {run_id})
            found += not holder_of(id)
        assert found >= 2


async def test_a_proposal_of_before_is_known_when_it_comes_again(
    app: App, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.push(flow("w", {"a": ASKS, "b": fn()}, "a>b:approved"))
    run = await app.start("w")
    body = {"operations": ADDED, "id": "mine"}
    with monkeypatch.context() as before:
        before.setattr("aob.runs.patches.held_id", derived_id)
        first = await app.views.propose(app.who, run.id, body)
    assert not holder_of(first["patch_id"])
    again = await app.views.propose(app.who, run.id, body)
    assert again["patch_id"] == first["patch_id"]
    assert len(await app.views.patches(app.who, run.id)) == 1

    async def holder(id: str) -> str:
        return run.id if id == first["patch_id"] else ""

    monkeypatch.setattr(app.views.core.store, "holder", holder)  # as the index of a file of before says it
    back = await app.views.rollback(app.who, first["patch_id"])
    assert (await app.views.rollback(app.who, first["patch_id"]))["patch_id"] == back["patch_id"]


class Unwalked(dict[str, Any]):
    """Streams that are found by name and never walked through."""

    def __iter__(self) -> Any:
        raise AssertionError("all streams are walked through")

    keys = values = items = __iter__  # type: ignore[assignment]


async def test_no_lookup_by_name_and_no_list_of_open_tickets_walks_through_the_runs(app: App, deed: Deed) -> None:
    await app.push(flow("w", {"a": ASKS, "b": fn()}, "a>b:approved"))
    runs = [(await app.start("w", n)).id for n in range(5)]
    tickets = [(await ticket_of(app, run, "approval"))["ticket_id"] for run in runs]
    journal = app.views.core.journal
    streams, journal.streams = journal.streams, Unwalked(journal.streams)
    try:
        verdicts = await app.views.start_many(app.who, [{"inputs": 1}, {"workflow": "w", "tag": "main"}])
        assert [verdict["status"] for verdict in verdicts] == ["WAITING", "WAITING"]
        assert [each["workflow"] for each in await app.views.workflows(app.who)] == ["w"]
        assert await app.views.workflows(BOB) == []
        with pytest.raises(NotFound, match="x"):
            await app.views.workflow(app.who, "x")
        listed = {each["ticket_id"] for each in await app.views.tickets(app.who)}
        assert set(tickets) <= listed
        assert {each["name"] for each in app.views.core.pushes("default")} == {"w"}
    finally:
        streams.update(dict.items(journal.streams))  # type: ignore[call-overload]
        journal.streams = streams


async def test_a_list_of_tickets_reads_no_more_runs_than_it_shows(
    app: App, deed: Deed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.push(flow("w", {"a": ASKS, "b": fn()}, "a>b:approved"))
    runs = [(await app.start("w", n)).id for n in range(8)]
    for run in runs:
        await ticket_of(app, run, "approval")
    read = watched(app, monkeypatch)
    first = await app.views.tickets(app.who, limit=3)
    assert (len(first), len(read)) == (3, 3)
    last = first[-1]
    due_ms, id = ticket_place(last.get("due"), last["ticket_id"])
    more = await app.views.tickets(app.who, limit=3, after=f"{due_ms}.{id}")
    assert len(more) == 3
    assert not {each["ticket_id"] for each in first} & {each["ticket_id"] for each in more}
    assert len(read) == 6


async def test_that_anothers_run_cannot_be_read_is_not_told(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path, app=deed.handlers()) as app:
        await app.push(flow("w", {"a": ASKS, "b": fn()}, "a>b:approved"))
        run, views = (await app.start("w", 1)).id, app.views
        ticket = (await ticket_of(app, run, "approval"))["ticket_id"]
        patch = (await views.propose(app.who, run, {"operations": ADDED}))["patch_id"]
        journal = views.core.journal
        journal.unreadable[run] = "a broken segment"
        kept = journal.streams.pop(run)
        asked: list[Callable[[Caller], Awaitable[object]]] = [
            lambda who: views.run(who, run), lambda who: views.cancel(who, run),
            lambda who: views.ticket(who, ticket), lambda who: views.patch(who, patch),
        ]  # fmt: skip
        for ask in asked:
            with pytest.raises(Quarantined):
                await ask(app.who)
            with pytest.raises(NotFound):
                await ask(BOB)
        journal.streams[run] = kept
        del journal.unreadable[run]
