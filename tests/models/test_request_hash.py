"""What counts for the hash of a request, and what does not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.ports.model import Message, ModelRequest, Tool, ToolCall, request_hash

A = Tool("a", "does a", {"type": "object"}, "1" * 64)
B = Tool("b", "does b", {"type": "object"}, "2" * 64)
BASE = ModelRequest("openai:gpt-5", (Message("user", "hello\nthere"),), "Be brief.", {"type": "object"}, (A, B), 0.0)


def talk(id: str) -> tuple[Message, ...]:
    return (
        Message("user", "t"),
        Message("assistant", "", (ToolCall(id, "a", {"x": 1}),)),
        Message("tool", "r", call=id),
    )


def test_it_stays_the_same_for_ever() -> None:
    """Recordings and caches live longer than a release: this value changes only with HASH_VERSION."""
    assert request_hash(BASE) == "61c9c49a6e88c8f8c0d3471a1a8a5178e62091cc37cebacce16a917a5c01c3ca"


@pytest.mark.parametrize(
    "same",
    [
        msgspec.structs.replace(BASE, tools=(B, A)),
        msgspec.structs.replace(BASE, messages=(Message("user", "hello  \r\nthere\n"),)),
        msgspec.structs.replace(BASE, temperature=0),
        msgspec.structs.replace(BASE, context={"input": 7}),
        msgspec.structs.replace(BASE, tokens_max=99),
    ],
)
def test_what_does_not_change_the_question_does_not_count(same: ModelRequest) -> None:
    assert request_hash(same) == request_hash(BASE)


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(BASE, model="openai:gpt-6"),
        msgspec.structs.replace(BASE, tools=(A,)),
        msgspec.structs.replace(BASE, tools=(A, msgspec.structs.replace(B, hash="3" * 64))),
        msgspec.structs.replace(BASE, messages=(Message("user", "hello there"),)),
        msgspec.structs.replace(BASE, system=""),
        msgspec.structs.replace(BASE, output=None),
        msgspec.structs.replace(BASE, temperature=None),
        msgspec.structs.replace(BASE, temperature=0.1),
    ],
)
def test_what_changes_the_question_counts(other: ModelRequest) -> None:
    assert request_hash(other) != request_hash(BASE)


def test_the_name_of_the_model_can_be_left_out() -> None:
    other = msgspec.structs.replace(BASE, model="recorded:tape")
    assert request_hash(other, named=False) == request_hash(BASE, named=False)


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_of_calls_count_only_by_their_order(one: str, other: str) -> None:
    """Providers give random ids: the same conversation must be found again."""
    first = msgspec.structs.replace(BASE, messages=talk(one))
    second = msgspec.structs.replace(BASE, messages=talk(other))
    assert request_hash(first) == request_hash(second)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_count(schema: dict[str, int]) -> None:
    turned = dict(reversed(schema.items()))
    first = msgspec.structs.replace(BASE, output=schema)
    assert request_hash(first) == request_hash(msgspec.structs.replace(BASE, output=turned))
