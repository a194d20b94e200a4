"""Laws of patches, for any document and any valid patch of it (SEMANTICS 4)."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aob.core.graph.patch import apply, diff
from aob.core.graph.patch.difference import diff_hash
from aob.core.graph.patch.pointer import same
from aob.core.graph.patch.rollback import frozen_problems, inverse, operations_between, rollback_operations
from aob.core.graph.patch.touch_set import Clash, Rebased, Touch, overlap, rebase, touch
from tests.core.patch_worlds import documents, json_values, patches, plainly_applied, rfc_patches

laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOTHING: dict[str, Any] = {"added": {}, "removed": {}, "changed": {}}


def changed_entries(difference: Any) -> set[str]:
    """The entries of a touch set that a diff amounts to."""
    return {
        f"{what[:-1]}:{name}"
        for what in ("nodes", "edges", "fields")
        for section in difference[what].values()
        for name in section
    }


def edges_hang(document: dict[str, Any]) -> bool:
    return any(edge[end] not in document["nodes"] for edge in document["edges"].values() for end in ("from", "to"))


@laws
@given(st.data())
def test_apply_does_what_rfc_6902_plainly_says_and_leaves_its_input_alone(data: st.DataObject) -> None:
    value = data.draw(json_values)
    operations = data.draw(rfc_patches(value))
    before = json.dumps([value, operations])
    result = apply(value, operations)
    assert json.dumps(result, sort_keys=True) == json.dumps(plainly_applied(value, operations), sort_keys=True)
    assert json.dumps([value, operations]) == before


@laws
@given(st.data())
def test_the_inverse_takes_any_patch_back(data: st.DataObject) -> None:
    value = data.draw(json_values)
    operations = data.draw(rfc_patches(value))
    back = inverse(value, operations)
    assert json.dumps(apply(apply(value, operations), back), sort_keys=True) == json.dumps(value, sort_keys=True)


def test_the_inverse_takes_back_a_move_up_its_own_path() -> None:
    operations = [{"op": "move", "from": "/0/0", "path": "/0"}]
    assert apply([["a"]], operations) == ["a", []]
    assert apply(["a", []], inverse([["a"]], operations)) == [["a"]]


@laws
@given(st.data())
def test_the_inverse_takes_back_patches_of_workflows(data: st.DataObject) -> None:
    document = data.draw(documents())
    operations = data.draw(patches(document, 6))
    assert apply(apply(document, operations), inverse(document, operations)) == document


@laws
@given(st.data())
def test_the_touch_covers_every_change(data: st.DataObject) -> None:
    document = data.draw(documents())
    operations = data.draw(patches(document))
    found = touch(document, operations)
    assert "*" in found.writes or changed_entries(diff(document, apply(document, operations))) <= found.writes


@laws
@given(st.data())
def test_disjoint_patches_commute(data: st.DataObject) -> None:
    document = data.draw(documents())
    one, two = data.draw(patches(document)), data.draw(patches(document))
    if not overlap(touch(document, one), touch(document, two)):
        assert apply(apply(document, one), two) == apply(apply(document, two), one)


@laws
@given(st.data())
def test_a_rebased_patch_makes_the_change_that_was_shown(data: st.DataObject) -> None:
    base = data.draw(documents())
    theirs: list[list[dict[str, Any]]] = []
    newer = base
    for _ in range(data.draw(st.integers(0, 3))):
        theirs.append(data.draw(patches(newer, 2)))
        newer = apply(newer, theirs[-1])
    mine = data.draw(patches(base, 2))
    result = rebase(base, theirs, mine)
    if isinstance(result, Rebased):
        assert result.document == newer
        assert result.result == apply(newer, mine)
        shown = diff(base, apply(base, mine))
        assert diff_hash(diff(newer, result.result)) == diff_hash(shown)
    else:
        assert isinstance(result, Clash)
        assert result.entries
        assert all(0 <= index < len(theirs) for index in result.theirs)


@laws
@given(st.data())
def test_rollback_leaves_alone_what_was_dispatched_and_takes_back_the_rest(data: st.DataObject) -> None:
    document = data.draw(documents())
    operations = data.draw(patches(document))
    now = apply(document, operations)
    frozen = data.draw(st.sets(st.sampled_from(sorted(now["nodes"])))) if now["nodes"] else set()
    made = rollback_operations(now, inverse(document, operations), frozen)
    after = apply(now, made)
    assert frozen_problems(now, after, frozen) == []
    assert not edges_hang(after) or edges_hang(document) or edges_hang(now)
    if not frozen:
        assert after == document


@laws
@given(st.data())
def test_the_operations_between_two_documents_lead_from_one_to_the_other(data: st.DataObject) -> None:
    before = data.draw(documents())
    after = data.draw(st.one_of(documents(), patches(before).map(lambda made: apply(before, made))))
    assert apply(before, operations_between(before, after)) == after


@laws
@given(st.data())
def test_a_diff_is_empty_only_for_equal_documents_and_ignores_the_order_of_members(data: st.DataObject) -> None:
    before = data.draw(documents())
    after = apply(before, data.draw(patches(before)))
    difference = diff(before, after)
    assert (difference == {"nodes": NOTHING, "edges": NOTHING, "fields": NOTHING}) == same(before, after)
    reordered = json.loads(json.dumps(after, sort_keys=True))
    assert diff_hash(diff(json.loads(json.dumps(before)), reordered)) == diff_hash(difference)


entries = st.sets(st.sampled_from(["node:a", "node:b", "edge:e", "field:labels", "*"])).map(frozenset)
touches = st.builds(Touch, entries, entries)


@laws
@given(touches, touches)
def test_disjoint_is_symmetric(one: Touch, two: Touch) -> None:
    assert overlap(one, two) == overlap(two, one)


@laws
@given(touches)
def test_what_touches_everything_is_disjoint_only_from_nothing(one: Touch) -> None:
    everything = Touch(frozenset({"*"}))
    assert bool(overlap(everything, one)) == bool(one.writes or one.refers)
    assert not overlap(Touch(), one)
