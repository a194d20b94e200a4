"""The types of events: a module that Python reads, whose models take what the gate takes and refuse what it refuses."""

from typing import Any

import pytest

from aob.core.contract import read_contracts
from aob.core.contract.types import types_of
from aob.core.contract_model import ContractSet
from aob.core.ingest import Gate
from aob.core.ingest.judge import schema_reasons

TEXT = """
event: order.created
version: 1
description: An order with a "quoted" word and a \\\\ in it.
fields:
  order_id: {type: string, minLength: 1}
  amount: {type: number, minimum: 0}
  items: {type: integer}
  region: {enum: [north, south]}
  placed: {type: string, format: date-time, optional: true}
  note: {type: [string, "null"], optional: true, description: what was said}
  tags: {type: array, items: {type: string}, maxItems: 3, optional: true}
  class: {type: string, optional: true}
  "unit price": {type: number, optional: true}
  model_name: {type: string, optional: true}
  address: {type: object, optional: true, properties: {street: {type: string}, zip: {type: string, pattern: "^[0-9]+$"}}, required: [street]}
  lines: {type: array, optional: true, items: {type: object, properties: {sku: {type: string}}, required: [sku]}}
---
event: order.created
version: 2
fields: {order_id: string}
---
event: second-thing
version: 1
schema: {type: object}
"""  # noqa: E501
GOOD: list[dict[str, Any]] = [
    {"order_id": "a", "amount": 1, "items": 2, "region": "north"},
    {"order_id": "a", "amount": 0.5, "items": 2, "region": "south", "placed": "2026-01-01T10:00:00Z", "note": None,
     "tags": ["x"], "class": "y", "unit price": 2.5, "model_name": "m", "address": {"street": "s", "zip": "123"},
     "lines": [{"sku": "1"}]},
]  # fmt: skip
BAD: list[dict[str, Any]] = [
    {"amount": 1, "items": 2, "region": "north"},
    {**GOOD[0], "amount": -1}, {**GOOD[0], "items": 2.5}, {**GOOD[0], "region": "west"}, {**GOOD[0], "order_id": ""},
    {**GOOD[0], "tags": ["a", "b", "c", "d"]}, {**GOOD[0], "address": {"zip": "1"}}, {**GOOD[0], "lines": [{}]},
    {**GOOD[0], "address": {"street": "s", "zip": "x"}},
]  # fmt: skip


@pytest.fixture
def contracts() -> ContractSet:
    return read_contracts({"a.yaml": TEXT})


def module(contracts: ContractSet, **how: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"__name__": "made"}
    exec(compile(types_of(contracts, **how), "made.py", "exec"), made)
    return made


def test_models_take_what_the_schema_takes(contracts: ContractSet) -> None:
    pydantic = pytest.importorskip("pydantic")
    made = module(contracts, pydantic=True)
    model = made["OrderCreatedV1"]
    contract = contracts.events["order.created"][1]
    for data in GOOD:
        assert schema_reasons(contract, data) == []
        told = model.model_validate(data).model_dump(by_alias=True, exclude_unset=True, mode="json")
        assert {name: told[name] for name in data} == data
    for data in BAD:
        assert schema_reasons(contract, data) != []
        with pytest.raises(pydantic.ValidationError):
            model.model_validate(data)
    assert {"OrderCreatedV2", "SecondThing", "OrderCreatedV1Address", "OrderCreatedV1LinesItem"} <= made.keys()


def test_typed_dicts_need_no_library(contracts: ContractSet) -> None:
    text = types_of(contracts)
    assert "pydantic" not in text
    made = module(contracts)
    assert made["OrderCreatedV2"].__required_keys__ == {"order_id"}
    assert "unit price" in made["OrderCreatedV1"].__optional_keys__


def test_the_same_contracts_give_the_same_text(contracts: ContractSet) -> None:
    assert types_of(contracts, pydantic=True) == types_of(read_contracts({"b.yaml": TEXT}), pydantic=True)
    assert Gate(contracts) is not None
