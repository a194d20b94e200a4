"""The page of marks: what was noted is read, and a place that is not what was written says nothing."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.backends.marks_page import SLOT, MarksPage, known_in, places_of, read_marks

HOME = bytes(range(16))
ID = bytes(range(16, 32))


def test_no_bit_of_a_place_changes_alone(tmp_path: Path) -> None:
    page = MarksPage(tmp_path / "marks", HOME, 2)
    mark = page.of("shard-1.db")
    mark.begin(ID, 7)
    mark.note(1_234_567)
    page.close()
    good = (tmp_path / "marks").read_bytes()
    assert read_marks(tmp_path / "marks") == (HOME, {"shard-1.db": (ID, 1_234_567)})
    for bit in range(SLOT * 8, len(good) * 8):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        found = known_in(bytes(bad[SLOT:]))
        assert found in ({}, {"shard-1.db": (ID, 1_234_567)}), bit


@given(
    known=st.dictionaries(
        st.sampled_from(["gate.db", "events.db", "shard-0.db", "shard-3.db"]),
        st.tuples(st.binary(min_size=16, max_size=16).filter(any), st.integers(0, 2**62)),
    )
)
def test_places_say_what_was_written(known: dict[str, tuple[bytes, int]]) -> None:
    assert known_in(places_of(known, SLOT * 12)) == known


def test_a_full_disk_is_said_before_the_page_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda *_: 7)
        with pytest.raises(OSError, match="space"):
            MarksPage(tmp_path / "marks", HOME, 2)
    MarksPage(tmp_path / "marks", HOME, 2).close()
    assert read_marks(tmp_path / "marks") == (HOME, {})
