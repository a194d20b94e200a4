"""A value inside a record: up to 4 KiB of canonical JSON as it is, one byte more beside it."""

import pytest

from aob.core.value import INLINE_MAX, ROW_MAX, Ref, canonical, digest_of, inline, ref_in
from aob.runs.incoming import large_of
from aob.runs.values import Values


def text_of(size: int) -> str:
    """A text whose canonical JSON has so many bytes."""
    return "x" * (size - len('""'))


@pytest.mark.parametrize(("size", "inside"), [(INLINE_MAX - 1, True), (INLINE_MAX, True), (INLINE_MAX + 1, False)])
def test_a_value_of_exactly_4_kib_stays_inside(size: int, inside: bool) -> None:
    data = canonical(text_of(size))
    assert len(data) == size
    assert inline(data) is inside
    cell, beside = large_of(data, "this")
    assert (bytes(cell), beside) == ((data, None) if inside else (bytes(Ref(digest_of(data), size).cell()), data))


def test_characters_of_several_bytes_count_as_their_bytes() -> None:
    data = canonical("é" * (INLINE_MAX // 2))
    assert (len(data), inline(data), inline(data[:-4] + b'"')) == (INLINE_MAX + 2, False, True)


@pytest.mark.parametrize("value", [{"$ref": 1}, {"$items": []}, {"$ref": "sha256:" + "0" * 64, "size": 1}])
def test_what_begins_like_a_cell_of_ours_never_stays_inside(value: object) -> None:
    assert not inline(canonical(value))


@pytest.mark.parametrize(("value", "like"), [
    ({"$ref": "sha256:" + "0" * 64, "size": 1}, True), ({"$ref": "sha256:" + "0" * 63, "size": 1}, False),
    ({"$ref": "sha256:" + "0" * 65, "size": 1}, False), ({"$ref": "sha256:" + "0" * 64}, False),
    ({"$ref": "sha256:" + "0" * 64, "size": 1, "x": 1}, False), ({"$ref": "sha256:" + "0" * 64, "size": True}, False),
])  # fmt: skip
def test_only_what_a_reference_writes_is_a_reference(value: object, like: bool) -> None:
    assert (ref_in(value) is not None) is like


@pytest.mark.parametrize(("size", "rides"), [(ROW_MAX, True), (ROW_MAX + 1, False)])
def test_a_value_of_exactly_64_kib_rides_in_its_commit(size: int, rides: bool) -> None:
    assert Values.beside(bytes(size)) is rides
