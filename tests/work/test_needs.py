"""What a node of a built-in kind needs, and what a process offers: one with all settings of its home has it all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.work.kinds import needs_of, offers_of
from tests.work.jobs import node_of

NAMES = st.sampled_from(["s3", "desk", "home", "a.b"])
NODES = st.one_of(
    st.builds(lambda s: ("object", {"op": "get", "key": "k", "store": s}), NAMES),
    st.builds(lambda c, n: ("notify", {"to": f"{c}:{n}", "text": "x"}), st.sampled_from(["slack", "webhook"]), NAMES),
    st.just(("notify", {"to": "mailto:{who}", "text": "x"})),
    st.builds(lambda m: ("agent", {"task": "x", "model": m}), st.sampled_from(["", "script:a", "recorded:b", "p:c"])),
    st.just(("http", {"url": "https://example.com/{id}"})),
)  # fmt: skip


@given(node=NODES, default=st.sampled_from(["", "script:d", "anthropic:e"]))
def test_who_has_everything_serves_everything(node: tuple[str, dict[str, Any]], default: str) -> None:
    kind, config = node
    has = offers_of(
        dict.fromkeys(["s3", "desk", "home", "a.b"]), dict.fromkeys(["s3", "desk", "home", "a.b"], ""), mail=True,
        brains=["script", "recorded", "live"], stored=True, told=True,
    )  # fmt: skip
    assert {kind, *needs_of(node_of(kind, config).task, default)} <= set(has)


@pytest.mark.parametrize(
    ("kind", "config", "needs"),
    [
        ("notify", {"to": "https://example.com/{id}", "text": "x"}, ()),
        ("notify", {"to": "{to}", "text": "x"}, ()),
        ("notify", {"to": "slack:{desk}", "text": "x"}, ()),
        ("agent", {"task": "x", "model": "script:a", "tools": ["look", "find"]}, ("agent/script", "look", "find")),
        ("http", {"url": "https://example.com"}, ()),
    ],
)
def test_what_only_the_input_says_is_not_asked_for(kind: str, config: dict[str, Any], needs: tuple[str, ...]) -> None:
    assert needs_of(node_of(kind, config).task, "") == needs


def test_without_libraries_there_is_no_store_and_no_mail() -> None:
    has = offers_of({"s3": None}, {"desk": ""}, mail=True, brains=(), stored=False, told=False)
    assert set(has) == {"http", "notify", "object", "agent", "notify/desk"}
