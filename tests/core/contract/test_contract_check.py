"""Every mistake that contracts can hold is found, at its place, with words that mend it."""

import pytest

from aob.core.contract import check_set, read_contracts
from aob.core.contract.check.metric import RETRACT
from aob.core.contract.check.visible_names import ENRICHMENTS
from aob.core.ingest import BUILTIN
from tests.core.contract.contract_texts import SHOP, problems_of, with_change

EVENT, METRIC, ALERT = "events.yaml", "metrics.yaml", "alerts.yaml"
WHEN = "when: \"data.currency == 'EUR'\""
VALUE = "value: data.amount, when"
COUNTED = "moves: [{on: order.created}]\nd"
FIRST = "{on: order.created, value: data.amount, when: \"data.currency == 'EUR'\"}"

PLANTED = [
    # what moves what
    (METRIC, "on: order.refunded, value", "on: order.refund, value", "/0/moves/1/on", "there is no event order.refund"),
    (METRIC, COUNTED, "d", "/1", "no event moves orders"),
    (METRIC, "{on: order.created, step: placed}, ", "", "/4/moves", "no event moves the step placed"),
    (METRIC, "revenue / orders", "revenue / order", "/2/value", "there is no name order"),
    (METRIC, "revenue / orders", "1.0", "/2/value", "no metric stands in it"),
    (METRIC, "revenue / orders", "revenue / order_value", "/2/value", "it is made of itself"),
    (METRIC, "on: order.created, value", "version: 7, on: order.created, value", "/0/moves/0/version", "no version 7"),
    (EVENT, "owner: shop", "moves: [orders]", "metrics#/0/moves/0/on", "which it is not declared for"),
    (EVENT, "owner: shop", "moves: [sales]", "/0/moves/0", "there is no metric sales"),
    # units
    (METRIC, VALUE, "value: data.amount + data.tip, when", "/0/moves/0/value", "EUR plus USD"),
    (METRIC, VALUE, "value: data.tip, when", "/0/moves/0/value", "this is in USD"),
    (METRIC, "unit: EUR\nowner", "owner", "", ""),
    (METRIC, "unit: EUR\nvalue", "unit: USD\nvalue", "/2/value", "this is in EUR"),
    (METRIC, FIRST, "{on: order.created, value: data.paid}", "/0/moves/0/value", "several units would be added"),
    (METRIC, VALUE, "value: data.paid, when", "", ""),
    (METRIC, WHEN, "when: data.amount > data.tip", "/0/moves/0/when", "EUR compared with"),
    (EVENT, '"data.items > 0"', '"data.amount > data.tip"', "/0/rules/0/rule", "EUR compared with USD"),
    # taking back
    (METRIC, "type: sum", "type: max", "/0/moves/1/retract", RETRACT),
    (METRIC, "type: sum", "type: percentile", "/0/moves/1/retract", RETRACT),
    (METRIC, "type: sum", "type: max\nexact: true", "", ""),
    (METRIC, "type: sum", "type: max\non_retract: refold", "", ""),
    (METRIC, "step: refunded}", "step: refunded, retract: true}", "/4/moves/1/retract", RETRACT),
    (METRIC, "type: count", "type: count\nexact: true", "/1/exact", "exact as it is"),
    # fields and types
    (METRIC, VALUE, "value: data.amont, when", "/0/moves/0/value", "data has no field amont"),
    (METRIC, VALUE, "value: data.region, when", "/0/moves/0/value", "must be a number"),
    (METRIC, VALUE, "value: data.amount * 2, when", "/0/moves/0/value", "does not take (double, int)"),
    (METRIC, VALUE, "when", "/0/moves/0", "a sum metric needs a `value`"),
    (METRIC, "timestamp(data.ordered_at)", "data.ordered_at", "/0/moves/1/at", "this must be a time"),
    (METRIC, WHEN, "when: data.currency", "/0/moves/0/when", "this must be true or false"),
    (METRIC, WHEN, "when: data.coupon == 'x'", "/0/moves/0/when", "data.coupon may be missing"),
    (METRIC, WHEN, "when: has(data.coupon) && data.coupon == 'x'", "", ""),
    (METRIC, COUNTED, "moves: [{on: order.created, value: 3}]\nd", "/1/moves/0/value", "takes no"),
    (METRIC, "key: data.session\n", "", "/4", "needs `key`"),
    (METRIC, "within: 30m\n", "", "/4", "needs `within`"),
    (METRIC, "key: data.session", "key: data.amount", "/4/key", "a key is a text"),
    (METRIC, "step: placed}", "step: 5}", "/4/moves/0/step", "there is no step 5"),
    (METRIC, "numerator: [{on: order.refunded}]\n", "", "/3", "a ratio needs a numerator"),
    (METRIC, "type: count", "type: count\nkey: data.session", "/1/key", "means nothing to a count"),
    (METRIC, "metric: orders", "metric: int", "/1/metric", "int is a word of the expression language"),
    # dimensions
    (METRIC, "dimensions: [region]", "dimensions: [currency]", "/0/dimensions/0", "(order.refunded version 1)"),
    (METRIC, "dimensions: [region]", "dimensions: [lines]", "/0/dimensions/0", "a text, and this is list"),
    (METRIC, "area: data.region", "area: data.coupon", "/1/dimensions/area", "data.coupon may be missing"),
    (METRIC, "enriched.order_size", "enriched.size", "/1/dimensions/size", "enriched has no field size"),
    (METRIC, "unit: EUR\nvalue", "dimensions: [area]\nvalue", "/2/dimensions/0", "revenue has no dimension area"),
    # windows
    (METRIC, "Europe/Berlin", "Europe/Berlni", "/0/windows/1", "there is no time zone"),
    (METRIC, "every: 1m", "every: 2m", "/0/windows/2", "hops must divide"),
    (METRIC, "  - 1m\n", "  - 10ms\n", "/0/windows/0", "whole seconds"),
    (METRIC, "  - 1m\n", "  - {tumbling: 7m}\n", "/0/windows/0", "7 minutes do not divide"),
    # events
    (EVENT, "type: number, minimum", "type: numbr, minimum", "/0/fields/amount/type", "is not a type of JSON"),
    (EVENT, '"data.items > 0"', '"data.itms > 0"', "/0/rules/0/rule", "data has no field itms"),
    (EVENT, '"data.items > 0"', "data.items", "/0/rules/0/rule", "this must be true or false"),
    (EVENT, '"data.items > 0"', "enriched.order_size == 'big'", "/0/rules/0/rule", "there is no name enriched"),
    (EVENT, "enrich: [order_size]", "enrich: [order_sise]", "/0/enrich/0", "there is no enrichment order_sise"),
    (EVENT, "key: data.order_id", "key: data.id", "/0/entities/0/key", "data has no field id"),
    (EVENT, "subject: data.customer_id", "subject: data.amount", "/0/subject", "a subject is a text"),
    (EVENT, "owner: shop", "units: {amout: EUR}", "/0/units/amout", "there is no field amout"),
    (EVENT, "owner: shop", "examples: [{}]", "/0/examples/0", "required"),
    # alerts and objectives
    (ALERT, "metric: refund_rate\n  window", "metric: refunds\n  window", "/0/metric", "there is no metric refunds"),
    (ALERT, "when: value > 0.2", "when: value", "/0/when", "this must be true or false"),
    (ALERT, "clear: value < 0.1", "clear: rate < 0.1", "/0/clear", "there is no name rate"),
    (ALERT, "window: 5m", "window: today", "/0/window", "refund_rate has no window today"),
    (ALERT, "for: 30s", "by: region", "/0/by", "refund_rate has no dimension region"),
    (ALERT, "rate: value", "rate: valu", "/0/start/inputs/rate", "there is no name valu"),
    (ALERT, "good: value < 0.1\n  ", "", "/1", "says when it is `good`"),
    (ALERT, "objective: value", "objective: quality", "/1/good", "means nothing to quality"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "path", "words"), PLANTED)
def test_a_planted_mistake_is_found_where_it_stands(file: str, old: str, new: str, path: str, words: str) -> None:
    found = problems_of(with_change(file, old, new))
    if not words:
        assert not found
        return
    wanted = f"{METRIC}{path[7:]}" if path.startswith("metrics#") else f"{file}#{path}"
    assert [each for each in found if each.path == wanted and words in each.message], "\n".join(map(str, found))
    assert all(each.line for each in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (METRIC, "  - 1m\n", "  - 1s\n", ""),
        (METRIC, "  - 1m\n", "  - 999ms\n", "whole seconds"),
        (METRIC, "  - 1m\n", "  - 1001ms\n", "whole seconds"),
        (METRIC, "  - 1m\n", "  - 3660d\n", ""),
        (METRIC, "  - 1m\n", "  - 3660d1s\n", "ten years at most"),
        (METRIC, "hopping: 5m, every: 1m", "hopping: 5m, every: 1s", ""),
        (METRIC, "hopping: 5m, every: 1m", "hopping: 5m, every: 5m", ""),
        (METRIC, "hopping: 5m, every: 1m", "hopping: 5m, every: 10m", "hops must divide"),
        (METRIC, "hopping: 5m, every: 1m", "hopping: 5m, every: 500ms", "a hop has whole seconds"),
        (METRIC, "  - 1m\n", "  - {tumbling: minute, size: 60}\n", ""),
        (METRIC, "  - 1m\n", "  - {tumbling: minute, size: 61}\n", "61 minutes do not divide"),
        (METRIC, "step: refunded}", "step: 1}", ""),
        (METRIC, "step: refunded}", "step: 2}", "there is no step 2"),
        (METRIC, "step: placed}", "step: -1}", "there is no step -1"),
        (ALERT, "target: 0.99", "target: 0.99\n  window: 1m", ""),
        (ALERT, "target: 0.99", "target: 0.99\n  window: 59s", "between 1 m and 90 d"),
        (ALERT, "target: 0.99", "target: 0.99\n  window: 90d", ""),
        (ALERT, "target: 0.99", "target: 0.99\n  window: 90d1s", "between 1 m and 90 d"),
    ],
)
def test_what_lies_exactly_at_a_limit_is_allowed(file: str, old: str, new: str, words: str) -> None:
    found = [each.message for each in problems_of(with_change(file, old, new))]
    assert any(words in each for each in found) if words else not found, found


def test_a_mistake_in_an_expression_has_a_caret_at_its_character() -> None:
    [problem] = problems_of(with_change(METRIC, VALUE, "value: data.amont, when"))
    line = problem.caret.splitlines()
    assert line[0][len(line[1]) - 1 :] == "amont"
    text = with_change(METRIC, VALUE, "value: data.amont, when")[METRIC]
    assert text.splitlines()[problem.line - 1][problem.column - 1 :].startswith("amont")
    assert problem.hint == "did you mean amount?"


def test_moves_in_two_units_do_not_add_up_even_where_the_metric_names_none() -> None:
    files = {**SHOP, "more.yaml": "metric: m\ntype: sum\nmoves:\n- {on: order.created, value: data.tip}\n"
                                  "- {on: order.refunded, value: data.amount}\n"}  # fmt: skip
    [problem] = problems_of(files)
    assert problem.message == "USD plus EUR: order.created moves it in USD"


def test_every_version_of_an_event_must_have_what_a_metric_reads() -> None:
    text = "event: order.refunded\nversion: 2\nfields: {session: string, total: number, region: string}\n"
    found = problems_of({**SHOP, "v2.yaml": text})
    assert [each.message for each in found] == [
        "data has no field amount (order.refunded version 2)",
        "data has no field ordered_at (order.refunded version 2)",
    ]
    only_one = with_change(METRIC, "{on: order.refunded, value", "{on: order.refunded, version: 1, value")
    assert not problems_of({**only_one, "v2.yaml": text})


def test_what_is_known_already_is_judged_only_by_what_comes_to_it() -> None:
    base = read_contracts(SHOP)
    more = read_contracts({"x.yaml": "metric: twice\ntype: derived\nvalue: orders * 2.0"})
    assert not check_set(more, base)
    assert [each.message for each in check_set(more)] == ["there is no name orders"]


def test_a_new_version_of_an_event_that_breaks_a_known_metric_is_refused() -> None:
    text = "event: order.refunded\nversion: 2\nfields: {session: string, region: string}\n"
    found = check_set(read_contracts({"x.yaml": text}), read_contracts(SHOP))
    assert {each.path.partition("#")[0] for each in found} == {"metric/revenue@1"}


def test_a_version_that_is_known_says_the_same_for_ever() -> None:
    base = read_contracts(SHOP)
    assert not check_set(read_contracts(SHOP), base)
    changed = read_contracts(with_change(METRIC, "- 1m", "- 2m"))
    [problem] = check_set(changed, base)
    assert (problem.path, problem.code, problem.hint) == ("metric/revenue@1#/version", "version_changed", "version: 2")


def test_what_nothing_reads_and_what_shows_a_person_is_advice() -> None:
    files = {**with_change(METRIC, "area: data.region", "area: data.customer_id"), "x.yaml": "event: idle\nfields: {}"}
    assert [(each.code, each.message) for each in problems_of(files)] == [
        ("warn_pii", "area shows customer_id of order.created, which is identity data"),
        ("warn_unused", "idle moves nothing"),
    ]


def test_an_example_must_keep_the_rules() -> None:
    files = {"x.yaml": "event: a\nfields: {n: integer}\nrules: [{name: some, rule: data.n > 0}]\nexamples: [{n: 0}]"}
    _, problem = problems_of(files)
    assert problem.message == "the example breaks rule `some`"


def test_a_join_reads_both_sides_and_gives_a_number() -> None:
    text = (
        "metric: gap\ntype: join\nkey: data.order_id\nwithin: 1h\n"
        "moves: [{on: order.created, step: left}, {on: order.refunded, step: right}]\nvalue: VALUE"
    )
    for value, words in (
        ("right.time_ms - left.time_ms", ""),
        ("right.data.amount - left.data.amount", ""),
        ("right.data.amont", "right.data has no field amont"),
        ("left.data.region", "this must be a number"),
    ):
        found = problems_of({**SHOP, "x.yaml": text.replace("VALUE", value)})
        assert [words in each.message for each in found] == ([True] if words else []), value


def test_enrichments_are_typed_as_the_gate_finds_them_out() -> None:
    kinds = {"string": "string", "number": "double"}
    assert {name: kinds[type] for name, type in ENRICHMENTS.items()} == {
        name: enrichment.kind for name, enrichment in BUILTIN.items()
    }
