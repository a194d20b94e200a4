"""Answers of the protocol, as its published description says, and what other registries were reported for."""

import json
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.errors import Conflict, Invalid, Refused
from aob.core.policy import LOCAL, Caller
from aob.core.rules import DECLARED_RULES
from aob.core.verbs.organisation import record_verbs
from tests.metrics.registry.conftest import Registry

ORDER = '{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}'
MORE = '{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"n","type":"int","default":0}]}'
LESS = '{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}'
EVENT = "event: order.created\nfields: {id: string, amount: number}\n"


def of_order(fields: dict[str, Any], *required: str) -> str:
    return json.dumps({"type": "object", "properties": fields, "required": list(required)})


async def test_what_is_read_of_a_subject_and_of_a_schema(registry: Registry) -> None:
    assert await registry.register("orders-value", ORDER) == 1
    assert await registry.register("orders-value", MORE) == 2
    assert await registry.register("other-value", ORDER) == 1, "the same schema has the same id"
    status, told = await registry("GET", "/subjects/orders-value/versions/1")
    assert (status, told.pop("guid")[8]) == (200, "-")
    assert told == {"subject": "orders-value", "version": 1, "id": 1, "schema": ORDER}
    assert await registry("GET", "/subjects/orders-value/versions") == (200, [1, 2])
    assert (await registry("GET", "/subjects/orders-value/versions/latest"))[1]["version"] == 2
    assert (await registry("GET", "/subjects/orders-value/versions/-1"))[1]["version"] == 2
    assert await registry("GET", "/subjects/orders-value/versions/1/schema") == (200, json.loads(ORDER))
    assert await registry("GET", "/schemas/ids/1/schema") == (200, json.loads(ORDER))
    assert await registry("GET", "/schemas/ids/1/subjects") == (200, ["orders-value", "other-value"])
    assert await registry("GET", "/schemas/ids/2/versions") == (200, [{"subject": "orders-value", "version": 2}])
    guid = (await registry("GET", "/schemas/ids/2"))[1]["guid"]
    assert (await registry("GET", f"/schemas/guids/{guid}"))[1]["id"] == 2
    assert await registry("GET", f"/schemas/guids/{guid}/ids") == (200, [{"context": ".", "id": 2}])
    assert (await registry("GET", "/v1/metadata/id"))[1]["id"] == "default"
    assert await registry("GET", "/subjects", subjectPrefix="oth") == (200, ["other-value"])
    assert await registry("GET", "/subjects", offset=1, limit=5) == (200, ["other-value"])
    assert [each["id"] for each in (await registry("GET", "/schemas", latestOnly="true"))[1]] == [2, 1]
    assert await registry("GET", "/schemas/types") == (200, ["JSON", "PROTOBUF", "AVRO"])
    assert await registry("GET", "/contexts") == (200, ["."])
    assert await registry("GET", "") == await registry("GET", "/") == (200, {})
    assert (await registry("GET", "/associations/resources/-/orders", resourceType="topic"))[0] == 404
    assert await registry("GET", "/subjects/:.:orders-value/versions") == (200, [1, 2])


REFUSED: list[tuple[str, str, Any, tuple[int, int]]] = [
    ("GET", "/subjects/none/versions", None, (404, 40401)),
    ("GET", "/subjects/orders-value/versions/9", None, (404, 40402)),
    ("GET", "/subjects/orders-value/versions/zero", None, (422, 42202)),
    ("GET", "/subjects/orders-value/versions/0", None, (422, 42202)),
    ("GET", "/subjects/:.other:x/versions", None, (422, 42208)),
    ("POST", "/subjects/orders-value", {"schema": MORE}, (404, 40403)),
    ("POST", "/subjects/none", {"schema": MORE}, (404, 40401)),
    ("POST", "/subjects/orders-value/versions", {"schema": "{"}, (422, 42201)),
    ("POST", "/subjects/orders-value/versions", {"schema": LESS}, (409, 409)),
    ("POST", "/subjects/orders-value/versions", {"schema": "{}", "schemaType": "JSON"}, (409, 409)),
    ("POST", "/subjects/orders-value/versions", {"schema": "{}", "schemaType": "XML"}, (422, 42201)),
    ("POST", "/subjects/orders-value/versions", {"schema": MORE, "ruleSet": {"domainRules": [{}]}}, (422, 42201)),
    ("POST", "/subjects/orders-value/versions", {"schema": MORE, "id": 7}, (422, 42205)),
    ("POST", "/subjects/orders-value/versions", {"text": ""}, (400, 400)),
    ("POST", "/compatibility/subjects/orders-value/versions/9", {"schema": MORE}, (404, 40402)),
    ("PUT", "/config", {"compatibility": "SOME"}, (422, 42203)),
    ("PUT", "/config", {}, (422, 42203)),
    ("PUT", "/config", {"compatibility": "FULL", "alias": "x"}, (422, 42203)),
    ("GET", "/schemas/guids/none/ids", None, (404, 40403)),
    ("GET", "/config/orders-value", None, (404, 40408)),
    ("PUT", "/mode", {"mode": "SOME"}, (422, 42204)),
    ("PUT", "/mode", {"mode": "IMPORT"}, (422, 42205)),
    ("GET", "/mode/orders-value", None, (404, 40409)),
    ("DELETE", "/subjects/none", None, (404, 40401)),
    ("DELETE", "/subjects/orders-value/versions/9", None, (404, 40402)),
    ("GET", "/nothing", None, (404, 404)),
    ("PATCH", "/subjects", None, (405, 40501)),
]


async def test_what_is_refused_has_a_code_of_the_protocol(registry: Registry) -> None:
    await registry.register("orders-value", ORDER)
    for method, path, body, told in REFUSED:
        status, answer = await registry(method, path, body)
        assert (status, answer["error_code"]) == told, (method, path)
        assert answer["message"]


async def test_deletion_is_soft_and_then_for_good_and_ids_are_never_given_twice(registry: Registry) -> None:
    await registry.register("a-value", ORDER)
    await registry.register("a-value", MORE)
    path = "/subjects/a-value"
    assert (await registry("DELETE", path, permanent="true"))[1]["error_code"] == 40405
    assert (await registry("DELETE", f"{path}/versions/1", permanent="true"))[1]["error_code"] == 40407
    assert await registry("DELETE", f"{path}/versions/1") == (200, 1)
    assert (await registry("DELETE", f"{path}/versions/1"))[1]["error_code"] == 40406
    assert (await registry("GET", f"{path}/versions/1"))[0] == 404
    assert (await registry("GET", f"{path}/versions/1", deleted="true"))[0] == 200
    assert (await registry("GET", "/schemas/ids/1"))[1]["schema"] == ORDER, "who has records of it can read them"
    assert await registry("DELETE", path) == (200, [2])
    assert (await registry("DELETE", path))[1]["error_code"] == 40404
    assert await registry("GET", "/subjects") == (200, [])
    assert await registry("GET", "/subjects", deleted="true") == (200, ["a-value"])
    # what is deleted is compared with no longer, and a version that comes again has a new number and its old id
    assert await registry.register("a-value", LESS) == 3
    assert (await registry("GET", f"{path}/versions/latest"))[1]["version"] == 3
    assert await registry("DELETE", path) == (200, [3])
    assert await registry.register("a-value", ORDER) == 1
    assert await registry("GET", f"{path}/versions") == (200, [4])
    await registry("DELETE", path)
    assert await registry("DELETE", path, permanent="true") == (200, [1, 2, 3, 4])
    assert (await registry("GET", "/schemas/ids/2"))[1]["error_code"] == 40403
    assert await registry.register("a-value", MORE) == 2, "the same schema has the same id, also after all that"
    assert await registry("GET", f"{path}/versions") == (200, [1])
    assert await registry.register("b-value", '"int"') == 4


async def test_a_reference_to_the_newest_is_one_to_that_version_for_good(registry: Registry) -> None:
    customer = '{"type":"record","name":"Customer","fields":[{"name":"id","type":"string"}]}'
    await registry.register("customer", customer)
    order = '{"type":"record","name":"Order","fields":[{"name":"by","type":"Customer"}]}'
    refers = [{"name": "Customer", "subject": "customer", "version": -1}]
    id = await registry.register("orders-value", order, references=refers)
    assert (await registry("GET", f"/schemas/ids/{id}"))[1]["references"] == [{**refers[0], "version": 1}]
    more = customer.replace("]", ',{"name":"n","type":"int","default":0}]')
    await registry.register("customer", more)
    assert await registry.register("orders-value", order, references=refers) != id, "it means another customer now"
    assert await registry("GET", "/subjects/customer/versions/1/referencedby") == (200, [id])
    refused = await registry("DELETE", "/subjects/customer/versions/1")
    assert refused[1]["error_code"] == 42206


async def test_levels_and_modes_of_all_and_of_one(registry: Registry) -> None:
    await registry.register("a-value", ORDER)
    assert await registry("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD_TRANSITIVE"})
    assert await registry("PUT", "/config", {"compatibility": "full"}) == (200, {"compatibility": "FULL"})
    assert (await registry("GET", "/config/a-value", defaultToGlobal="true"))[1] == {"compatibilityLevel": "FULL"}
    assert await registry("PUT", "/config/a-value", {"compatibility": "NONE"}) == (200, {"compatibility": "NONE"})
    assert await registry.register("a-value", LESS) == 2
    assert await registry("DELETE", "/config/a-value") == (200, {"compatibilityLevel": "NONE"})
    assert await registry("DELETE", "/config") == (200, {"compatibilityLevel": "FULL"})
    assert await registry("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD_TRANSITIVE"})
    assert await registry("PUT", "/mode/a-value", {"mode": "READONLY"}) == (200, {"mode": "READONLY"})
    status, told = await registry("POST", "/subjects/a-value/versions", {"schema": '"int"'})
    assert (status, told["error_code"]) == (422, 42205)
    assert await registry("DELETE", "/mode/a-value") == (200, {"mode": "READONLY"})
    assert await registry("PUT", "/mode/new-value", {"mode": "IMPORT"}) == (200, {"mode": "IMPORT"})
    assert await registry.register("new-value", '"long"', id=70, version=3) == 70
    assert await registry("GET", "/subjects/new-value/versions") == (200, [3])
    status, told = await registry("POST", "/subjects/new-value/versions", {"schema": '"int"', "id": 70})
    assert (status, told["error_code"]) == (422, 42205)
    assert await registry.register("more-value", '"float"') == 71


async def test_compatibility_is_told_with_its_reasons(registry: Registry) -> None:
    await registry.register("a-value", ORDER)
    path = "/compatibility/subjects/a-value/versions"
    assert await registry("POST", path, {"schema": MORE}) == (200, {"is_compatible": True})
    assert await registry("POST", f"{path}/latest", {"schema": LESS}) == (200, {"is_compatible": False})
    _, told = await registry("POST", path, {"schema": LESS}, verbose="true")
    assert told == {"is_compatible": False, "messages": [
        "the new schema cannot read what version 1 wrote: "
        "/fields/0/type: what was written as string cannot be read as int",
    ]}  # fmt: skip
    assert (await registry("POST", "/compatibility/subjects/none/versions", {"schema": LESS}))[1]["is_compatible"]


async def test_an_event_contract_is_a_subject_and_both_ways_refuse_by_the_same_words(registry: Registry) -> None:
    home = registry.home
    await home.push_contracts({"shop.yaml": EVENT})
    status, told = await registry("GET", "/subjects/order.created/versions/latest")
    assert (status, told["schemaType"], json.loads(told["schema"])["required"]) == (200, "JSON", ["id", "amount"])
    same = {"schema": told["schema"], "schemaType": "JSON"}
    assert (await registry("POST", "/subjects/order.created/versions", same))[1]["version"] == 1
    number, text = {"type": "number"}, {"type": "string"}
    wider = of_order({"id": text, "amount": number, "note": text}, "id", "amount")
    assert await registry.register("order.created", wider, "JSON") == 2
    assert (await home.metrics.contract(LOCAL, "event", "order.created"))["version"] == 2, "it is a contract too"
    narrow = {"schema": of_order({"id": number, "amount": number}, "id"), "schemaType": "JSON"}
    compared = await registry("POST", "/compatibility/subjects/order.created/versions", narrow, verbose="true")
    assert compared[1]["is_compatible"] is False
    status, refused = await registry("POST", "/subjects/order.created/versions", narrow)
    assert (status, refused["error_code"]) == (409, 409)
    third = "event: order.created\nversion: 3\nfields: {id: number, amount: {type: number, optional: true}}\n"
    with pytest.raises(Conflict, match="id was") as pushed:
        await home.push_contracts({"shop.yaml": third})
    told = [each.removeprefix("event order.created@3: ") for each in pushed.value.fields["changes"]]
    assert any(each in refused["message"] for each in told)
    assert (await registry("DELETE", "/subjects/order.created"))[1]["error_code"] == 42205
    await registry.register("taken", '{"type":"object"}', "JSON")
    with pytest.raises(Invalid, match="is a subject of the registry"):
        await home.push_contracts({"shop.yaml": "event: taken\nfields: {id: string}\n"})


async def test_a_level_that_is_set_holds_for_pushes_of_contracts_too(registry: Registry) -> None:
    await registry.home.push_contracts({"shop.yaml": EVENT})
    second = (
        "event: order.created\nversion: 2\nfields: {id: string, amount: number, note: {type: string, optional: true}}\n"
    )
    await registry("PUT", "/config/order.created", {"compatibility": "BACKWARD"})
    with pytest.raises(Conflict, match="note"):  # an event of before may have had a note of another type
        await registry.home.push_contracts({"shop.yaml": second})
    await registry("DELETE", "/config/order.created")
    await registry.home.push_contracts({"shop.yaml": second})


async def test_a_reader_changes_nothing_by_the_verb_of_reads(registry: Registry) -> None:
    reader, body = Caller("default", "reader", frozenset({"view"})), json.dumps({"schema": ORDER})
    with pytest.raises(Refused):
        await registry.home.metrics.registry_read(reader, "register", {"subject": "a-value"}, {}, body)
    assert await registry("GET", "/subjects") == (200, [])


async def test_a_record_is_checked_before_it_is_appended(registry: Registry) -> None:
    verbs = registry.home.metrics
    await verbs.create_topic(LOCAL, "orders")
    await registry.register("orders-value", of_order({"id": {"type": "string"}}, "id"), "JSON")
    await registry.register("orders-paid", ORDER)
    good, wrong = {"type": "made", "data": {"id": "1"}}, {"type": "made", "data": {"id": 1}}
    assert len((await verbs.produce(LOCAL, "orders", records(good, {**good, "type": "paid"})))["records"]) == 2
    with pytest.raises(Invalid) as refused:
        await verbs.produce(LOCAL, "orders", records(good, wrong, {"type": "paid", "data": {}}))
    assert [(each.path, each.message) for each in refused.value.problems] == [
        ("/records/1/data", '/id: 1 is not of type "string"'),
        ("/records/2/data", "/: id is missing"),
    ]
    assert "aob schema show orders-paid" in refused.value.problems[1].hint
    assert len((await verbs.consume(LOCAL, "orders"))["records"]) == 2, "nothing of a refused request is appended"


def records(*given: dict[str, Any]) -> tuple[record_verbs.ProducedRecord, ...]:
    return tuple(record_verbs.ProducedRecord(each["type"], each["data"]) for each in given)


async def test_two_tenants_have_ids_and_subjects_of_their_own(registry: Registry) -> None:
    await registry.register("a-value", ORDER)
    who = Caller("other", "them", frozenset({"admin", "deploy", "view"}))
    key = (await registry.home.views.create_key(who, "them", ("deploy", "view")))["secret"]
    other = Registry(registry.home, registry.url.removesuffix("/registry"), key)
    assert await other("GET", "/subjects") == (200, [])
    assert (await other("GET", "/schemas/ids/1"))[0] == 404
    assert await other.register("b-value", '"int"') == 1
    await other("PUT", "/config", {"compatibility": "NONE"})
    await other.close()
    assert await registry("GET", "/config") == (200, {"compatibilityLevel": "BACKWARD_TRANSITIVE"})
    assert await registry("GET", "/subjects") == (200, ["a-value"])


async def test_nothing_is_registered_while_an_older_release_may_own_the_shard(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registry.register("a-value", ORDER)
    monkeypatch.setattr(registry.home.views.core, "newest_rules", lambda: DECLARED_RULES - 1)
    body = {"schema": ORDER, "schemaType": "AVRO"}
    assert (await registry("POST", "/subjects/a-value/versions", body))[0] == 200, "it is there"
    for method, path, given in (
        ("POST", "/subjects/b-value/versions", body), ("DELETE", "/subjects/a-value", None),
        ("PUT", "/config", {"compatibility": "NONE"}), ("PUT", "/mode/a-value", {"mode": "READONLY"}),
    ):  # fmt: skip
        status, told = await registry(method, path, given)
        assert status == 409, told
        assert "older release" in told["message"]
    assert await registry("GET", "/subjects") == (200, ["a-value"])


@pytest.mark.every_store
async def test_a_home_that_comes_again_has_the_same_table(tmp_path: Path) -> None:
    async def told(home: Any) -> Any:
        table = home.metrics.live.contracts.table("default")
        subjects = {
            name: [(v.version, v.id, v.deleted) for v in each.versions.values()]
            for name, each in table.subjects.items()
        }
        return subjects, table.level_of("b-value"), table.mode_of("a-value"), table.next_id, sorted(table.schemas)

    async with aob.open(tmp_path / "home") as home:
        ask = home.metrics.registry_write
        await home.push_contracts({"shop.yaml": EVENT})
        for subject, schema in (("a-value", ORDER), ("b-value", MORE), ("b-value", MORE)):
            body = json.dumps({"schema": schema})
            answer = await ask(home.who, "register", {"subject": subject}, {}, body)
            assert answer["status"] == 200, answer
        await ask(home.who, "remove_version", {"subject": "b-value", "version": "1"}, {})
        await ask(home.who, "set_level", {"subject": "b-value"}, {}, '{"compatibility":"FULL"}')
        await ask(home.who, "set_mode", {"subject": "a-value"}, {}, '{"mode":"READONLY"}')
        before = await told(home)
    async with aob.open(tmp_path / "home") as home:
        assert await told(home) == before
    assert before[0] == {"a-value": [(1, 2, False)], "b-value": [(1, 3, True)], "order.created": [(1, 1, False)]}
    assert before[1:4] == ("FULL", "READONLY", 4)
