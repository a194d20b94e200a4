"""Frames and lines: however the bytes are cut, the same events come out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aob.client.frames import Event, Frames, Lines
from aob.fanout import HEARTBEAT, OPENING, encode_frame

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
