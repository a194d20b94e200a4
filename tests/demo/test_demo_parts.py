"""The demo's parts: pictures of graphs, the feed that survives a kill, the person at the prompt, its own folder."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aob.backends.postgres.cluster import join
from aob.backends.postgres.database import Database
from aob.client import Event
from aob.core.errors import NotFound, Unavailable
from demo.captions import WORDS_A_SECOND, acts
from demo.database import demo_store, is_wanted
from demo.picture import added_nodes, layers, picture
from demo.prompt import decision
from demo.services import MARK, fresh_folder, with_ports
from demo.watch import Watch

OWN_S = 45
"""What the demo takes itself, without a word."""
DIAMOND = {
    "nodes": {"a": {}, "b": {}, "c": {}, "d": {}},
    "edges": {
        "1": {"from": "a", "to": "b"}, "2": {"from": "a", "to": "c"}, "3": {"from": "b", "to": "d"},
        "4": {"from": "c", "to": "d"},
    },
}  # fmt: skip


async def test_with_a_database_it_works_in_a_schema_of_its_own_made_anew(tmp_path: Path, postgres_url: str) -> None:
    place = postgres_url.rpartition("@")[2]
    store = f"postgresql://demo_{os.getpid()}:of-the-demo@{place}?schema=kept"
    env = {"AOB_STORE": store, "AOB_STORE_OWNER": postgres_url}
    clusters = set()
    for _ in range(2):
        made = await demo_store(env, tmp_path)
        assert "schema=aob_demo" in made["AOB_STORE"]
        database = await Database.open(made["AOB_STORE"])
        clusters.add((await join(database)).id)
        await database.close()
    assert len(clusters) == 2
    with pytest.raises(Unavailable) as told:
        await demo_store({"AOB_STORE": store.replace("of-the-demo", "wrong-one")}, tmp_path)
    assert told.value.code == "store_rights"
    assert "wrong-one" not in str(told.value)
    assert not is_wanted({}) | is_wanted({"AOB_STORE": "memory:"})


def test_a_picture_shows_a_node_after_all_that_lead_to_it() -> None:
    assert layers(DIAMOND) == [["a"], ["b", "c"], ["d"]]


def test_a_picture_marks_what_was_added() -> None:
    before: dict[str, Any] = {"nodes": {"a": {}}, "edges": {}}
    assert added_nodes(before, DIAMOND) == {"b", "c", "d"}
    assert picture(DIAMOND, frozenset({"d"})) == "a → b · c → [bold green]+d[/]"


async def feed(*names: str) -> AsyncIterator[Event]:
    """A feed that ends after these events."""
    for name in names:
        yield Event(name, {}, name)


async def test_a_watch_finds_an_event_that_has_been_and_one_that_comes() -> None:
    told: list[str] = []
    async with Watch(feed("node_completed", "run_finished"), lambda seen: told.append(seen.name)) as watch:
        await watch.until(lambda seen: seen.name == "run_finished")
        assert (await watch.until(lambda seen: seen.name == "node_completed")).position == "node_completed"
    assert told == ["node_completed", "run_finished"]


async def test_a_watch_says_which_events_came_when_the_feed_ends_without_the_wanted_one() -> None:
    async with Watch(feed("run_started"), lambda seen: None) as watch:
        with pytest.raises(Unavailable, match="last: run_started"):
            await watch.until(lambda seen: seen.name == "run_finished")


async def test_without_a_terminal_the_demo_approves_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(""))
    out = StringIO()
    assert await decision(Console(file=out), lambda: asyncio.sleep(0), "aob approve") == "approve"
    assert "approves by itself" in out.getvalue()


@pytest.mark.parametrize(("typed", "meant"), [(b"\n", "approve"), (b"what\nn\n", "reject")])
async def test_a_person_decides_at_the_prompt(monkeypatch: pytest.MonkeyPatch, typed: bytes, meant: str) -> None:
    ours, theirs = pty.openpty()
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, typed)
        assert await decision(Console(file=StringIO()), lambda: never, "aob approve") == meant
    os.close(ours)


async def test_a_decision_from_another_terminal_ends_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert await decision(Console(file=StringIO()), lambda: asyncio.sleep(0), "aob approve") is None
    os.close(ours)


def test_the_demo_empties_only_a_folder_that_it_made(tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path / "demo")
    (folder / "old").write_text("x")
    assert [path.name for path in fresh_folder(folder).iterdir()] == [MARK]
    (tmp_path / "mine").write_text("x")
    with pytest.raises(NotFound):
        fresh_folder(tmp_path)


def test_the_example_gets_the_ports_that_are_free() -> None:
    assert (
        with_ports("http://127.0.0.1:7801/x", {"shop": 1, "smtp": 2, "hooks": 3, "store": 4}) == "http://127.0.0.1:1/x"
    )


def test_the_tour_takes_five_to_seven_minutes() -> None:
    words = sum(len(act.tour.split()) for act in acts().values())
    assert 5 * 60 <= words / WORDS_A_SECOND + OWN_S <= 7 * 60
