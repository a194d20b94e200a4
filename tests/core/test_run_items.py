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
from aob.core.value import INLINE_MAX, ITEMS, Ref, canonical, decode, digest_of, inline, part_in, ref_in
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


def asked_of(count: int) -> dict[str, str]:
    """What expressions ask of so many items."""
    return {
        "size": "size(nodes.m.output.items)", "first": "nodes.m.output.items[0].n",
        "last": f"nodes.m.output.items[{count - 1}].n", "has": "has(nodes.m.output.items)",
        "some": "nodes.m.output.items.exists(i, i.n == 7)", "in": "{'n': 3} in nodes.m.output.items",
        "all": "nodes.m.output.items.all(i, i.n >= 0)", "few": "nodes.m.output.items.filter(i, i.n < 2)",
        "same": "nodes.m.output.items == nodes.m.output.items", "type": "type(nodes.m.output.items) == list",
        "count": "nodes.m.output.count", "failed": "nodes.m.output.failed_items",
    }  # fmt: skip


@pytest.fixture(scope="module", params=SIZES)
def done(request: pytest.FixtureRequest) -> tuple[int, Desk]:
    """How many items a map had, and the desk at which it ended: nodes that ask, that take all, that go over them."""
    count: int = request.param
    again = each("nodes.m.output.items", {"in": function(input={"v": "item.n"})}, window=10)
    then = {"asks": function(input=asked_of(count)), "takes": function(), "again": again}
    return count, mapped(count, then)


def test_expressions_see_one_sequence(done: tuple[int, Desk]) -> None:
    count, desk = done
    assert desk.input_of("asks") == {
        "size": count, "first": 0, "last": count - 1, "has": True, "some": True, "in": True, "all": True,
        "few": [{"n": 0}, {"n": 1}], "same": True, "type": True, "count": count, "failed": [],
    }  # fmt: skip


@pytest.mark.parametrize("count", SIZES[:2])
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


def test_a_handler_gets_a_sequence(done: tuple[int, Desk]) -> None:
    count, desk = done
    value = desk.input_of("takes")
    items = value["items"]
    assert (len(items), items[-1], items[1:3]) == (count, {"n": count - 1}, [{"n": 1}, {"n": 2}])
    assert list(items) == [{"n": index} for index in range(count)] == items
    assert decode(canonical(value))["items"] == list(items)
    with pytest.raises(IndexError):
        items[count]


def test_a_map_may_run_over_the_items_of_another(done: tuple[int, Desk]) -> None:
    _, desk = done
    first = [f"again[{index}]/in" for index in range(10)]
    assert [job for job in desk.jobs if job.startswith("again")] == first
    desk.record_completions(first)
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


class Blob:
    """A blob that is read in ranges: which were read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.ranges = data, list[tuple[int, int]]()
        self.ref = Ref(digest_of(data), len(data))

    def read(self, start: int, size: int) -> bytes:
        self.ranges.append((start, size))
        return self.data[start : start + size if size >= 0 else None]

    def lines(self) -> items.Lines:
        return items.Lines(self.ref, self.read)


@given(
    st.lists(st.sampled_from(["1", '{"a":1}', "", " ", " 2", "3 ", "\t", "x" * 40, "é€𝄞" * 5, "\x0b"]), max_size=40),
    st.sampled_from(["\n", "\r\n", "\r", "\n\r"]), st.booleans(), st.integers(1, 60), st.integers(1, 300),
)  # fmt: skip
def test_lines_are_those_that_are_not_blank_wherever_they_are_cut(
    texts: list[str], between: str, ended: bool, size: int, most: int
) -> None:
    data = (between.join(texts) + between * ended).encode()
    blob = Blob(data)
    with replaced((items, "CHUNK_BYTES", size)):
        lines = blob.lines()
        while not lines.scan(most):
            pass
    longest = max(map(len, data.split(b"\n"))) + 1
    assert max(length for _, length in blob.ranges) <= max(size, 2 * longest), "no more than a chunk or a line"
    wanted = [line for line in data.splitlines() if line.strip()]
    assert len(lines) == len(wanted)
    blob.ranges.clear()
    assert [bytes(line) for line in lines[:]] == wanted
    assert sum(length for _, length in blob.ranges) <= len(data), "nothing is read twice"
    assert [bytes(lines[at]) for at in reversed(range(len(wanted)))] == wanted[::-1]


@given(st.data())
def test_a_blob_that_is_not_what_was_put_is_asked_for_as_a_whole(dice: st.DataObject) -> None:
    data = b"".join(b'{"n":%d}\n' % n for n in range(20))
    blob, counted = Blob(data), dice.draw(st.booleans())
    at = dice.draw(st.integers(0, len(data) - 1))
    with replaced((items, "CHUNK_BYTES", 30)):
        lines = blob.lines()
        if counted:
            assert lines.scan(len(data))
        damaged = data[:at] if dice.draw(st.booleans()) else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        blob.data = damaged
        with pytest.raises(AssertionError):  # unless reading all of it says what is wrong
            list(lines) if counted else lines.scan(2 * len(data))
        assert blob.ranges[-1] == (0, -1)
        blob.data = data  # it was put again
        assert lines.scan(len(data))
        assert len(lines) == 20


def test_a_line_over_the_limit_fails_its_map_and_says_which_and_what_to_do() -> None:
    data = b'1\n"' + b"x" * 5_000 + b'"\n'
    ref = Ref(digest_of(data), len(data))
    with replaced((items, "CHUNK_BYTES", 16), (items, "LINE_MAX", 4_096)):
        made = flow({"m": each("inputs.blob", {"in": function()})})
        desk = Desk(made, {"blob": decode(ref.cell())}, values={ref.digest: data})
    assert (desk.status, desk.error["code"]) == ("FAILED", "bad_item")
    assert "line 2 has more than" in desk.error["message"]
    assert "one JSON value a line" in desk.error["message"]
    with replaced((items, "CHUNK_BYTES", 16), (items, "LINE_MAX", 5_003)):
        desk = Desk(made, {"blob": decode(ref.cell())}, values={ref.digest: data})
    assert desk.run.bodies["m"].count == 2


class Narrow(dict[bytes, bytes]):
    """Values of which only so many are at hand at a time; the rest lie in a store."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.store, self.fetched = room, dict[bytes, bytes](), Counter[bytes]()

    def bring(self, ref: Ref) -> None:
        self.fetched[ref.digest] += 1
        whole, start, size = part_in(ref.digest)
        self[ref.digest] = self.store[whole][start : None if size is None else start + size]
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


def test_a_map_over_a_large_blob_counts_its_lines_in_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 400
    data = b"".join(b'{"n":%d}\n' % n for n in range(count))
    ref = Ref(digest_of(data), len(data))
    values = Narrow(4)
    values.store[ref.digest] = data
    with replaced((bodies, "SCANNED_MAX", 512), (bodies, "OPENED_MAX", 512), (items, "CHUNK_BYTES", 256)):
        desk = Desk(flow({"m": each("inputs.blob", {"in": function()})}), {"blob": decode(ref.cell())}, begin=False)
        desk.given = msgspec.structs.replace(desk.given, values=values)
        monkeypatch.setattr(desk, "do", lambda command: desk.record(decided(desk, values, command, 100).events))
        desk.begin()
        assert ref.digest not in values.fetched, "it is never read as a whole"
        tried = sum(values.fetched.values())
        while pending(desk.run).goes_on:
            desk.record(decided(desk, values, cmd.Continue(), 100).events)
    assert desk.run.bodies["m"].count == count
    assert len(data) // 256 <= tried <= len(data) // 256 + 16


def test_outputs_of_more_than_is_gathered_fail_their_node() -> None:
    with replaced((bodies, "GATHERED_MAX", 100)):
        desk = Desk(flow({"m": each("[0, 1, 2]", {"in": function()})}))
        for index in range(3):
            data = canonical({"pad": "x" * 50})
            desk.do(cmd.Complete(f"m[{index}]/in", 1, Raw(data), digest_of(data)))
    assert desk.run.status == "FAILED"
