"""The gate: what passes passes fast, what does not is refused with every reason, and no bytes make it fail."""

import json
from datetime import timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aob.core.accepted_event import LINE_BYTES_MAX, SKEW_MAX_MS, shown
from aob.core.contract_model import ContractSet, EventContract
from aob.core.ingest import Gate, Gated, Refused, joined_notes, maker_of
from aob.core.ingest.envelope import DEPTH_MAX, ID_CHARS_MAX, SOURCE_CHARS_MAX
from aob.core.instant import EPOCH
from tests.core.ingest.sample import CONTRACTS, DATA, NOW_MS, ORDER, line

GATE = Gate(CONTRACTS)


def read(*lines: bytes) -> Gated:
    return GATE.read(b"\n".join(lines), NOW_MS)


def refusal(sent: bytes) -> Refused:
    gated = read(sent)
    assert (gated.received, len(gated.events)) == (1, 0)
    return gated.refused[0][1]


def places(refused: Refused) -> set[tuple[str, str, str]]:
    return {(reason.stage, reason.pointer, reason.rule) for reason in refused.reasons}


def only(sent: bytes) -> Any:
    gated = read(sent)
    assert not gated.refused, gated.refused
    return gated.events[0]


def test_an_accepted_event_has_the_attributes_of_events() -> None:
    event = only(line(subject="s-9", correlationid="c", producer="p", sequence=7))
    assert (event.id, event.source, event.type, event.subject, event.version) == (
        "e-1",
        "/shop",
        "order.created",
        "s-9",
        1,
    )
    assert (event.at_ms, event.offset, event.known, event.producer, event.sequence) == (
        1_700_000_000_123,
        -1,
        True,
        "p",
        7,
    )
    assert (event.data.amount, event.data.items, event.enriched.order_size) == (24.5, 2, "small")
    assert event.data.coupon is msgspec.UNSET


def test_the_subject_comes_from_the_contract_when_the_event_says_none() -> None:
    assert only(line()).subject == "o-1"


@pytest.mark.parametrize(
    ("time", "at_ms"),
    [
        ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("2023-11-14T23:13:20.123+01:00", 1_700_000_000_123),
        (1_700_000_000.123, 1_700_000_000_123),
        (1_700_000_000, 1_700_000_000_000),
        ((NOW_MS + SKEW_MAX_MS) / 1000, NOW_MS + SKEW_MAX_MS),
    ],
)
def test_times_are_text_or_seconds(time: object, at_ms: int) -> None:
    assert only(line(time=time)).at_ms == at_ms


@settings(max_examples=200, deadline=None)
@example(0, 0)
@example(0, 990)
@example(1, 0)
@given(st.integers(-2, 2), st.integers(0, 99).map(lambda tens: tens * 10))
def test_a_text_and_a_number_of_one_instant_meet_the_same_limit(after_ms: int, micros: int) -> None:
    """Both are cut to the ms, and what lies exactly at the limit is taken: alone, among others, offset or not."""
    limit_ms = NOW_MS + SKEW_MAX_MS
    at = EPOCH + timedelta(milliseconds=limit_ms + after_ms, microseconds=micros)
    texts = [
        at.isoformat().replace("+00:00", "Z"),
        at.isoformat(),
        at.astimezone(timezone(timedelta(hours=2))).isoformat(),
    ]
    for time in (*texts, (limit_ms + after_ms) / 1000 + micros / 1_000_000):
        for sent in ([line(time=time)], [line("before"), line(time=time), line("after", time=1)]):
            gated = read(*sent)
            refused = [(reason.stage, reason.rule) for _, each in gated.refused for reason in each.reasons]
            if after_ms > 0:
                assert (refused, len(gated.events)) == ([("time", "future")], len(sent) - 1), time
            else:
                assert (refused, gated.events[len(sent) // 2].at_ms) == ([], limit_ms + after_ms), time


@pytest.mark.parametrize("time", [-0.002, "1969-12-31T23:59:59.999Z", "1970-01-01T00:59:59.999+01:00"])
def test_the_first_instant_is_1970_for_texts_and_numbers(time: object) -> None:
    assert places(refusal(line(time=time))) == {("time", "/time", "past")}


@pytest.mark.parametrize("time", [0.001, "1970-01-01T00:00:00.001Z", "1970-01-01T01:00:00.001+01:00"])
def test_the_first_ms_of_1970_is_taken(time: object) -> None:
    assert only(line(time=time)).at_ms == 1


def test_an_event_without_a_time_happened_when_it_came() -> None:
    assert only(line(without="time")).at_ms == NOW_MS


def test_lines_may_end_as_they_like_and_blank_ones_are_no_events() -> None:
    for text in (b"%s\n%s", b"%s\n%s\n", b"%s\r\n%s\r\n", b"\n\n%s\n  \n%s\n\n"):
        gated = GATE.read(text % (line("a"), line("b")), NOW_MS)
        assert (gated.received, [event.id for event in gated.events]) == (2, ["a", "b"])
        assert [json.loads(each)["id"] for each in gated.text.split(b"\n")] == ["a", "b"]
    assert GATE.read(b"", NOW_MS).received == 0
    assert GATE.read(b"\n\n", NOW_MS).received == 0


def test_places_of_refused_lines_are_told_among_good_ones() -> None:
    gated = read(line("a"), b"{oops", line("b"), line("c", {**DATA, "items": 0}), line("d"))
    assert [event.id for event in gated.events] == ["a", "b", "d"]
    assert gated.places == [0, 2, 4]
    assert [place for place, _ in gated.refused] == [1, 3]
    assert gated.text == b"\n".join([line("a"), line("b"), line("d")])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({**DATA, "items": 0}, ("schema", "/data/items", "minimum")),
        ({**DATA, "items": "2"}, ("schema", "/data/items", "type")),
        ({**DATA, "currency": "XXX"}, ("schema", "/data/currency", "enum")),
        ({**DATA, "email": "nobody"}, ("schema", "/data/email", "format")),
        ({**DATA, "to": {}}, ("schema", "/data/to", "required")),
        ({**DATA, "more": 1}, ("schema", "/data", "additionalProperties")),
        ({**DATA, "tags": ["a", "b", "c", "d"]}, ("schema", "/data/tags", "maxItems")),
        ({**DATA, "amount": 0}, ("rule", "/data/amount", "costs")),
        ({**DATA, "coupon": "X1"}, ("rule", "/data/coupon", "coupon")),
        ([], ("schema", "/data", "type")),
    ],
)
def test_data_that_breaks_its_contract_is_refused_with_place_and_rule(data: object, found: tuple[str, ...]) -> None:
    assert found in places(refusal(line("e", data)))


def test_every_reason_is_told_at_once() -> None:
    refused = refusal(line("", {"amount": -1, "currency": "EUR"}, depth=-1))
    assert {"/id", "/depth", "/data", "/data/amount"} <= {pointer for _, pointer, _ in places(refused)}
    assert (refused.type, refused.source, refused.id) == ("order.created", "/shop", "")


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"{", ("decode", "", "json")),
        (b"[]", ("decode", "", "type")),
        (b"1", ("decode", "", "type")),
        (b'"x"', ("decode", "", "type")),
        (b"\xff", ("decode", "", "utf8")),
        (b"{}{}", ("decode", "", "json")),
        (line().replace(b'"/shop"', b'"/sh\xffop"'), ("decode", "", "utf8")),
        (line(x="\x00"), ("decode", "/x", "nul")),
        (line("e", {**DATA, "note": "a\0"}), ("decode", "/data/note", "nul")),
        (line(**{"\x7fat_ms": 5}), ("decode", "", "name")),
        (line(**{"\x7foffset": "x"}), ("decode", "", "name")),
        (line(without="type"), ("decode", "/type", "envelope")),
        (line(type="no.such"), ("contract", "/type", "unknown_type")),
        (line(version=3), ("contract", "/version", "unknown_version")),
        (line(without="id"), ("decode", "/id", "envelope")),
        (line("x" * 257), ("decode", "/id", "envelope")),
        (line(source=5), ("decode", "/source", "envelope")),
        (line(time="yesterday"), ("decode", "/time", "time")),
        (line(time="2023-11-14T22:13:20"), ("decode", "/time", "time")),
        (line(time=NOW_MS), ("time", "/time", "future")),
        (line(time=-1), ("time", "/time", "past")),
        (line(time=1e300), ("decode", "/time", "time")),
        (line(specversion="2"), ("decode", "/specversion", "envelope")),
        (line(datacontenttype="text/plain"), ("decode", "/datacontenttype", "envelope")),
        (line(without="data", data_base64="AA"), ("decode", "/data_base64", "envelope")),
        (line(sequence=-1), ("decode", "/sequence", "envelope")),
        (line(producer=""), ("decode", "/producer", "envelope")),
        (line(subject=[]), ("decode", "/subject", "envelope")),
        (line(time=(NOW_MS + SKEW_MAX_MS + 1) / 1000), ("time", "/time", "future")),
        (line().replace(b"24.5", b"NaN"), ("decode", "", "json")),
        (line().replace(b"24.5", b"1e999"), ("decode", "", "json")),
        (line("e", {**DATA, "note": "x" * LINE_BYTES_MAX}), ("size", "", "max_bytes")),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, ("decode", "", "nesting")),
    ],
)
def test_what_is_no_event_is_refused_and_never_an_error(sent: bytes, found: tuple[str, ...]) -> None:
    assert found in places(refusal(sent))


def test_a_chain_of_causes_that_is_too_long_is_refused_with_the_chain() -> None:
    assert only(line(depth=15)).depth == 15
    (reason,) = refusal(line(depth=16, causationid="run_1/x", correlationid="run_0")).reasons
    assert "e-1 <- run_1/x <- run_0" in reason.message


@pytest.mark.parametrize(
    "data",
    [
        {**DATA, "items": 2.0},
        {**DATA, "amount": 5},
        {**DATA, "email": "a@b.de"},
        {**DATA, "note": None},
        {**DATA, "tags": []},
    ],
)
def test_what_the_schema_accepts_is_accepted_however_it_is_written(data: dict[str, Any]) -> None:
    event = only(line("e", data))
    assert type(event.data.items) is int
    assert type(event.data.amount) is float


def test_several_objects_on_a_line_and_objects_over_lines_are_no_events() -> None:
    one = line()
    spread = line("b").replace(b", ", b",\n", 1)
    gated = GATE.read(one + line("x") + b"\n" + spread, NOW_MS)
    assert gated.received == 3
    assert gated.events == []


@pytest.mark.parametrize("at", [b', "', b'"data": {'])
def test_lines_and_events_are_one_to_one_even_where_their_numbers_agree(at: bytes) -> None:
    spread = line("b").replace(at, at[:-1].rstrip() + b"\n" + at[-1:], 1)
    gated = GATE.read(line("a") + line("x") + b"\n" + spread, NOW_MS)
    assert (gated.received, gated.events) == (3, [])
    blank = GATE.read(b"\n" + line("a") + line("x"), NOW_MS)
    assert (blank.received, blank.events) == (1, [])


def test_text_in_the_future_is_refused_among_good_lines() -> None:
    gated = read(line("a"), line("b", time="2300-01-01T00:00:00Z"), line("c", time="1960-01-01T00:00:00Z"))
    assert [refused.reasons[0].rule for _, refused in gated.refused] == ["future", "past"]


@pytest.mark.parametrize("others", [[], [line("other")]])
def test_a_line_of_exactly_the_largest_size_is_taken(others: list[bytes]) -> None:
    short = line("big", {**DATA, "note": ""})
    largest = line("big", {**DATA, "note": "x" * (LINE_BYTES_MAX - len(short))})
    assert len(largest) == LINE_BYTES_MAX
    assert [event.id for event in read(largest, *others).events][:1] == ["big"]
    larger = largest.replace(b"xx", b"xxx", 1)
    ((place, refused),) = read(larger, *others).refused
    assert (place, refused.reasons[0].rule) == (0, "max_bytes")


@pytest.mark.parametrize(("name", "most"), [
    ("id", ID_CHARS_MAX), ("source", SOURCE_CHARS_MAX), ("subject", SOURCE_CHARS_MAX), ("producer", ID_CHARS_MAX),
    ("correlationid", SOURCE_CHARS_MAX), ("causationid", SOURCE_CHARS_MAX),
])  # fmt: skip
@pytest.mark.parametrize("judged", [False, True])
def test_an_attribute_of_exactly_the_longest_size_is_taken(name: str, most: int, judged: bool) -> None:
    read_one = (lambda sent: GATE.judge(sent, NOW_MS)) if judged else (lambda sent: GATE.look(sent, NOW_MS))

    def sent(chars: int) -> bytes:
        return line("x" * chars) if name == "id" else line(**{name: "x" * chars})

    assert getattr(read_one(sent(most)), name) == "x" * most
    assert places(read_one(sent(most + 1))) == {("decode", f"/{name}", "envelope")}


@pytest.mark.parametrize("judged", [False, True])
def test_the_last_depth_and_the_first_sequence_are_taken(judged: bool) -> None:
    read_one = (lambda sent: GATE.judge(sent, NOW_MS)) if judged else (lambda sent: GATE.look(sent, NOW_MS))
    event = read_one(line(aobdepth=DEPTH_MAX - 1, producer="p", sequence=0))
    assert (event.depth, event.sequence) == (DEPTH_MAX - 1, 0)
    assert places(read_one(line(aobdepth=DEPTH_MAX))) == {("contract", "/depth", "depth")}
    assert places(read_one(line(aobdepth=-1))) == {("decode", "/depth", "envelope")}


def test_unknown_attributes_stay_in_the_line() -> None:
    sent = line(traceparent="00-1", x={"deep": [1]})
    gated = read(sent)
    assert gated.text == sent


def test_json_media_types_are_taken() -> None:
    assert only(line(datacontenttype="application/vnd.shop+json; charset=utf-8", specversion="1.0"))


def test_versions_stand_side_by_side() -> None:
    newest = only(line("e", {"total": 1}, type="order.placed"))
    older = only(line("e", {"amount": 1}, type="order.placed", version=1))
    named = only(line("e", {"total": 1}, type="order.placed", version=2))
    assert (newest.version, older.version, named.version) == (2, 1, 2)
    assert (newest.data.total, older.data.amount) == (1.0, 1)
    assert ("schema", "/data", "required") in places(refusal(line("e", {"amount": 1}, type="order.placed")))


def test_a_row_is_read_again_as_it_was() -> None:
    gated = read(
        line("a"),
        line("b", {**DATA, "items": 3.0}, without="time"),
        b"{}",
        line("c", {"amount": 1}, type="order.placed", version=1),
        line("d", {"total": 2}, type="order.placed"),
    )
    gated.events[2].known = False
    again = GATE.reread(gated.text, GATE.notes(gated.events), 10)
    for offset, event in enumerate(gated.events, 10):
        event.offset = offset
    assert again == gated.events


def test_rows_of_several_groups_are_read_again() -> None:
    first, second = read(line("a"), line("b")), read(line("c", without="time"))
    text, notes = (
        first.text + b"\n" + second.text,
        joined_notes([GATE.notes(first.events), b"", GATE.notes(second.events)]),
    )
    again = GATE.reread(text, notes, 0)
    assert [(event.id, event.at_ms) for event in again] == [
        ("a", 1_700_000_000_123),
        ("b", 1_700_000_000_123),
        ("c", NOW_MS),
    ]
    assert GATE.reread(b"", joined_notes([]), 0) == []


def test_an_old_row_keeps_its_version_when_a_newer_contract_comes() -> None:
    before = Gate(ContractSet(events={"order.placed": {1: CONTRACTS.events["order.placed"][1]}}))
    gated = before.read(line("a", {"amount": 4}, type="order.placed"), NOW_MS)
    (again,) = GATE.reread(gated.text, before.notes(gated.events), 0)
    assert (again.version, again.data.amount) == (1, 4)


def test_nothing_is_enriched_anew() -> None:
    gated = read(line())
    gated.events[0].enriched.order_size = "as it was then"
    (again,) = GATE.reread(gated.text, GATE.notes(gated.events), 0)
    assert again.enriched.order_size == "as it was then"


def test_what_was_found_out_is_told_by_name() -> None:
    sent = line()
    told = json.loads(msgspec.json.encode(shown(only(sent), sent)))
    assert (told["enriched"]["order_size"], told["time"]) == ("small", "2023-11-14T22:13:20.123Z")
    assert told["event"] == json.loads(sent)


def test_a_gate_without_contracts_refuses_everything() -> None:
    assert Gate(ContractSet()).read(line(), NOW_MS).refused[0][1].reasons[0].rule == "unknown_type"


def test_a_schema_that_no_struct_can_say_is_asked_itself() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    gate = Gate(ContractSet(events={"x": {1: EventContract("x", 1, schema)}}))
    gated = gate.read(b"\n".join(line("e", data, type="x") for data in ({"a": 1}, {"b": 2}, {"c": 3})), NOW_MS)
    assert (len(gated.events), gated.refused[0][0]) == (2, 2)


def test_fields_may_have_any_name() -> None:
    names = {"class": 1, "$x": 2, "a b": 3, "__init__": 4, "é": 5, "type": 6, "": 7, "A": 8}
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "required": list(names),
        "additionalProperties": False,
    }
    gate = Gate(ContractSet(events={"x": {1: EventContract("x", 1, schema)}}))
    gated = gate.read(line("e", names, type="x"), NOW_MS)
    assert msgspec.to_builtins(gated.events[0].data) == names


def test_an_event_can_be_made_without_a_gate() -> None:
    event: Any = maker_of(ORDER)(DATA, 5)
    assert (event.at_ms, event.data.amount, event.enriched.order_size, event.subject) == (5, 24.5, "small", "o-1")
    with pytest.raises(msgspec.ValidationError):
        maker_of(ORDER)({}, 5)


@pytest.mark.parametrize("fields", [
    {"n": {"type": "integer"}}, {"n": {}}, {"n": {"type": "array", "items": {"type": "integer"}}},
    {"n": {"type": "integer", "minimum": 2**60}}, {"n": {"type": "object"}},
])  # fmt: skip
def test_an_integer_has_64_bits_wherever_it_stands(fields: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": fields}
    gate = Gate(ContractSet(events={"x": {1: EventContract("x", 1, schema)}}))
    wrap = {"array": lambda n: [n], "object": lambda n: {"deep": {"n": n}}}.get(fields["n"].get("type"), lambda n: n)

    def read(n: int) -> Any:
        line = json.dumps({"id": "1", "source": "s", "type": "x", "data": {"n": wrap(n)}}).encode()
        return gate.read(line, NOW_MS)

    assert len(read(2**63 - 1).events) == 1
    for n in (2**63, 2**64, 10**40):
        ((_, refused),) = read(n).refused
        assert refused.reasons[0].rule == "int64"
        assert refused.reasons[0].pointer.startswith("/data/n")


def test_an_integer_that_an_earlier_release_took_is_read_as_the_nearest_that_can_be_held() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    gate = Gate(ContractSet(events={"x": {1: EventContract("x", 1, schema)}}))
    small = b'{"id":"1","source":"s","type":"x","time":1,"data":{"n":5}}'
    notes = gate.notes(gate.read(small, NOW_MS).events)
    (event,) = gate.reread(small.replace(b"5", b"18446744073709551616"), notes, 0)
    assert event.data.n == 2**63 - 1
