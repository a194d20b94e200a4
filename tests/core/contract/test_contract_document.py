"""Contracts as canonical documents, their hashes and their schema; and the graph of what moves what."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.contract import graph_of, read_contracts, schema_of, to_document
from aob.core.contract.definition import contract_schema
from aob.core.contract.document import duration_text
from aob.core.contract.lineage import layers_of
from aob.core.contract.sources import set_of
from aob.core.contract_model import Contract
from aob.core.document.yaml_text import YamlText, yaml_documents
from aob.core.duration import parse_duration
from aob.core.graph import artifact_hash
from aob.core.json_schema.problems import bad_schema, schema_problems
from tests.core.contract.contract_texts import SHOP

EVERY_KEY = """\
event: e
version: 3
owner: o
description: d
subject: data.a
fields: {a: {type: string, pii: x, unit: y}}
rules: [{name: r, rule: true, message: m}]
enrich: [order_size]
entities: [{entity: t, key: data.a, set: {b: 1, c: data.a}, removes: false, when: data.a != ''}]
moves: []
lateness: 1h
examples: [{a: b}]
---
metric: m
version: 2
type: top
unit: u
owner: o
description: d
moves: [{on: e, value: data.a, when: true, retract: true, at: time, version: 3}]
dimensions: {a: data.a}
windows: [90s, all, {name: n, sliding: 1h}, {tumbling: month, size: 3, zone: Asia/Tokyo}, {hopping: 1h, every: 90s}]
k: 3
budget: 7
exact: true
on_retract: refold
slo: {slo: s, objective: value, good: value > 1, target: 0.5, window: 1d, description: d, owner: p}
tests: [{name: t, given: [{type: e}], at: "2026-01-01T00:00:00Z", expect: {rows: {x: 1}, by: [a], where: {a: x}}}]
---
metric: p
type: percentile
quantiles: [0.9, 0.5]
moves: [{on: e, value: 1.5}]
---
metric: r
type: top
moves: [{on: e, value: data.a, weight: 2.5}]
---
metric: j
type: join
key: data.a
within: 90s
horizon: 3d
value: right.time_ms - left.time_ms
moves: [{on: e, step: left}, {on: e, step: right}]
---
alert: a
version: 4
metric: m
when: value > 1.0
slo: s
clear: value < 0.5
window: 1h
where: {a: x}
by: [a]
for: 1m
clear_for: 90s
severity: critical
owner: o
description: d
start: {workflow: w, tag: t, inputs: {i: value}, cooldown: 1h, open_runs: 3}
"""
ROOT = Path(__file__).parents[3]


def contracts() -> list[Contract]:
    shop = read_contracts({**SHOP, "every_key.yaml": EVERY_KEY})
    groups: list[Any] = [shop.events, shop.metrics, shop.alerts]
    return [each for group in groups for versions in group.values() for each in versions.values()] + [
        shop.slos["rate_low"]
    ]


@pytest.mark.parametrize("contract", contracts(), ids=lambda each: each.name)
def test_a_canonical_document_reads_back_to_the_same_contract(contract: Contract) -> None:
    text = json.dumps(to_document(contract))
    read = read_contracts({"x.json": text})
    assert read == set_of([contract])
    assert read_contracts({"x.yaml": text}) == read


def test_every_key_is_read_and_none_is_left_to_its_default() -> None:
    every = read_contracts({"x.yaml": EVERY_KEY})
    m, p, j = (every.metrics[name][version] for name, version in (("m", 2), ("p", 1), ("j", 1)))
    told = [every.events["e"][3], every.alerts["a"][4], m.slo]
    for struct in told:
        for field in msgspec.structs.fields(struct):
            assert field.required or getattr(struct, field.name) != field.default or field.name == "limit_ms", (
                field.name
            )
    for field in msgspec.structs.fields(m):
        assert (
            field.required
            or any(getattr(each, field.name) != field.default for each in (m, p, j))
            or field.name == ("steps")
        ), field.name


def test_the_hash_is_of_what_is_said_and_not_of_how_it_is_written() -> None:
    written = read_contracts({"x.yaml": "metric: a\ntype: count\nmoves: [{on: b}]\ndimensions: [c]\nwindows: [60s]"})
    another = read_contracts(
        {"x.json": '{"dimensions": {"c": "data.c"}, "windows": [{"name": "60s", "sliding": 60}], "type": "count",'
                   '"moves": [{"on": "b", "retract": false}], "version": 1, "metric": "a"}'}
    )  # fmt: skip
    assert artifact_hash(to_document(written.metrics["a"][1])) == artifact_hash(to_document(another.metrics["a"][1]))
    assert artifact_hash(to_document(written.metrics["a"][1])).startswith("sha256:")
    assert len({artifact_hash(to_document(each)) for each in contracts()}) == len(contracts())


@pytest.mark.parametrize("ms", [0, 1, 999, 1_000, 60_000, 5_400_000, 86_400_000, 604_800_000])
def test_durations_are_written_so_that_they_are_read_the_same(ms: int) -> None:
    assert parse_duration(duration_text(ms)) == ms


def test_the_schema_in_spec_is_the_one_of_the_structs() -> None:
    path = ROOT / "spec" / "contract.schema.json"
    assert json.loads(path.read_text()) == contract_schema(), "run: python -m tools.make_schema"
    assert not list(bad_schema(contract_schema(), ""))


def test_the_schema_accepts_contracts_as_written_and_as_canonical_documents() -> None:
    for contract in contracts():
        assert not schema_problems(contract_schema(), to_document(contract))
    for text in SHOP.values():
        for document in yaml_documents(text):
            assert not schema_problems(contract_schema(), YamlText(*document).value)


@pytest.mark.parametrize(
    "wrong", ["{}", "{event: a}", "{event: a, fields: {}, schema: {}}", "{metric: a}", "{slo: a, target: 0.5}", "[3]"]
)
def test_the_schema_refuses_what_is_no_contract(wrong: str) -> None:
    assert schema_problems(contract_schema(), YamlText(wrong).value)


def test_the_schema_of_an_event_stands_for_itself() -> None:
    schema = schema_of(read_contracts(SHOP).events["order.created"][1])
    assert schema["$id"] == "urn:aob:event:order.created:1"
    assert schema["description"] == "An order was placed."
    assert not list(bad_schema(schema, ""))


def test_the_graph_tells_what_moves_what() -> None:
    graph = graph_of(read_contracts(SHOP))
    edges = {(each.source, each.kind, each.target) for each in graph.links}
    assert ("event/order.created", "moves", "metric/revenue") in edges
    assert ("event/order.refunded", "retracts", "metric/revenue") in edges
    assert ("metric/revenue", "makes", "metric/order_value") in edges
    assert ("event/order.created", "sets", "entity/order") in edges
    assert ("metric/refund_rate", "watches", "alert/refunds_high") in edges
    assert ("alert/refunds_high", "starts", "workflow/order_incident") in edges
    assert ("metric/refund_rate", "promises", "slo/rate_low") in edges
    assert graph.edges[0].keys() == {"from", "to", "kind", "expression"}


def test_a_part_of_the_graph_is_what_leads_to_a_name_and_follows_from_it() -> None:
    part = graph_of(read_contracts(SHOP), metric="refund_rate")
    assert {each.id for each in part.things} == {
        "event/order.created", "event/order.refunded", "metric/refund_rate", "alert/refunds_high",
        "workflow/order_incident", "slo/rate_low",
    }  # fmt: skip


def test_the_graph_as_text_unfolds_a_metric_once() -> None:
    lines = graph_of(read_contracts(SHOP)).text().splitlines()
    assert lines[0] == "event order.created  (version 1)"
    assert (
        "   └─ slo revenue_freshness  (freshness 0.99)" in lines
        or "│  └─ slo revenue_freshness  (freshness 0.99)" in lines
    )
    assert sum("order_value" in line for line in lines) == 2
    assert any(line.endswith("- data.amount  …") for line in lines)


def test_what_is_not_declared_is_shown_as_such_and_a_circle_does_not_hang() -> None:
    files = {"x.yaml": "metric: a\ntype: derived\nvalue: b + 1.0\n---\nmetric: b\ntype: derived\nvalue: a + 1.0\n---\n"
                       "metric: c\ntype: count\nmoves: [{on: gone}]"}  # fmt: skip
    graph = graph_of(read_contracts(files))
    assert [each.note for each in graph.things if each.id == "event/gone"] == ["not declared"]
    assert len(graph.text().splitlines()) >= 4
    ElementTree.fromstring(graph.picture())


def test_the_picture_is_an_svg_with_every_name_and_no_markup_of_contracts() -> None:
    files = {**SHOP, "x.yaml": "metric: m\ntype: count\nmoves: [{on: order.created, when: \"data.region != '<b>&'\"}]"}
    text = graph_of(read_contracts(files)).picture()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    shown = "".join(root.itertext())
    for name in ("order.created", "revenue", "refunds_high", "order_incident", "'<b>&'"):
        assert name in shown
    assert text == graph_of(read_contracts(files)).picture()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=16))
def test_every_edge_leads_down(pairs: list[tuple[int, int]]) -> None:
    layers = layers_of([str(number) for number in range(10)], [(str(a), str(b)) for a, b in pairs])
    assert layers is not None
    assert all(layers[str(a)] < layers[str(b)] for a, b in pairs)
