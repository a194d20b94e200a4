"""A frame that many readers are told is made once, and a line break of raw JSON never ends it."""

import msgspec

from aob.fanout import FrameCache, encode_frame


def test_the_same_thing_is_encoded_once() -> None:
    frames, data = FrameCache(1_000), {"value": 1}
    first = frames.frame("p", "metric", data)
    assert first == encode_frame("p", "metric", data)
    assert frames.frame("p", "metric", data) is first
    assert frames.frame("q", "metric", data) != first
    assert frames.frame("q", "event", data).startswith(b"id: q\nevent: event\n")


def test_only_the_last_ones_are_kept() -> None:
    things = [{"value": n} for n in range(3)]
    frames = FrameCache(2 * len(encode_frame("p", "metric", things[0])))
    made = [frames.frame("p", "metric", data) for data in things]
    assert frames.frame("p", "metric", things[2]) is made[2]
    again = frames.frame("p", "metric", things[0])
    assert again == made[0]
    assert again is not made[0]


def test_what_is_kept_has_at_most_so_many_bytes_whatever_their_sizes() -> None:
    frames = FrameCache(10_000)
    things = [{"value": "x" * (37 * n % 3_000)} for n in range(200)] + [{"value": "x" * 20_000}]
    for thing in things:
        for position in ("p", "q"):
            made = frames.frame(position, "metric", thing)
            assert made == encode_frame(position, "metric", thing)
            kept = sum(len(frame) for *_, frame in frames._frames.values())
            assert frames._bytes == kept <= 10_000


def test_things_that_are_equal_and_not_the_same_are_told_each_by_itself() -> None:
    frames = FrameCache(500)
    for n in range(1_000):  # objects that are gone give their ids to others
        assert f'"value":{n}}}'.encode() in frames.frame("p", "metric", {"value": n})


def test_raw_json_of_several_lines_stays_one_event() -> None:
    raw = msgspec.Raw(b'{"a":\r\n 1}\r')
    assert encode_frame("", "event", {"event": raw}) == b'event: event\ndata: {"event":{"a":   1} }\n\n'
