"""Frames: any JSON value is one event, and nothing breaks out of its line."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.fanout import encode_frame

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(data=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_data_is_one_event_of_three_lines(data: dict[str, object]) -> None:
    lines = encode_frame("abc", "NodeCompleted", data).split(b"\n")
    assert lines[0] == b"id: abc"
    assert lines[1] == b"event: NodeCompleted"
    assert lines[2].startswith(b"data: ")
    assert lines[3:] == [b"", b""]
    assert msgspec.json.decode(lines[2][6:]) == data


def test_an_event_without_a_position_moves_no_reader() -> None:
    assert encode_frame("", "end", {}) == b"event: end\ndata: {}\n\n"


@pytest.mark.parametrize(("position", "event"), [("a\nb", "x"), ("a", "x\ndata: {}"), ("a\r", "x"), ("a", "\0")])
def test_no_head_may_break_its_line(position: str, event: str) -> None:
    with pytest.raises(ValueError, match="cannot be the head"):
        encode_frame(position, event, {})
