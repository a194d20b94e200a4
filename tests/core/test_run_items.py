"""SEMANTICS 3.4: the items of a map are one sequence at every size, for expressions, maps, handlers and the record."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from aob.core import items
from aob.core.items import PAGE_ITEMS, Items, listed_in
from aob.core.rules import RULES
from aob.core.run import bodies, decide, pending
from aob.core.run.record import commands as cmd
from aob.core.run.state import graph_folding
from aob.core.run.stepping import Needs
from aob.core.value import INLINE_MAX, ITEMS, Ref, canonical, decode, digest_of, inline, ref_in
from aob.testing.world.loop import replaced
from tests.core.run_desk import Desk, each, edges, flow, function, loop
from tests.core.run_work import Bare

SIZES = [PAGE_ITEMS, PAGE_ITEMS + 1, 2 * PAGE_ITEMS + 5]


def mapped(count: int, then: dict[str, Any], *, fails: tuple[int, ...] = (), **given: Any) -> Desk:
    """A map of `n` over so many numbers, and what comes after it."""
    one = each("inputs.items", {"in": function()}, failures=len(fails), window=10_000)
    nodes = {"m": one, **then}
    desk = Desk(flow(nodes, edges(*(f"m {id}" for id in then))), {"items": list(range(count))}, **given)
    for index in range(count):
        visit = f"m[{index}]/in"
        if index in fails:
            command: Any = cmd.Fail(visit, 1, Raw(canonical({"code": "x", "message": "m"})), False)
        else:
            data = canonical({"n": index})
            command = cmd.Complete(visit, 1, Raw(data), digest_of(data))
        decision = decide(desk.run, command, desk.given, desk.now)
        desk.values |= decision.values
        desk.record(decision.events)
    return desk


@pytest.mark.parametrize("count", SIZES)
def test_expressions_see_one_sequence(count: int) -> None:
    asked = {
        "size": "size(nodes.m.output.items)", "first": "nodes.m.output.items[0].n",
        "last": f"nodes.m.output.items[{count - 1}].n", "has": "has(nodes.m.output.items)",
        "some": "nodes.m.output.items.exists(i, i.n == 7)", "in": "{'n': 3} in nodes.m.output.items",
        "all": "nodes.m.output.items.all(i, i.n >= 0)", "few": "nodes.m.output.items.filter(i, i.n < 2)",
        "same": "nodes.m.output.items == nodes.m.output.items", "type": "type(nodes.m.output.items) == list",
        "count": "nodes.m.output.count", "failed": "nodes.m.output.failed_items",
    }  # fmt: skip
    desk = mapped(count, {"z": function(input=asked)})
    assert desk.input_of("z") == {
        "size": count, "first": 0, "last": count - 1, "has": True, "some": True, "in": True, "all": True,
        "few": [{"n": 0}, {"n": 1}], "same": True, "type": True, "count": count, "failed": [],
    }  # fmt: skip


@pytest.mark.parametrize("count", SIZES)
def test_failed_items_are_told_by_index(count: int) -> None:
    asked = {"f": "nodes.m.output.failed_items", "n": "nodes.m.output.failed", "e": "nodes.m.output.items[3].code"}
    desk = mapped(count, {"z": function(input=asked)}, fails=(3, count - 1))
    assert desk.input_of("z") == {"f": [3, count - 1], "n": 2, "e": "x"}


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1), (1, 2, 0)])
def test_failed_items_stand_in_their_order_whichever_failed_first(order: tuple[int, ...]) -> None:
    desk = Desk(flow({"m": each("[0, 1, 2]", {"in": function()}, failures=2)}))
    for index in order:
        if index == 1:
            desk.complete("m[1]/in")
        else:
            desk.fail(f"m[{index}]/in")
    assert (desk.output()["failed"], desk.output()["failed_items"]) == (2, [0, 2])


@pytest.mark.parametrize("count", SIZES)
def test_a_handler_gets_a_sequence(count: int) -> None:
    desk = mapped(count, {"z": function()})
    value = desk.input_of("z")
    items = value["items"]
    assert (len(items), items[-1], items[1:3]) == (count, {"n": count - 1}, [{"n": 1}, {"n": 2}])
    assert list(items) == [{"n": index} for index in range(count)] == items
    assert decode(canonical(value))["items"] == list(items)
    with pytest.raises(IndexError):
        items[count]


@pytest.mark.parametrize("count", SIZES)
def test_a_map_may_run_over_the_items_of_another(count: int) -> None:
    second = each("nodes.m.output.items", {"in": function(input={"v": "item.n"})}, window=10)
    desk = mapped(count, {"again": second})
    assert len(desk.jobs) == 10
    desk.record_completions([f"again[{index}]/in" for index in range(10)])
    assert desk.input_of("again[10]/in") == {"v": 10}


def test_what_an_expression_reads_of_them_is_only_the_page_that_it_needs() -> None:
    desk = mapped(2 * PAGE_ITEMS + 5, {"z": function(input={"v": "nodes.m.output.items[1500].n"})})
    pages = [page for page in desk.values.values() if page.startswith(b'[{"n":')]
    gone = {digest_of(page) for page in pages if not page.startswith(b'[{"n":1000}')}
    for digest in gone:
        del desk.values[digest]
    assert desk.input_of("z") == {"v": 1500}


def test_the_record_stays_small_and_nothing_of_others_looks_like_it() -> None:
    desk = mapped(PAGE_ITEMS + 1, {"z": function()})
    cell = desk.run.scopes[""].done["m"].output
    assert len(bytes(cell)) < 200
    assert not inline(bytes(cell))  # as a value of somebody it would lie beside the record, and mean nothing
    assert isinstance(desk.input_of("z")["items"], Items)


def test_by_the_first_rules_many_items_are_pages() -> None:
    desk = mapped(PAGE_ITEMS + 1, {"z": function()}, rules_number=1)
    assert set(desk.input_of("z")) == {"count", "failed", "pages"}


# -- of a loop ----------------------------------------------------------------------------------------------------


def looped(most: int, then: dict[str, Any], *, ends: int = 0, **given: Any) -> Desk:
    """A loop that collects the number of each pass, and what comes after it."""
    one = loop(most, {"in": function(disabled=True, input={"n": "loop.index"})}, collect=True)
    if ends:
        one["config"]["while"] = f"loop.index < {ends}"
    document = flow({"m": one, **then}, edges(*(f"m {id}" for id in then)))
    run = Bare(document, rules=given.get("rules_number", RULES))
    run.begin()
    run.go_on()
    desk = Desk(document, begin=False, values=run.values, **given)
    desk.run = run.run
    return desk


@pytest.mark.parametrize(
    ("most", "ends", "count"),
    [(3, 0, 3), (1_000, 0, 1_000), (1_001, 0, 1_001), (2_500, 0, 2_500), (2_500, 999, 999), (2_500, 1_000, 1_000),
     (2_500, 1_700, 1_700), (2_500, 2_500, 2_500)],
)  # fmt: skip
def test_what_a_loop_collects_is_one_sequence(most: int, ends: int, count: int) -> None:
    asked = {
        "size": "size(nodes.m.output.items)", "count": "nodes.m.output.count", "first": "nodes.m.output.items[0].n",
        "last": f"nodes.m.output.items[{count - 1}].n", "exhausted": "nodes.m.output.exhausted",
    }  # fmt: skip
    desk = looped(most, {"z": function(input=asked)}, ends=ends)
    exhausted = not ends
    assert desk.input_of("z") == {"size": count, "count": count, "first": 0, "last": count - 1, "exhausted": exhausted}
    whole = looped(most, {"z": function()}, ends=ends).input_of("z")
    assert whole == {"count": count, "exhausted": exhausted, "items": [{"n": n} for n in range(count)]}


def test_what_a_loop_collects_leaves_memory_a_page_at_a_time() -> None:
    run = Bare(flow({"m": loop(3_500, {"in": function(disabled=True)}, collect=True)}))
    run.begin()
    while run.run.going:
        assert len(run.run.bodies["m"].outputs) <= PAGE_ITEMS
        run.do(cmd.Continue())
    assert run.run.final == "COMPLETED"


def test_a_map_goes_over_what_a_loop_collected() -> None:
    desk = looped(PAGE_ITEMS + 2, {"each": each("nodes.m.output.items", {"in": function()}, window=2)})
    assert desk.run.bodies["each"].count == PAGE_ITEMS + 2
    assert desk.input_of("each[1]/in") == {"n": 1}


def test_by_the_rules_of_before_it_is_a_list() -> None:
    desk = looped(PAGE_ITEMS + 1, {"z": function()}, rules_number=2)
    assert ITEMS not in decode(desk.run.scopes[""].done["m"].output)
    assert desk.input_of("z")["count"] == PAGE_ITEMS + 1


# -- lines --------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from([b"1", b'{"a":1}', b"", b" ", b" 2", b"3 ", b"\t", b"x" * 40]), max_size=40),
    st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), st.integers(1, 60),
)  # fmt: skip
def test_lines_are_those_that_are_not_blank_wherever_they_are_cut(
    texts: list[bytes], between: bytes, ended: bool, size: int
) -> None:
    data = between.join(texts) + between * ended
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items, "CHUNK_BYTES", size)
        lines = items.Lines(data)
        assert lines.scan(len(data))
    wanted = [line for line in data.splitlines() if line.strip()]
    assert len(lines) == len(wanted)
    assert [bytes(line) for line in lines[:]] == wanted
    assert [bytes(lines[at]) for at in reversed(range(len(wanted)))] == wanted[::-1]


class Narrow(dict[bytes, bytes]):
    """Values of which only so many are at hand at a time; the rest lie in a store."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.store, self.fetched = room, dict[bytes, bytes](), Counter[bytes]()

    def bring(self, ref: Ref) -> None:
        self.fetched[ref.digest] += 1
        self[ref.digest] = self.store[ref.digest]
        while len(self) > self.room:
            del self[next(iter(self))]


def decided(desk: Desk, values: Narrow, command: Any, most: int) -> Any:
    """The decision of a command, made again as often as a value was not at hand."""
    for _ in range(most):
        try:
            made = decide(desk.run, command, desk.given, desk.now)
        except Needs as needs:
            values.bring(needs.ref)
            continue
        values.store |= made.values
        return made
    raise AssertionError("it fetches for ever")


@pytest.mark.parametrize(("kind", "count", "page"), [("map", 12, 1_000), ("map", 12, 5), ("loop", 12, 1_000)])
def test_outputs_that_are_more_than_the_cache_holds_are_read_one_after_the_other_and_once(
    kind: str, count: int, page: int
) -> None:
    values = Narrow(3)
    with replaced((items, "PAGE_ITEMS", page), (bodies, "PAGE_ITEMS", page), (graph_folding, "PAGE_ITEMS", page)):
        one, many = {"in": function()}, each("inputs.n", {"in": function()})
        made = many if kind == "map" else loop(count, one, collect=True)
        desk = Desk(flow({"m": made}), {"n": list(range(count))})
        desk.given = msgspec.structs.replace(desk.given, values=values)
        sign, outputs = "[]" if kind == "map" else "#", list[Any]()
        for index in range(count):
            output = {"n": index, "pad": "x" * INLINE_MAX}
            outputs.append(output)
            data = canonical(output)
            values.store[digest_of(data)] = data
            visit = f"m[{index}]/in" if sign == "[]" else f"m#{index}/in"
            command = cmd.Complete(visit, 1, Ref(digest_of(data), len(data)).cell(), digest_of(data))
            decision = decided(desk, values, command, 4 * count)
            desk.record(decision.events)
            while pending(desk.run).goes_on:
                desk.record(decided(desk, values, cmd.Continue(), 4 * count).events)
        assert desk.run.final

        def read(ref: Ref) -> bytes:
            return values.store[ref.digest]

        ref = ref_in(decode(desk.run.output))
        told = decode(read(ref)) if ref is not None else decode(desk.run.output)
        if (listed := listed_in(told)) is not None:
            told = {**told, "items": list(Items.behind(listed, count, read))}
        assert told["items"] == outputs
        assert not desk.given.begun, "nothing is kept of a decision that was made"
    assert max(values.fetched.values()) <= 2, "each is read once for its page"


@given(st.lists(st.sampled_from(["1", "22", "", " ", '{"a":1}', "\r"]), max_size=60), st.integers(1, 12))
def test_lines_are_counted_a_stretch_at_a_time(texts: list[str], most: int) -> None:
    data = "\n".join(texts).encode()
    with replaced((items, "CHUNK_BYTES", 4)):
        whole, lines = items.Lines(data), items.Lines(data)
        assert whole.scan(len(data))
        while not lines.scan(most):
            pass
    assert [bytes(each) for each in lines] == [bytes(each) for each in whole]
    assert [bytes(each) for each in whole] == [line for line in data.splitlines() if line.strip()]


def test_a_map_over_a_large_blob_counts_its_lines_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 400
    data = b"".join(b'{"n":%d}\n' % n for n in range(count))
    ref = Ref(digest_of(data), len(data))
    values = Narrow(3)
    values.store[ref.digest] = data
    with replaced((bodies, "SCANNED_MAX", 512), (items, "CHUNK_BYTES", 256)):
        desk = Desk(flow({"m": each("inputs.blob", {"in": function()})}), {"blob": decode(ref.cell())}, begin=False)
        desk.given = msgspec.structs.replace(desk.given, values=values)
        monkeypatch.setattr(desk, "do", lambda command: desk.record(decided(desk, values, command, 100).events))
        desk.begin()
        tried = Counter(values.fetched)
        while pending(desk.run).goes_on:
            desk.record(decided(desk, values, cmd.Continue(), 100).events)
    assert desk.run.bodies["m"].count == count
    assert len(data) // 512 - 2 <= tried[ref.digest] <= len(data) // 256 + 2


def test_outputs_of_more_than_is_gathered_fail_their_node() -> None:
    with replaced((bodies, "GATHERED_MAX", 100)):
        desk = Desk(flow({"m": each("[0, 1, 2]", {"in": function()})}))
        for index in range(3):
            data = canonical({"pad": "x" * 50})
            desk.do(cmd.Complete(f"m[{index}]/in", 1, Raw(data), digest_of(data)))
    assert desk.run.status == "FAILED"
