"""Contracts give the views that SQL may ask: names that never collide, columns with the types of the schemas."""

import pytest

from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.serving import INSTANT, View, views_of


def contract(type: str, version: int = 1, entities: tuple[EntityMove, ...] = (), **properties: object) -> EventContract:
    return EventContract(type, version, {"type": "object", "properties": properties}, entities=entities)


def views(*contracts: EventContract) -> dict[str, View]:
    events: dict[str, dict[int, EventContract]] = {}
    for each in contracts:
        events.setdefault(each.type, {})[each.version] = each
    return views_of(ContractSet(events=events))


def columns(view: View) -> dict[str, str]:
    return {column.name: column.type for column in view.columns}


def test_without_contracts_there_are_events_dead_letters_and_metrics() -> None:
    assert set(views()) == {"events", "deadletters", "metrics"}


def test_a_type_gets_a_view_whose_columns_have_the_types_of_its_schema() -> None:
    found = views(
        contract(
            "order.created",
            amount={"type": "number"}, items={"type": "integer"}, paid={"type": "boolean"}, name={"type": "string"},
            at={"type": "string", "format": "date-time"}, day={"type": "string", "format": "date"},
            tags={"type": "array"}, note={"type": ["string", "null"]}, odd={"type": ["string", "integer"]},
            size={"enum": ["s", "m"]}, any=True,
        )
    )  # fmt: skip
    assert found["order_created"].of == "order.created"
    told = columns(found["order_created"])
    assert {name: told[name] for name in list(told)[6:-1]} == {
        "amount": "DOUBLE", "items": "BIGINT", "paid": "BOOLEAN", "name": "VARCHAR", "at": INSTANT, "day": "DATE",
        "tags": "JSON", "note": "VARCHAR", "odd": "JSON", "size": "VARCHAR", "any": "JSON",
    }  # fmt: skip


def test_versions_share_a_view_whose_columns_hold_the_values_of_all() -> None:
    found = views(
        contract("a", 1, n={"type": "integer"}, m={"type": "integer"}, old={"type": "string"}),
        contract("a", 2, n={"type": "number"}, m={"type": "string"}, new={"type": "boolean"}),
    )
    told = columns(found["a"])
    assert (told["n"], told["m"], told["old"], told["new"]) == ("DOUBLE", "JSON", "VARCHAR", "BOOLEAN")


def test_a_field_that_is_named_like_a_column_keeps_its_name_behind_data() -> None:
    found = views(contract("a", id={"type": "string"}, Time={"type": "string"}, data_id={"type": "string"}))
    fields = {column.name: column.field for column in found["a"].columns if column.field}
    assert fields["data_id"] == "id"
    assert fields["data_time"] == "Time"
    assert sorted(fields.values()) == ["Time", "data_id", "id"]
    assert len({name.lower() for name in fields}) == 3


@pytest.mark.parametrize(
    "types",
    [("a.b", "a_b"), ("events",), ("deadletters", "metrics"), ("entities.order",), ("duckdb.settings",), ("Ä", "Ö")],
)
def test_names_never_collide_and_are_never_those_of_others(types: tuple[str, ...]) -> None:
    found = views(*(contract(type) for type in types))
    by_type = {view.of: name for name, view in found.items() if view.kind == "type"}
    assert set(by_type) == set(types)
    assert len(found) == 3 + len(types)
    assert not any(name.startswith(("entities_", "duckdb_")) for name in by_type.values())
    assert all(name == name.lower() and name.isidentifier() for name in by_type.values())


def test_an_entity_gets_its_state_and_its_history() -> None:
    move = EntityMove(
        "order", "data.order_id", {"status": "'placed'", "amount": "data.amount", "big": "data.amount > 1.0"}
    )
    found = views(contract("order.created", entities=(move,), order_id={"type": "string"}, amount={"type": "number"}))
    told = columns(found["entities_order"])
    assert told["id"] == "VARCHAR"
    assert told["status"] == "VARCHAR"
    assert told["amount"] == "DOUBLE"
    assert list(told)[-1] == "changed_at"
    assert columns(found["entities_order_history"])["changed"] == "JSON"


def test_attributes_of_several_events_are_told_together() -> None:
    one = contract(
        "a", entities=(EntityMove("thing", "data.id", {"x": "data.x", "changed_at": "data.x"}),), x={"type": "integer"}
    )
    two = contract("b", entities=(EntityMove("thing", "data.id", {"x": "'no'", "y": "true"}),))
    told = columns(views(one, two)["entities_thing"])
    assert told == {
        "id": "VARCHAR", "x": "JSON", "data_changed_at": "BIGINT", "y": "BOOLEAN", "changed_at": INSTANT,
    }  # fmt: skip
