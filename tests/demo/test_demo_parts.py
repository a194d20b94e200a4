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

from aob.cli.demo.person import decision
from aob.cli.demo.picture import added_nodes, layers, picture
from aob.cli.demo.stage import MARK, fresh_folder, with_ports
from aob.cli.demo.tale import acts
from aob.cli.demo.watch import Seen, Watch
from aob.core.errors import NotFound

DIAMOND = {
    "nodes": {"a": {}, "b": {}, "c": {}, "d": {}},
    "edges": {
        "1": {"from": "a", "to": "b"}, "2": {"from": "a", "to": "c"}, "3": {"from": "b", "to": "d"},
        "4": {"from": "c", "to": "d"},
    },
}  # fmt: skip


def test_a_picture_shows_a_node_after_all_that_lead_to_it() -> None:
    assert layers(DIAMOND) == [["a"], ["b", "c"], ["d"]]


def test_a_picture_marks_what_was_added() -> None:
    before: dict[str, Any] = {"nodes": {"a": {}}, "edges": {}}
    assert added_nodes(before, DIAMOND) == {"b", "c", "d"}
    assert picture(DIAMOND, frozenset({"d"})) == "a → b · c → [bold green]+d[/]"


class LostError(Exception):
    """The platform is gone."""


async def test_a_watch_goes_on_after_the_last_event_it_saw() -> None:
    opened: list[str | None] = []

    async def follow(last: str | None) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
        opened.append(last)
        if last is None:
            yield "p1", "NodeCompleted", {"visit": "fetch"}
            raise LostError
        yield "p2", "RunFinished", {"status": "COMPLETED"}

    told: list[Seen] = []
    async with Watch(follow, told.append, (LostError,)) as watch:
        await watch.until(lambda seen: seen.type == "RunFinished")
    assert opened == [None, "p1"]
    assert [seen.type for seen in told] == ["NodeCompleted", "RunFinished"]


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
    assert with_ports("http://127.0.0.1:7801/x", {"shop": 1, "smtp": 2, "hooks": 3}) == "http://127.0.0.1:1/x"


def test_the_tour_takes_five_to_seven_minutes_to_read() -> None:
    words = sum(len(act.tour.split()) for act in acts().values())
    assert 5 * 60 <= words / 2 + 30 <= 7 * 60
