"""Frames and lines: however the bytes are cut, the same events come out."""

import json
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.client import AsyncClient
from aob.client.frames import Event, Frames, Lines
from aob.client.request import AWAY, RECONNECTS_MAX
from aob.core.errors import AobError
from aob.fanout import HEARTBEAT, OPENING, encode_frame, encode_place

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
events = st.lists(st.tuples(st.sampled_from(["a1", "b2"]), st.dictionaries(texts, texts, max_size=3)), max_size=6)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    return [data[a:b] for a, b in pairwise(edges)]


@given(events=events, cuts=st.lists(st.integers(0, 300)), beats=st.booleans())
def test_events_survive_any_cut(events: list[tuple[str, dict[str, str]]], cuts: list[int], beats: bool) -> None:
    data = OPENING + b"".join(encode_frame(p, "node_completed", d) + (HEARTBEAT if beats else b"") for p, d in events)
    frames = Frames()
    found = [event for piece in cut(data, cuts) for event in frames.feed(piece)]
    assert found == [Event("node_completed", d, p) for p, d in events]


@given(lines=st.lists(texts.map(lambda t: t.replace("\n", "")).filter(bool)), cuts=st.lists(st.integers(0, 300)))
def test_lines_survive_any_cut_and_only_lf_ends_one(lines: list[str], cuts: list[int]) -> None:
    reader = Lines()
    data = "\n".join(lines).encode()
    found = [line for piece in cut(data, cuts) for line in reader.feed(piece)] + reader.end()
    assert found == [line.encode() for line in lines]


def test_carriage_returns_and_several_data_lines_are_read_as_the_standard_says() -> None:
    found = Frames().feed(b'id:7\r\nevent:x\r\ndata: {"a":\r\ndata: 1}\r\nfoo: bar\r\n\r\nevent: lost\n\n')
    assert found == [Event("x", {"a": 1}, "7")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@given(events=events, cuts=st.lists(st.integers(0, 400), max_size=8), bom=st.booleans(), data=st.data())
def test_any_line_end_any_cut_and_a_mark_at_the_start_give_the_same_events(
    end: str, events: list[tuple[str, dict[str, str]]], cuts: list[int], bom: bool, data: st.DataObject
) -> None:
    text = "\ufeff" if bom else ""
    for position, content in events:
        lines = json.dumps(content, indent=data.draw(st.sampled_from([None, 1]))).split("\n")
        text += f": comment{end}id: {position}{end}event:node{end}"
        text += "".join(f"data: {line}{end}" for line in lines) + f"unknown: 1{end}" + end
    frames = Frames()
    found = [event for piece in cut(text.encode(), cuts) for event in frames.feed(piece)]
    assert found == [Event("node", content, position) for position, content in events]


def test_an_id_lasts_a_nul_is_ignored_and_a_broken_off_event_is_lost() -> None:
    frames = Frames()
    found = frames.feed(b"id: 7\ndata: {}\n\nid: 8\0\ndata: {}\n\nid\ndata: {}\n\nid: 9\ndata: {}\n")
    assert [event.position for event in found] == ["7", "7", ""]


def test_an_id_without_an_event_is_where_to_go_on_from_once_it_is_whole() -> None:
    frames = Frames()
    assert frames.feed(b"id: 7\n\nid: 8\n") == []
    assert frames.position == "7"


async def test_a_stream_that_breaks_before_its_first_event_goes_on_from_where_it_began() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        told = encode_place("p-1") if len(asked) == 1 else encode_frame("p-2", "run_started", {"n": 1})
        return httpx.Response(200, content=told)

    async with AsyncClient("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as aob:
        assert (await anext(aob.follow())).position == "p-2"
    assert asked == [None, "p-1"]


class Hasty(AsyncClient):
    """A client that does not wait."""

    async def _pause(self, seconds: float) -> None:
        pass


def problem(code: str) -> dict[str, object]:
    return {"type": "about:blank", "title": "Unavailable", "status": 503, "code": code, "detail": "it is away"}


@pytest.mark.parametrize("code", sorted(AWAY))
async def test_a_stream_goes_on_when_who_has_the_shard_comes_back(code: str) -> None:
    asked: list[str | None] = []
    away, broken = json.dumps(problem(code)).encode(), encode_frame("", "problem", problem(code))
    answers = [
        httpx.Response(200, content=encode_frame("p-1", "run_started", {}) + broken),
        httpx.Response(503, content=away),
        httpx.Response(502, content=away),
        httpx.Response(200, content=encode_frame("p-2", "run_finished", {}) + encode_frame("", "end", {})),
    ]  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        return answers[len(asked) - 1]

    async with Hasty("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as aob:
        assert [seen.position async for seen in aob.follow()] == ["p-1", "p-2"]
    assert asked == [None, "p-1", "p-1", "p-1"]


@pytest.mark.parametrize(("code", "times"), [("shard_lost", RECONNECTS_MAX + 1), ("store_went_back", 1)])
async def test_a_stream_that_does_not_come_back_ends_with_what_the_server_said(code: str, times: int) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, content=encode_frame("", "problem", problem(code)))

    async with Hasty("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as aob:
        with pytest.raises(AobError) as caught:
            await anext(aob.follow())
    assert caught.value.code == code
    assert len(asked) == times


def test_the_time_to_wait_is_read_when_it_is_a_number() -> None:
    frames = Frames()
    frames.feed(b"retry: soon\nretry: 1500\nretry: -1\nretry: 1.5\n")
    assert frames.retry_ms == 1_500


def test_an_event_without_data_is_none_and_its_name_is_forgotten() -> None:
    found = Frames().feed(b'event: a\n\ndata\n\ndata: {"a":\ndata\ndata: 1}\n\n')
    assert found == [Event("message", {"a": 1}, "")]
