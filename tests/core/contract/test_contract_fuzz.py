"""Whatever stands in a contract file, it is read or told wrong: never an error of ours."""

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.contract import check_set, compare, graph_of, read_contracts, to_document
from aob.core.contract.sources import Sources, set_of
from aob.core.document.yaml_text import YamlText, yaml_documents
from aob.core.errors import AobError, Problem
from tests.core.contract.contract_texts import SHOP
from tests.core.contract.test_contract_document import EVERY_KEY

DOCUMENTS = [
    YamlText(*each).value
    for text in (SHOP["events.yaml"], SHOP["metrics.yaml"], EVERY_KEY)
    for each in yaml_documents(text)
]
WORDS = [
    "",
    "data.amount",
    "data.nothing",
    "revenue",
    "1m",
    "all",
    "day",
    "order.created",
    "string",
    "a b",
    "\x00",
    "((",
    "x" * 300,
]
KEYS = st.sampled_from([*WORDS, "type", "fields"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a plain value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, inner in items for each in paths(inner, (*path, key)))]


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """Contracts with a few places written in another way, or gone, or under another key."""
    documents: Any = copy.deepcopy(DOCUMENTS)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([each for each in paths(documents) if len(each) > 1]))
        holder = documents
        for key in path[:-1]:
            holder = holder[key]
        how = draw(st.sampled_from(["value", "gone", "key"]))
        if how == "value" or not isinstance(holder, dict):
            holder[path[-1]] = draw(VALUES)
        elif how == "gone":
            del holder[path[-1]]
        else:
            holder[draw(st.sampled_from(WORDS))] = holder.pop(path[-1])
    return documents


def comes_back(sources: Any) -> bool:
    """Whether what could be read is read as the same from the document that it makes."""
    kinds = (sources.set.events, sources.set.metrics, sources.set.alerts)
    contracts = [each for kind in kinds for versions in kind.values() for each in versions.values()]
    return all(read_contracts({"x.json": json.dumps(to_document(each))}) == set_of([each]) for each in contracts)


@pytest.mark.parametrize("value", ["", [], {}, 0, 0.0, False, None, "x", -1], ids=repr)
def test_nothing_that_can_be_read_is_lost_when_it_is_written_down(value: Any) -> None:
    """Every place of every contract in turn: also where it is empty, such as the `on` of a move."""
    read = 0
    for number, document in enumerate(DOCUMENTS):
        for path in paths(document)[1:]:
            documents: Any = [copy.deepcopy(document)]
            holder = documents[0]
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
            sources = Sources({"x.json": json.dumps(documents)})
            if not sources.problems:
                read += 1
                assert comes_back(sources), (number, path)
    assert read > len(DOCUMENTS) or value == -1


def test_what_is_empty_comes_back_as_it_is() -> None:
    """Found by the test below once."""
    text = json.dumps({"metric": "m", "version": 1, "type": "count", "windows": ["all"], "moves": [{"on": ""}]})
    made = read_contracts({"x.json": text})
    assert read_contracts({"x.json": json.dumps(to_document(made.metrics["m"][1]))}) == made


@settings(max_examples=150, deadline=None)
@given(broken())
def test_a_broken_contract_is_told_and_nothing_else_happens(documents: Any) -> None:
    sources = Sources({"x.json": json.dumps(documents)})
    problems = sources.located(check_set(sources.set))
    assert all(isinstance(each, Problem) and each.message for each in [*sources.problems, *problems])
    graph = graph_of(sources.set)
    assert graph.picture().startswith("<svg")
    assert graph.text() or not graph.nodes
    for versions in (*sources.set.events.values(), *sources.set.metrics.values(), *sources.set.alerts.values()):
        for contract in versions.values():
            assert not compare(contract, contract)
    assert sources.problems or comes_back(sources)


@settings(max_examples=100, deadline=None)
@given(
    st.text(alphabet="event: metrictype\n-{}[]\"'#&*!|>@`%\t\x00é", max_size=60),
    st.sampled_from(["a.yaml", "a.json", "a"]),
)
def test_a_text_that_is_no_contract_is_told(text: str, name: str) -> None:
    with contextlib.suppress(AobError):
        assert read_contracts({name: text})
