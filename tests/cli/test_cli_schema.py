"""`aob schema` at a real home, as a newcomer types them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aob
from aob.server import create_app, serving
from tests.cli.conftest import Terminal

MODELS = """
import pydantic

class Item(pydantic.BaseModel):
    price: float

class Order(pydantic.BaseModel):
    id: str
    items: list[Item] = []
"""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Terminal]:
    async with aob.open(tmp_path / "home") as app:
        key = (await app.views.create_key(app.who, "ann", ["deploy", "view"]))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url:
            yield Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")})


async def test_a_schema_is_pushed_checked_listed_and_shown(desk: Terminal, tmp_path: Path) -> None:
    assert (await desk("schema", "list")).out == "no schemas: aob schema push FILE\n"
    file = tmp_path / "orders-value.avsc"
    file.write_text('{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}')
    assert (await desk("schema", "push", str(file))).out == "orders-value version 1, schema 1: new\n"
    assert (await desk("schema", "push", str(file))).out == "orders-value version 1, schema 1: as it was\n"
    file.write_text('{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}')
    checked = await desk("schema", "check", str(file))
    assert checked.code == 1
    assert "version 1 wrote: /fields/0/type: what was written as string cannot be read as int" in checked.out
    assert "orders-value: is not compatible (BACKWARD_TRANSITIVE)" in checked.out
    refused = await desk("schema", "push", str(file))
    assert (refused.code, "cannot be read as int" in refused.err) == (5, True)
    shown = await desk("schema", "show", "orders-value")
    assert shown.out.startswith("orders-value version 1, schema 1, AVRO\nversions 1, BACKWARD_TRANSITIVE\n{\n")
    assert "orders-value" in (await desk("schema", "list", "--prefix", "orders")).out
    assert (await desk("schema", "show", "order-value")).code == 3
    assert "did you mean `orders-value`" in (await desk("schema", "show", "order-value")).err


async def test_models_of_pydantic_and_references_are_pushed(desk: Terminal, tmp_path: Path) -> None:
    models = tmp_path / "models.py"
    models.write_text(MODELS)
    made = await desk("schema", "push", f"{models}:Order", "--topic", "orders", "--type", "created")
    assert made.out == "orders-created version 1, schema 1: new\n"
    models.write_text(MODELS.replace("id: str", "id: str\n    note: str = ''"))
    assert (await desk("schema", "check", f"{models}:Order", "--topic", "orders", "--type", "created")).code == 0
    shown = json.loads((await desk("schema", "show", "orders-created", "--json")).json["schema"])
    assert shown["$defs"]["Item"]["additionalProperties"] is shown["additionalProperties"] is False
    missing = await desk("schema", "push", f"{models}:Bill")
    assert (missing.code, "models: Item, Order" in missing.err) == (2, True)
    customer, order = tmp_path / "customer.proto", tmp_path / "order.proto"
    customer.write_text('syntax = "proto3"; message Customer { string id = 1; }')
    order.write_text('syntax = "proto3"; import "customer.proto"; message Order { Customer by = 1; }')
    assert (await desk("schema", "push", str(order))).code == 2
    assert (await desk("schema", "push", str(customer))).code == 0
    assert (await desk("schema", "push", str(order), "--ref", "customer.proto=customer@1")).code == 0
    assert "customer.proto: customer version 1" in (await desk("schema", "show", "order")).out
    assert (await desk("schema", "push", str(order), "--ref", "customer")).code == 2
    assert (await desk("schema", "push", str(tmp_path / "x.txt"))).code == 2
    assert (await desk("schema", "push", str(tmp_path / "x.json"))).code == 3
