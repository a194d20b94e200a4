"""The arguments of a handler: an object spread over names, and each made to what its annotation names."""

import dataclasses
import enum
import inspect
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import BaseModel

from aob.core.rules import FIRST_RULES
from aob.ports.workers import Job
from aob.work import WorkError, node
from aob.work.arguments import parameters_of
from aob.work.outcome import finished
from tests.work import handlers_cpu
from tests.work.jobs import calls
from tests.work.test_function import fault_of, output_of


class Order(BaseModel):
    id: int
    amount: Decimal = Decimal(0)


@dataclasses.dataclass
class Place:
    city: str
    zip: str | None = None


class Colour(enum.Enum):
    RED = "red"


class Foreign:
    """A type that no library here knows."""


def whole(handler: str, value: Any) -> Job:
    """A job without an input map: `value` is what the node before it gave."""
    return calls(handler, value, named=False)


@node
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@node
async def total(amount: float, rate: float = 2.0) -> float:
    return amount * rate


@node
async def keys(value: dict[str, Any]) -> list[str]:
    return sorted(value)


@node
async def open_names(first: int, **rest: Any) -> dict[str, Any]:
    return {"first": first, **rest}


@node
async def modelled(order: Order) -> Any:
    assert isinstance(order, Order)
    return order


@node
async def many(orders: list[Order], place: Place | None = None) -> Any:
    return [len(orders), place]


@node
def in_thread(place: Place, colour: Colour = Colour.RED) -> Any:
    assert isinstance(place, Place)
    assert isinstance(colour, Colour)
    return {"place": place, "colour": colour}


@node
async def foreign(thing: Foreign) -> Any:
    return thing


async def test_an_object_goes_by_name_to_a_handler_with_a_plain_parameter() -> None:
    assert await output_of(whole("greet", {"name": "Ada", "age": 36}), greet) == "Hello, Ada!"
    assert await output_of(whole("greet", "Ada"), greet) == "Hello, Ada!"


async def test_an_object_goes_by_name_to_a_handler_with_several_parameters() -> None:
    assert await output_of(whole("total", {"amount": 3, "other": 1}), total) == 6.0
    assert await output_of(whole("open_names", {"first": 1, "x": 2}), open_names) == {"first": 1, "x": 2}


async def test_an_object_goes_whole_to_a_parameter_that_takes_one() -> None:
    assert await output_of(whole("keys", {"b": 1, "a": 2}), keys) == ["a", "b"]
    assert await output_of(whole("foreign", {"a": 1}), foreign) == {"a": 1}
    assert await output_of(whole("modelled", {"id": 1, "amount": "2.50"}), modelled) == {"id": 1, "amount": "2.50"}


async def test_models_and_dataclasses_are_made_and_taken_where_they_run() -> None:
    place = {"city": "Jena", "zip": None}
    assert await output_of(calls("many", {"orders": [{"id": 1}], "place": {"city": "Jena"}}), many) == [1, place]
    assert await output_of(calls("in_thread", {"place": {"city": "Jena"}}), in_thread) == {
        "place": place,
        "colour": "red",
    }
    assert await output_of(whole("label", {"text": "a", "at": "2026-01-02T00:00:00Z"}), handlers_cpu.label) == {
        "text": "a",
        "year": 2026,
    }


@pytest.mark.parametrize(
    ("job", "handler", "words"),
    [
        (whole("greet", {"name": 7}), greet, "greet() argument `name`: Expected `str`, got `int`"),
        (calls("total", {"amount": "3"}), total, "argument `amount`: Expected `float`, got `str`"),
        (calls("modelled", {"order": {"id": "x"}}), modelled, "argument `order`: id: Input should be a valid integer"),
        (calls("many", {"orders": [{"id": 1}, {}]}), many, "argument `orders`: id: Field required"),
        (whole("in_thread", {"place": {}}), in_thread, "argument `place`: Object missing required field `city`"),
        (whole("label", {"text": 1, "at": "2026-01-02T00:00:00Z"}), handlers_cpu.label, "argument `text`: Expected"),
    ],
)
async def test_an_argument_that_is_not_of_its_type_is_named(job: Job, handler: Any, words: str) -> None:
    fault = await fault_of(job, handler)
    assert words in fault.message
    assert fault.code == "argument_type"
    assert not fault.transient


async def test_a_name_that_the_object_lacks_is_named() -> None:
    fault = await fault_of(whole("greet", {"user": "Ada"}), greet)
    assert (fault.code, "'name'" in fault.message) == ("call_mismatch", True)


async def test_a_run_of_the_first_rules_hands_an_object_over_whole_and_unchecked() -> None:
    job = whole("greet", {"name": "Ada"})
    job.task = replace(job.task, rules=FIRST_RULES)
    assert await output_of(job, greet) == "Hello, {'name': 'Ada'}!"
    job = calls("greet", {"name": 7})
    job.task = replace(job.task, rules=FIRST_RULES)
    assert await output_of(job, greet) == "Hello, 7!"


def spread(fn: Any) -> bool:
    return parameters_of(fn, inspect.signature(fn)).spread


def test_what_is_spread_over_names() -> None:
    def plain(a: int | None) -> None: ...
    def literal(a: Literal["x", "y"]) -> None: ...
    def listed(a: list[dict[str, int]]) -> None: ...
    def annotated(a: Annotated[str, msgspec.Meta(max_length=3)]) -> None: ...
    def bare(a) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
    def mapped(a: dict[str, int] | None) -> None: ...
    def placed(a: Place) -> None: ...
    def either(a: Order | str) -> None: ...
    def anything(a: object) -> None: ...
    def with_rest(a: str, *rest: str) -> None: ...
    def by_position(a: str, /) -> None: ...
    def with_ctx(ctx: Any, a: str) -> None: ...
    def two(a: Any, b: Any = None) -> None: ...

    assert all(map(spread, (plain, literal, listed, annotated, with_ctx, two)))
    assert not any(map(spread, (bare, mapped, placed, either, anything, with_rest, by_position)))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_either_fits_a_type_or_is_an_argument_error(value: Any) -> None:
    def taken(
        a: int, b: Decimal, c: datetime, d: UUID, e: Colour, f: set[int], g: bytes, h: Order, i: Place
    ) -> None: ...

    parameters = parameters_of(taken, inspect.signature(taken))
    for name in "abcdefghi":
        try:
            parameters.made((), {name: value})
        except ValueError as error:
            assert f"`{name}`" in str(error)  # noqa: PT017


def test_what_types_become_in_json() -> None:
    given = {"d": Decimal("1.50"), "t": datetime(2026, 1, 2, tzinfo=UTC), "u": UUID(int=1), "e": Colour.RED, "b": b"hi"}
    assert finished(given).output == {
        "d": "1.50",
        "t": "2026-01-02T00:00:00Z",
        "u": "00000000-0000-0000-0000-000000000001",
        "e": "red",
        "b": "aGk=",
    }
    assert finished({3, 1, 2}).output == [1, 2, 3]
    assert finished([Order(id=1)]).output == [{"id": 1, "amount": "0"}]


@dataclasses.dataclass
class Measured:
    value: float
    note: str | None = None


def test_a_number_that_json_lacks_is_found_inside_a_dataclass() -> None:
    with pytest.raises(WorkError, match="/0/value is nan"):
        finished([Measured(math.nan)])
    assert finished([Measured(1.0)]).output == [{"value": 1.0, "note": None}]
