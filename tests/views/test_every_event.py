"""Every event of the union, with every field filled, through everything that shows events; and what cannot be shown."""

import asyncio
import types
import typing
from typing import Any, get_args

import msgspec
import pytest

from aob.cli.picture import entry_line, entry_state
from aob.compose import App
from aob.compose.metrics.feeds import run_notice
from aob.core.run.record.event import RunEvent, RunFinished, RunStarted, decode_events, encode_events
from aob.core.value import Ref, digest_of
from aob.fanout import encode_frame
from aob.journal import Committed, Stream, Told
from aob.metrics.platform.run_events import Telling
from aob.runs.feed import Fact, Feed, events_of
from aob.runs.laws.run import RunLaw
from aob.views import entry
from tests.runs.home import Deed, finished, flow, fn, until

KINDS: tuple[type, ...] = get_args(RunEvent)
CELLS = [
    msgspec.Raw(b'{"a":[1,null,"x"]}'), msgspec.Raw(b"null"), msgspec.Raw(b'"text"'), msgspec.Raw(b"[[]]"),
    Ref(digest_of(b"x"), 70_000).cell(),
]  # fmt: skip


def filled(wanted: Any, cell: msgspec.Raw) -> Any:
    """A value of a field's type with nothing left out."""
    origin, args = typing.get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return {"deep": [1, {"er": None}]}
    if isinstance(wanted, types.UnionType):
        return filled(next(each for each in args if each is not type(None)), cell)
    if origin is list:
        return [filled(args[0], cell)] * 2
    if origin is tuple:
        return tuple(filled(each, cell) for each in args if each is not ...) * (2 if ... in args else 1)
    if origin is dict:
        return {"name": filled(args[1], cell)}
    return {str: "text", int: 1_767_225_600_000, bool: True, bytes: b"\x00\xff" * 16, msgspec.Raw: cell}[wanted]


def whole(kind: type, cell: msgspec.Raw) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(**{name: filled(hints[name], cell) for name in kind.__struct_fields__})  # type: ignore[attr-defined]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_event_goes_through_everything_that_shows_it(kind: type, cell: msgspec.Raw) -> None:
    event = whole(kind, cell)
    (read,) = decode_events(encode_events([event]))  # as it was made, and as it comes back from a file
    shown = []
    for each in (event, read):
        fact = Fact(3, 1, 1_767_225_600_000, "run_1", 4, each, "default")
        told = entry(fact)
        assert "unshown" not in told
        assert told["seq"] == 4
        for name in kind.__struct_fields__:  # type: ignore[attr-defined]
            hidden = name in {"digest", "signalled_taken", "signalled_skipped", "reset", "undone", "took", "run"}
            null = bytes(getattr(each, name)) == b"null" if isinstance(getattr(each, name), msgspec.Raw) else False
            assert hidden or null or ("event_type" if name == "type" else name) in told
        assert encode_frame(fact.position, told["type"], told)
        assert entry_line(told)
        assert entry_state(told)
        assert (run_notice(fact, "runs") is not None) == (kind in (RunStarted, RunFinished))
        telling = Telling()
        telling.tell("run_1", whole(RunStarted, cell), 1)
        telling.tell("run_1", each, 2)
        shown.append(msgspec.json.encode(told))
    assert shown[0] == shown[1]


class Sick(msgspec.Struct):
    """An event of which no view can make anything."""

    field: Any


def test_an_event_that_cannot_be_shown_is_shown_as_such() -> None:
    told = entry(Fact(3, 1, 5, "run_1", 4, Sick(object()), "default"))
    assert (told["type"], told["seq"]) == ("sick", 4)
    assert "object" in told["unshown"]
    assert encode_frame("p", told["type"], told)


def test_an_event_of_a_newer_release_is_told_as_unreadable_and_those_around_it_are_told() -> None:
    law = RunLaw.__new__(RunLaw)
    found = events_of(law, b'[[8,"t",true],[99,1],[8,"u",true]]')
    assert [type(event).__name__ for event in found] == ["TimerDone", "Unreadable", "TimerDone"]
    told = entry(Fact(3, 1, 5, "run_1", 4, found[1], "default"))
    assert (told["type"], "99" in told["reason"]) == ("unreadable", True)


async def test_a_feed_goes_on_behind_an_event_that_cannot_be_shown(app: App) -> None:
    """Both in the feed of all runs, where one entry once ended it for every reader."""
    await app.push(flow("one", {"a": fn()}))
    run = await app.start("one")
    await finished(app, run.id)
    journal, feed = app.views.core.journal, app.views.core.feed
    stream: Stream = journal.streams[run.id]
    position = app.views.position()
    row = journal.durable_row + 1
    journal.row = journal.durable_row = row
    sick = [Sick(object()), whole(RunStarted, CELLS[0])]
    feed.push(Committed(row, 5, [Told(stream, 9, 0, sick, None)]))  # type: ignore[arg-type]  # no changes
    seen = []
    async with asyncio.timeout(60):
        async for _, name, told in app.views.follow(app.who, position=position):
            seen.append((name, "unshown" in told))
            if len(seen) == 2:
                break
    assert seen == [("sick", True), ("run_started", False)]
    assert isinstance(feed, Feed)


async def test_a_run_under_a_patched_tag_and_a_fork_of_a_patched_run_are_told(app: App, deed: Deed) -> None:
    begin = app.views.position()
    await app.push(flow("fk", {"a": fn(), "b": fn("gated")}, "a>b"))
    more = [{"op": "add_node", "id": "x", "node": fn()}, {"op": "connect", "from": "b", "to": "x"}]
    await app.views.patch_tag(app.who, "fk", "main", more)
    first = await app.start("fk", {"n": 1})
    await deed.begins("b").wait()
    again = [{"op": "add_node", "id": "y", "node": fn()}, {"op": "connect", "from": "x", "to": "y"}]
    await app.views.propose(app.who, first.id, {"operations": again})
    deed.gate("b").set()
    assert (await finished(app, first.id))["nodes"]["y"]["state"] == "completed"
    fork = (await app.views.fork(app.who, first.id, from_node="x"))["run_id"]
    await finished(app, fork)
    await until(app, fork, "run_finished")
    for run_id, overlays in ((first.id, 1), (fork, 2)):
        timeline = await app.views.timeline(app.who, run_id)
        assert len(timeline[0]["overlay"]) == overlays
        async with asyncio.timeout(60):
            told = [data async for _, _, data in app.views.follow(app.who, run_id=run_id)]
        assert told == timeline
    seen: list[str] = []
    async with asyncio.timeout(60):
        async for _, name, told in app.views.follow(app.who, position=begin):
            seen.append(told["run"])
            assert encode_frame("p", name, told)
            if name == "run_finished" and told["run"] == fork:
                break
    assert set(seen) == {first.id, fork}
