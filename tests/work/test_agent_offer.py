"""Handlers as tools: the schema of their arguments comes from the signature, and the hash names the exact version."""

from typing import Any, Literal

import jsonschema_rs
import msgspec
import pytest

from aob.work.agent.offer import offers, tool_of
from aob.work.handlers import HandlerTable, node, scan
from aob.work.job import Context, WorkError


class Address(msgspec.Struct):
    city: str
    zip: int = 0


@node(effect="keyed", version="1")
def send(
    id: int,
    to: Address,
    how: Literal["post", "drone"] = "post",
    *,
    tags: list[str] = [],  # noqa: B006
    ctx: Context | None = None,
) -> None:
    """Sends an order.

    More words.
    """


@node(version="1")
def loose(value, **more):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003, ANN201
    return value


@node(version="1")
def odd(value: "NowhereDefined") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Its type is known to nobody."""


@node(version="1")
def foreign(value: jsonschema_rs.ValidationError) -> None:
    """Its type has no schema."""


TABLE = scan(send, loose, odd, foreign)


def test_the_schema_follows_the_signature_and_leaves_ctx_out() -> None:
    tool = tool_of(TABLE["send"])
    assert (tool.name, tool.description) == ("send", "Sends an order.")
    assert set(tool.schema["properties"]) == {"id", "to", "how", "tags"}
    assert tool.schema["required"] == ["id", "to"]
    assert tool.schema["properties"]["id"] == {"type": "integer"}
    assert tool.schema["properties"]["how"]["default"] == "post"


@pytest.mark.parametrize(
    ("args", "fits"),
    [
        ({"id": 1, "to": {"city": "Ulm"}}, True),
        ({"id": 1, "to": {"city": "Ulm"}, "how": "drone", "tags": ["a"]}, True),
        ({"id": "1", "to": {"city": "Ulm"}}, False),
        ({"id": 1, "to": {"zip": 1}}, False),
        ({"id": 1, "to": {"city": "Ulm"}, "how": "boat"}, False),
        ({"id": 1, "to": {"city": "Ulm"}, "ctx": {}}, False),
        ({"id": 1}, False),
        ("id", False),
    ],
)
def test_arguments_are_held_to_the_schema(args: Any, fits: bool) -> None:
    assert bool(offers(["send"], TABLE)["send"].reasons(args)) is not fits


@pytest.mark.parametrize("name", ["odd", "foreign"])
def test_a_type_without_a_schema_takes_any_value(name: str) -> None:
    assert tool_of(TABLE[name]).schema["properties"] == {"value": {}}


def test_a_function_that_takes_any_name_says_so() -> None:
    tool = tool_of(TABLE["loose"])
    assert tool.schema["additionalProperties"] is True
    assert tool.description == "loose"


def test_the_hash_changes_with_the_version_the_effect_or_the_signature() -> None:
    def made(version: str = "1", effect: Any = "keyed", more: bool = False) -> str:
        if more:

            @node(name="f", version=version, effect=effect)
            def f(a: int, b: int) -> None: ...

        else:

            @node(name="f", version=version, effect=effect)
            def f(a: int) -> None: ...

        return tool_of(scan(f)["f"]).hash

    hashes = {made(), made(version="2"), made(effect="once"), made(more=True)}
    assert len(hashes) == 4
    assert made() in hashes


def test_all_missing_handlers_are_named() -> None:
    with pytest.raises(WorkError) as caught:
        offers(["a", "send", "b"], HandlerTable([TABLE["send"]]))
    assert caught.value.fault.detail["missing"] == ["a", "b"]
