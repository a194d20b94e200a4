"""Texts to documents: JSON and YAML, what YAML surprises with, bounds, and places."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.document.json_text import json_spots
from aob.core.document.places import Spot
from aob.core.document.yaml_text import DEPTH_MAX, VALUES_MAX, YamlText
from aob.core.errors import Invalid, Malformed, TooLarge
from aob.core.graph import load
from aob.core.graph.document import Document
from tests.core.graph_texts import ORDER, marked

HEAD = "workflow: w\nnodes: {a: {kind: timer, config: {for: 1s}}}\n"


def labels(text: str) -> object:
    """What `labels: TEXT` becomes."""
    return load(f"{HEAD}labels: {text}").tree["labels"]


class TestYaml:
    def test_has_on_as_a_key_and_yes_and_no_as_texts(self) -> None:
        document = load(ORDER)
        assert document.tree["edges"]["e5"] == {"from": "review", "to": "ship", "on": "approved"}
        assert labels("{on: on, yes: yes, no: no, y: n}") == {"on": "on", "yes": "yes", "no": "no", "y": "n"}

    def test_keeps_dates_and_times_as_texts(self) -> None:
        assert labels("[2026-01-01, 2026-01-01T10:00:00Z, 10:30]") == ["2026-01-01", "2026-01-01T10:00:00Z", "10:30"]

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1", 1), ("-7", -7), ("0", 0), ("0x1F", 31), ("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5), ("true", True),
            ("False", False), ("null", None), ("~", None), ("", None), ("'1'", "1"), ('"true"', "true"),
            ("010", "010"), ("1_000", "1_000"), (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("=", "="),
        ],
    )  # fmt: skip
    def test_reads_words_without_quotes_as_json_would(self, text: str, value: object) -> None:
        assert labels(f"[{text}]" if text else "[~]") == [value]

    def test_reads_a_block_of_text(self) -> None:
        assert load(HEAD + "description: |\n  one\n  two\n").tree["description"] == "one\ntwo\n"

    def test_repeats_what_an_anchor_names(self) -> None:
        assert labels("[&x {a: 1}, *x]") == [{"a": 1}, {"a": 1}]

    def test_refuses_tags(self) -> None:
        with pytest.raises(Invalid, match="tag") as caught:
            load(HEAD + "labels: !!python/object/apply:os.system [ls]")
        assert caught.value.problems[0].line == 3

    def test_counts_what_aliases_repeat(self) -> None:
        bomb = "labels:\n  a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        for name, before in zip("bcdefgh", "abcdefg", strict=True):
            bomb += f"  {name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        with pytest.raises(Invalid, match=f"{VALUES_MAX:,}"):
            load(HEAD + bomb)

    @pytest.mark.parametrize(
        "text",
        [
            f"description: &a {'y' * 100_000}\nlabels: [{', '.join(['*a'] * 2_000)}]\n",
            f"labels:\n  a: &a {{{', '.join(str(n) + 'k' * 900 + ': 1' for n in range(50))}}}\n"
            f"  b: [{', '.join(['*a'] * 40)}]\n",
            "labels:\n  a: &a [xxxxxxxxxxxxxxxxxxxx]\n"
            + "".join(
                f"  {name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
                for name, before in zip("bcdef", "abcde", strict=True)
            ),
        ],
    )
    def test_counts_the_bytes_that_aliases_repeat(self, text: str) -> None:
        with pytest.raises(Invalid, match="aliases repeat more than 1,048,576 bytes"):
            load(HEAD + text)

    def test_text_that_is_not_repeated_is_not_counted(self) -> None:
        long = "y" * 400_000
        assert labels(f"[&a {long}, {long}, *a]") == [long] * 3

    def test_refuses_an_alias_of_what_is_not_complete(self) -> None:
        with pytest.raises(Invalid, match="repeats nothing"):
            load(HEAD + "labels: &x [*x]")

    def test_refuses_what_is_too_deep(self) -> None:
        with pytest.raises(Invalid, match=f"{DEPTH_MAX} deep"):
            load(HEAD + "labels: " + "[" * 200_000)

    def test_refuses_long_keys_above_many_values(self) -> None:
        with pytest.raises(Invalid, match="keys are too long"):
            YamlText("? " + "k" * 200_000 + "\n: [" + "0," * 1_000 + "0]")

    def test_the_first_line_of_a_block_of_text_is_found_below_empty_lines(self) -> None:
        assert YamlText("a:\n  - |\n\n\n     x\n", above=7).spots["/a/0"] == Spot(9, 5, 0, 0, 10, 6, 6)

    def test_refuses_a_second_document(self) -> None:
        with pytest.raises(Malformed, match="line 3: a second document"):
            load(HEAD + "---\nworkflow: x\n")

    @pytest.mark.parametrize("key", ["[1, 2]: x", "{a: b}: x", "? [1]\n: x"])
    def test_refuses_keys_that_are_no_text(self, key: str) -> None:
        with pytest.raises((Invalid, Malformed)):
            load(HEAD + key)

    def test_says_where_it_is_malformed(self) -> None:
        with pytest.raises(Malformed, match="line 3, column 10") as caught:
            load(HEAD + "labels: a: b")
        assert caught.value.fields == {"line": 3, "column": 10}


class TestJson:
    def test_is_read_as_the_same_document(self) -> None:
        tree = load(ORDER).tree
        assert load(json.dumps(tree)).tree == tree
        assert load(json.dumps(tree, indent="\t").encode(), name_hint="order.json").tree == tree

    def test_says_where_it_is_malformed(self) -> None:
        with pytest.raises(Malformed, match="line 2, column 1"):
            load('{"workflow":\n}', name_hint="application/json; charset=utf-8")

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5_000])
    def test_refuses_numbers_that_are_none(self, number: str) -> None:
        with pytest.raises(Malformed):
            load(f'{{"workflow": "w", "priority": {number}}}')

    def test_refuses_what_is_too_deep(self) -> None:
        with pytest.raises((Malformed, Invalid)):
            load('{"a":' * 100_000)
        with pytest.raises(Malformed, match="too deeply"):
            load("[" * 100_000 + "]" * 100_000, name_hint="x.json")

    def test_in_the_flow_style_of_yaml_is_read_too(self) -> None:
        assert load("{workflow: w, nodes: {a: {kind: branch}}}").tree["workflow"] == "w"


class TestAKeyThatStandsTwice:
    @pytest.mark.parametrize(
        "text",
        [
            HEAD + "labels: {a: x, b: y, ¤a: z}\n",
            '{"workflow": "w", "nodes": {"a": {"kind": "timer", "config": {"for": "1s"}}},\n'
            ' "labels": {"a": "x", ¤"a": "z"}}',
            'workflow: w\nnodes:\n  a: {kind: timer, config: {for: 1s}}\n  ¤a: {kind: timer, config: {for: 1s}}\n',
        ],
    )  # fmt: skip
    def test_is_told_at_the_second_place(self, text: str) -> None:
        plain, place = marked(text)
        with pytest.raises(Invalid) as caught:
            load(plain)
        assert [(problem.line, problem.column, problem.code) for problem in caught.value.problems] == [
            (*place, "duplicate_key")
        ]

    def test_is_told_with_every_other_problem(self) -> None:
        with pytest.raises(Invalid) as caught:
            load("workflow: w\nnodes: {a: {kind: tmer}}\nlabels: {a: x, a: y}")
        assert [problem.code for problem in caught.value.problems] == ["unknown_kind", "duplicate_key"]


class TestBytes:
    def test_that_are_no_utf8_are_malformed(self) -> None:
        with pytest.raises(Malformed, match="byte 10"):
            load(b"workflow: \xff"[:9] + b"\xff")

    def test_may_begin_with_a_byte_order_mark(self) -> None:
        assert load(b"\xef\xbb\xbf" + HEAD.encode()).tree["workflow"] == "w"
        assert load("\ufeff" + HEAD).tree["workflow"] == "w"

    def test_over_the_limit_are_refused_before_they_are_read(self) -> None:
        with pytest.raises(TooLarge, match="1,048,576"):
            load(b"[" * 2_000_000)

    @pytest.mark.parametrize("text", ["", "   \n", "- 1\n- 2", "just words", "[1]", "# nothing\n"])
    def test_that_are_no_object_are_no_document(self, text: str) -> None:
        with pytest.raises(Invalid, match="a document is an object"):
            load(text)

    @given(st.binary(max_size=200))
    def test_of_any_kind_raise_nothing_but_our_errors(self, data: bytes) -> None:
        with suppress(Invalid, Malformed):
            assert isinstance(load(data), Document)

    @given(st.text(alphabet="{}[]:,-&*!|>'\"#%@? \n\tabtrue01.", max_size=80))
    def test_that_look_like_yaml_raise_nothing_but_our_errors(self, text: str) -> None:
        with suppress(Invalid, Malformed):
            assert isinstance(load(text), Document)


class TestPlaces:
    def test_of_a_scalar_is_its_own_and_of_a_map_that_of_its_key(self) -> None:
        places = load(ORDER).places
        assert places["/nodes/fetch"] == (4, 3)
        assert places["/nodes/fetch/kind"] == (4, 19)
        assert places["/edges/e5/on"] == (15, 36)

    def test_of_a_list_that_was_normalised_are_those_of_its_items(self) -> None:
        text = """\
workflow: w
nodes:
  - {id: a, type: timer, config: {for: 1s}}
  - {id: b, type: task, handler: score}
edges:
  - {from: a, to: b}
"""
        places = load(text).places
        assert places["/nodes/b"] == (4, 5)
        assert places["/nodes/b/kind"] == (4, 19)
        assert places["/nodes/b/config/handler"] == (4, 34)
        assert places["/edges/a-b/to"] == (6, 19)

    def test_of_what_is_not_there_is_that_of_what_is_around_it(self) -> None:
        places = load(ORDER).places
        assert places["/nodes/fetch/timeout/run"] == places["/nodes/fetch"]

    def test_of_json_with_long_keys_are_those_of_what_is_around_it(self) -> None:
        value = {"workflow": "w", "labels": {"k" * 400_000: [0] * 1_000, "b": 1}}
        spots, _ = json_spots(json.dumps(value))
        assert "/labels" in spots
        assert "/labels/b" not in spots

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=12,
        )
    )
    def test_are_the_same_in_json_read_as_json_and_as_yaml(self, value: object) -> None:
        text = json.dumps({"labels": value}, indent=1, ensure_ascii=True)
        as_json = load(text, name_hint="x.json").places
        try:
            as_yaml = load(text, name_hint="x.yaml")
        except Malformed:
            return  # a lone surrogate, or a character that YAML refuses
        assert {path: as_json[path] for path in as_json} == {path: as_yaml.places[path] for path in as_yaml.places}
