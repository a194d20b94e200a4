"""Entities: the later write by event time holds, now and at any instant, whatever the order of arrival."""

import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.accepted_event import Event
from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.errors import NotFound
from aob.core.metric.entity import CHANGES_MAX, Entities, EntityState, Read

ORDER = EventContract(
    "order.changed", 1, {},
    entities=(
        EntityMove(
            "order", "data.order", {"status": "data.status", "amount": "data.amount"}, "data.gone", "data.counts"
        ),
        EntityMove("customer", "data.customer", {"last": "data.order"}),
    ),
)  # fmt: skip
CONTRACTS = ContractSet(events={"order.changed": {1: ORDER}})


def reader(texts: Sequence[str], contract: EventContract) -> Read:
    """A stand-in for the reading of expressions: fields of `data`, true and false, and nothing else."""

    def told(text: str, event: Event) -> object:
        if text in ("true", "false"):
            return text == "true"
        value = event.data.get(text.removeprefix("data."), msgspec.UNSET)
        return msgspec.UNSET if value == "fault" else value

    return lambda event: tuple(told(text, event) for text in texts)


drawn = st.fixed_dictionaries(
    {
        "at_ms": st.integers(0, 40),
        "order": st.sampled_from(["o1", "o2", 7, None]),
        "customer": st.sampled_from(["c", ""]),
        "status": st.sampled_from(["new", "paid", "fault"]),
        "gone": st.sampled_from([False, False, False, True]),
        "counts": st.sampled_from([True, True, False]),
    },
    optional={"amount": st.integers(0, 3)},
)


def events_of(rows: list[dict[str, object]]) -> list[Event]:
    """Events as the log holds them: offsets in their order."""
    return [
        Event(str(offset), "s", "order.changed", data=row, at_ms=int(str(row["at_ms"])), offset=offset)
        for offset, row in enumerate(rows)
    ]


streams = st.lists(drawn, max_size=30).map(events_of)
SILENT = {"at_ms": 30, "order": "o1", "customer": "", "status": "fault", "gone": False, "counts": True}
long_streams = st.lists(drawn.map(lambda row: {**row, "order": "o1", "counts": True}), min_size=6, max_size=12).map(
    lambda rows: events_of([*rows, *[SILENT] * CHANGES_MAX])
)
"""Streams of which one entity keeps only a part one by one, and most of what that part says lies in the rest."""


def recount(events: Iterable[Event], type: str, id: str, at_ms: int = 1_000) -> EntityState:
    """The state of an entity, written down the plain way: all events in order of time, one after the other."""
    exists, state, changed = False, dict[str, object](), None
    for event in sorted(events, key=lambda event: (event.at_ms, event.offset)):
        data = event.data
        if event.at_ms > at_ms:
            break
        if type == "customer" and data["customer"] == id:
            exists, changed = True, event.at_ms
            state["last"] = data["order"]
        if type == "order" and data["counts"] and data["order"] is not None and str(data["order"]) == id:
            changed, exists = event.at_ms, not data["gone"]
            if data["gone"]:
                state = {}
            else:
                state |= {name: data[name] for name in ("status", "amount") if data.get(name, "fault") != "fault"}
    return EntityState(type, id, exists, state, changed)


def folded(events: Iterable[Event]) -> Entities:
    """What the entities are after some events."""
    entities = Entities(CONTRACTS, reader)
    entities.add(events)
    return entities


NAMES = [("order", "o1"), ("order", "o2"), ("order", "7"), ("customer", "c")]


@given(streams | long_streams, st.integers(0, 10**9).map(random.Random))
def test_states_in_any_order_are_what_a_recount_gives(events: list[Event], dice: random.Random) -> None:
    want = [recount(events, *name) for name in NAMES]
    mixed = list(events)
    dice.shuffle(mixed)
    assert [folded(events).state(*name) for name in NAMES] == want
    assert [folded(mixed).state(*name) for name in NAMES] == want
    assert dict(folded(mixed).pages(full=True)).keys() == dict(folded(events).pages(full=True)).keys()
    assert [folded(mixed).history(*name) for name in NAMES] == [folded(events).history(*name) for name in NAMES]


@given(streams | long_streams, st.integers(0, 10**9).map(random.Random), st.integers(-1, 41))
def test_an_instant_is_what_was_true_then_or_is_said_to_lie_too_far_back(
    events: list[Event], dice: random.Random, at_ms: int
) -> None:
    mixed = list(events)
    dice.shuffle(mixed)
    entities = folded(mixed)
    for name in NAMES:
        found = entities.as_of(*name, at_ms)
        _, complete = entities.history(*name)
        assert found is not None or not complete
        if found is not None:
            assert found == recount(events, *name, at_ms)
        else:
            assert folded(event for event in mixed if event.at_ms <= at_ms).state(*name) == recount(
                events, *name, at_ms
            )


@given(long_streams, st.integers(0, 60))
def test_what_is_read_back_goes_on_as_if_nothing_had_been(events: list[Event], cut: int) -> None:
    first, again = folded(events[:cut]), Entities(CONTRACTS, reader)
    pages = dict(first.pages())
    assert dict(first.pages()) == {}
    again.load(pages)
    assert len(again) == len(first)
    assert again.add(events[cut:]) == first.add(events[cut:])
    assert dict(again.pages()) == dict(first.pages())
    assert dict(again.pages(full=True)) == dict(first.pages(full=True)) == dict(folded(events).pages(full=True))


def test_events_say_which_entities_they_changed() -> None:
    row: dict[str, object] = {
        "at_ms": 5,
        "order": "o1",
        "customer": "c",
        "status": "new",
        "gone": False,
        "counts": True,
    }
    entities = Entities(CONTRACTS, reader)
    assert entities.add(events_of([row])) == {("order", "o1"), ("customer", "c")}
    assert entities.types == {"order", "customer"}
    changes, complete = entities.history("order", "o1")
    assert [(change.stamp, change.type, change.set) for change in changes] == [
        ((5, 0, 0), "order.changed", {"status": "new"})
    ]
    assert complete


def test_an_unknown_id_does_not_exist_and_an_unknown_type_is_refused() -> None:
    entities = Entities(CONTRACTS, reader)
    assert entities.state("order", "nobody") == EntityState("order", "nobody", False, {}, None)
    with pytest.raises(NotFound, match="'ship'"):
        entities.state("ship", "o1")


def many(count: int) -> list[Event]:
    """One change of each of many orders."""
    row = {"customer": "", "status": "new", "gone": False, "counts": True}
    return events_of([row | {"at_ms": number, "order": f"o{number}"} for number in range(count)])


def test_one_entity_keeps_a_bounded_number_of_changes() -> None:
    row: dict[str, object] = {"order": "o1", "customer": "", "status": "new", "gone": False, "counts": True}
    entities = Entities(CONTRACTS, reader)
    entities.add(events_of([row | {"at_ms": number} for number in range(500)]))
    changes, complete = entities.history("order", "o1")
    assert (len(changes), complete) == (CHANGES_MAX, False)
    assert entities.as_of("order", "o1", 400) is None


def test_two_tenants_share_nothing() -> None:
    one, other = folded(many(3)), Entities(CONTRACTS, reader)
    assert one.state("order", "o1").exists
    assert not other.state("order", "o1").exists
    assert dict(other.pages()) == {}
