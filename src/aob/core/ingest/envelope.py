"""Builds the struct that decodes a whole event of a contract, with the attributes of `Event`. No sender can write
`aobdepth`, `aobversion` or `data_base64` here: a line with one is judged individually. Fields that the gate fills in
(`at_ms enriched offset known`) have wire names with a character that the fast path rejects."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from aob.core.contract_model import EventContract
from aob.core.expression.library import Value
from aob.core.ingest.shape import Shape, shape_of
from aob.core.value import canonical

ID_CHARS_MAX: Final = 256
SOURCE_CHARS_MAX: Final = 512
DEPTH_MAX: Final = 16  # a record of this depth is refused: each effect of an effect counts one
OWN: Final = "\x7f"  # prefix of the wire names of the gate's own fields

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX)]
Source = Annotated[str, Meta(min_length=1, max_length=SOURCE_CHARS_MAX)]
Short = Annotated[str, Meta(max_length=SOURCE_CHARS_MAX)]
Time = float | Annotated[datetime, Meta(tz=True)]
Sequence = Annotated[int, Meta(ge=0)]
Depth = Annotated[int, Meta(ge=0, lt=DEPTH_MAX)]

_FIELDS: Final[tuple[Value, ...]] = (
    ("subject", Short, ""),
    ("producer", Id | UnsetType, UNSET),
    ("sequence", Sequence | UnsetType, UNSET),
    ("specversion", Literal["1.0"], "1.0"),
    ("datacontenttype", Literal["application/json"], "application/json"),
    ("correlationid", Short, ""),
    ("causationid", Short, ""),
    ("depth", Depth, 0),
    *((name, Literal["\x7f"], None) for name in ("aobdepth", "aobversion", "data_base64")),
    ("at_ms", int, 0),
    ("enriched", Value, None),
    ("offset", int, -1),
    ("known", bool, True),
)
ENVELOPE: Final = frozenset(("id", "source", "type", "time", "version", "data", *(field[0] for field in _FIELDS[:8])))
"""The attributes that the gate knows; others are kept only in the line."""


class Form(msgspec.Struct, frozen=True, eq=False):
    """How events of one version of a type are decoded: the struct of the event, the shape of its data, the struct of
    its enrichments (None: no enrichments)."""

    contract: EventContract
    shape: Shape
    event: Value
    enriched: Value


def form_of(contract: EventContract, *, newest: bool) -> Form:
    """The form of a contract, cached. The newest version may be omitted in events."""
    return _form(canonical(contract), newest)


_contract: Final = msgspec.json.Decoder(EventContract).decode


@lru_cache(maxsize=1_024)
def _form(raw: bytes, newest: bool) -> Form:
    contract = _contract(raw)
    shape = shape_of(contract.schema)
    number: Value = Literal.__getitem__(contract.version)
    version = ("version", number, contract.version) if newest else ("version", number)
    data = ("data", shape.type, None) if shape.type is Value else ("data", shape.type)
    event = msgspec.defstruct(
        "Received",
        [("id", Id), ("source", Source), ("time", Time, 0.0), version, data, *_FIELDS],
        tag_field="type", tag=contract.type, gc=False, kw_only=True, namespace={"type": contract.type},
        rename={name: OWN + name for name in ("at_ms", "enriched", "offset", "known")},
    )  # fmt: skip
    fields = [(name, Value) for name in (*contract.enrich, *contract.lookup)]
    enriched = msgspec.defstruct("Enriched", fields, array_like=True, gc=False) if fields else None
    return Form(contract, shape, event, enriched)
