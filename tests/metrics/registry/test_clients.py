"""Clients of Confluent's package against a home: serializers of three languages, references, wrong keys and ids."""

import asyncio
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from aob.core.schema import check_record
from aob.core.schema.protobuf_text import proto_file
from tests.metrics.registry.conftest import Registry

AVRO = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"}]}'
JSON = '{"title":"Order","type":"object","properties":{"id":{"type":"string"}},"required":["id"]}'
VALUE, KEY = MessageField.VALUE, MessageField.KEY


def at(topic: str, field: Any = VALUE) -> SerializationContext:
    return SerializationContext(topic, field)


def messages() -> dict[str, Any]:
    """Classes of messages: an order that imports a customer, and what is declared in it."""
    pool = DescriptorPool()
    customer = proto_file('syntax = "proto3"; package shop; message Customer { string name = 1; }')
    order = proto_file(
        'syntax = "proto3"; package shop; import "customer.proto"; '
        "message Order { string id = 1; Customer customer = 2; message Inner { string name = 1; } }"
    )
    customer.name, order.name = "customer.proto", "order.proto"
    pool.Add(customer)
    pool.Add(order)
    found = pool.FindFileByName("order.proto").message_types_by_name["Order"]
    return {"Order": GetMessageClass(found), "Inner": GetMessageClass(found.nested_types_by_name["Inner"])}


async def test_serializers_of_three_languages_write_what_their_deserializers_and_our_check_read(
    registry: Registry,
) -> None:
    client, inner = registry.client(), messages()["Inner"]

    def all_of_it() -> dict[str, bytes]:
        made = {
            "avro": AvroSerializer(client, AVRO)({"id": "a"}, at("avro")),
            "key": AvroSerializer(client, '"long"')(7, at("avro", KEY)),
            "json": JSONSerializer(JSON, client)({"id": "a"}, at("json")),
            "proto": ProtobufSerializer(inner, client)(inner(name="x"), at("proto")),
        }
        assert AvroDeserializer(client)(made["avro"], at("avro")) == {"id": "a"}
        assert AvroDeserializer(client)(made["key"], at("avro", KEY)) == 7
        assert JSONDeserializer(JSON, schema_registry_client=client)(made["json"], at("json")) == {"id": "a"}
        assert ProtobufDeserializer(inner, {}, client)(made["proto"], at("proto")).name == "x"
        return made

    made = await registry.ask(all_of_it)
    table = registry.home.metrics.live.contracts.table("default")
    for topic in ("avro", "json", "proto"):
        checked = check_record(table, topic, "", made[topic])
        assert checked.reasons == (), topic
        assert checked.id > 0
    assert check_record(table, "avro", "", made["key"], key=True).subject == "avro-key"
    assert check_record(table, "avro", "", made["avro"][:-1]).reasons == ("/id: the bytes end too early",)
    assert await registry.ask(client.get_subjects) == [
        "avro-key", "avro-value", "customer.proto", "json-value", "proto-value",
    ]  # fmt: skip


async def test_a_message_of_protobuf_registers_what_it_imports_before_itself(registry: Registry) -> None:
    client = registry.client()
    order = messages()["Order"]
    made = order(id="1")
    made.customer.name = "Ada"
    raw = await registry.ask(lambda: ProtobufSerializer(order, client)(made, at("orders")))
    assert await registry.ask(lambda: ProtobufDeserializer(order, {}, client)(raw, at("orders"))) == made
    latest = await registry.ask(client.get_latest_version, "orders-value")
    assert [(each.name, each.subject, each.version) for each in latest.schema.references] == [
        ("customer.proto", "customer.proto", 1)
    ]
    checked = check_record(registry.home.metrics.live.contracts.table("default"), "orders", "", raw)
    assert (checked.subject, checked.reasons) == ("orders-value", ())


async def test_lookup_compatibility_levels_and_deletion(registry: Registry) -> None:
    client = registry.client()
    narrower = Schema(AVRO.replace('"string"', '"int"'), "AVRO")

    def ask() -> None:
        id = client.register_schema("orders-value", Schema(AVRO, "AVRO"))
        found = client.lookup_schema("orders-value", Schema(AVRO.replace(",", ", "), "AVRO"))
        assert (found.schema_id, found.version) == (id, 1)
        assert client.get_schema(id).schema_str == AVRO
        assert client.get_compatibility() == "BACKWARD_TRANSITIVE"
        assert client.test_compatibility("orders-value", narrower) is False
        with pytest.raises(SchemaRegistryError, match="cannot be read as int") as refused:
            client.register_schema("orders-value", narrower)
        assert (refused.value.http_status_code, refused.value.error_code) == (409, 409)
        client.set_compatibility("orders-value", "NONE")
        assert client.get_compatibility("orders-value") == "NONE"
        assert client.register_schema("orders-value", narrower) == id + 1
        assert client.get_versions("orders-value") == [1, 2]
        assert client.delete_version("orders-value", 1) == 1
        assert client.delete_subject("orders-value") == [2]
        assert client.get_subjects() == []
        assert client.delete_subject("orders-value", permanent=True) == [1, 2]

    await registry.ask(ask)


async def test_references_of_avro_and_json_are_followed(registry: Registry) -> None:
    client = registry.client()

    def ask() -> None:
        client.register_schema("customer", Schema(AVRO.replace("Order", "Customer"), "AVRO"))
        order = '{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"by","type":"shop.Customer"}]}'
        schema = Schema(order, "AVRO", [SchemaReference("shop.Customer", "customer", 1)])
        raw = AvroSerializer(client, schema)({"by": {"id": "c"}}, at("orders"))
        assert AvroDeserializer(client)(raw, at("orders")) == {"by": {"id": "c"}}
        client.register_schema("address", Schema('{"type":"string"}', "JSON"))
        letter = '{"type":"object","properties":{"to":{"$ref":"address.json"}}}'
        kept = Schema(letter, "JSON", [SchemaReference("address.json", "address", 1)])
        made = JSONSerializer(kept, client)({"to": "here"}, at("letters"))
        assert made[5:] == b'{"to":"here"}'
        with pytest.raises(SchemaRegistryError, match="references exist") as refused:
            client.delete_version("customer", 1)
        assert refused.value.error_code == 42206

    await registry.ask(ask)


async def test_a_wrong_key_an_unknown_id_and_a_reader_are_refused_in_the_form_of_the_protocol(
    registry: Registry,
) -> None:
    client = registry.client()
    reader = (await registry.home.views.create_key(registry.home.who, "reader", ("view",)))["secret"]

    def refused(function: Any, *given: Any) -> tuple[int, int]:
        with pytest.raises(SchemaRegistryError) as error:
            function(*given)
        return error.value.http_status_code, error.value.error_code

    def ask() -> list[tuple[int, int]]:
        nobody, other, reads = (
            registry.client("nobody"),
            registry.client(key="wrong"),
            registry.client("reader", reader),
        )
        assert reads.get_subjects() == []
        return [
            refused(client.get_schema, 7), refused(client.get_version, "none", 1),
            refused(client.get_latest_version, "none"),
            refused(nobody.get_subjects), refused(other.get_subjects),
            refused(reads.register_schema, "a-value", Schema(AVRO, "AVRO")),
            refused(reads.set_compatibility, None, "NONE"),
        ]  # fmt: skip

    told = await registry.ask(ask)
    assert told == [(404, 40403), (404, 40401), (404, 40401), (401, 40101), (401, 40101), (403, 40301), (403, 40301)]


async def test_a_bearer_and_many_clients_at_once_get_one_id_for_one_schema(registry: Registry) -> None:
    answers = await asyncio.gather(
        *(registry("POST", f"/subjects/s{n % 5}-value/versions", {"schema": AVRO}) for n in range(20))
    )
    assert {told["id"] for _, told in answers} == {1}
    registry.http.headers = {"authorization": f"Bearer {registry.key}"}  # type: ignore[assignment]  # of httpx
    assert (await registry("GET", "/schemas/ids/1/subjects"))[1] == [f"s{n}-value" for n in range(5)]
