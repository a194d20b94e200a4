"""Checks values against a JSON Schema, in linear time for patterns; rejects values that would take too many steps."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from aob.core.instant import is_moment
from aob.core.json_schema.bound import WORK_MAX, Bound, bound_of
from aob.core.json_schema.parts import Json, parts_of
from aob.core.json_schema.tag import tags_first
from aob.core.value import decode

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

CHECKERS_CACHED_MAX: Final = 1_024
FAULTS_WORK_MAX: Final = 200
"""Above this work an invalid value has one fault: the library keeps every fault of every alternative."""
FAULTS_FLAT_MAX: Final = 2_000


class Fault(msgspec.Struct, frozen=True):
    """A fault of a value: its path, message, schema location, the value, and missing or unknown names."""

    path: tuple[str | int, ...]
    message: str
    place: tuple[str, ...] = ()
    instance: Json = None
    missing: str = ""
    unexpected: tuple[str, ...] = ()


class Checker:
    """A compiled schema that checks values."""

    def __init__(self, schema: Json) -> None:
        parts = parts_of(schema)
        self.bound: Bound = bound_of(parts)
        self._validator = _validator(tags_first(schema, parts))
        bounded = self.bound.untold < 2 and self.bound.flat <= WORK_MAX
        self.is_valid = self._validator.is_valid if bounded else self._fits

    def _fits(self, value: Json) -> bool:
        """Whether a value fits; a value that would take too many steps does not."""
        return self.bound.work(value) <= WORK_MAX and self._validator.is_valid(value)

    def faults(self, value: Json) -> Iterator[Fault]:
        """The faults of a value; none when it fits."""
        work = self.bound.work(value)
        if work > WORK_MAX:
            words = "the value is nested too deeply for its schema, whose alternatives lead back to themselves"
            yield Fault((), f"{words}: it would take more than {WORK_MAX:,} steps", ("max_work",))
        elif self._validator.is_valid(value):
            return
        elif work > FAULTS_WORK_MAX or self.bound.flat > FAULTS_FLAT_MAX:
            yield Fault((), "the value fits none of the alternatives of its schema", ("anyOf",), value)
        else:
            yield from map(_fault, self._validator.iter_errors(value))


def _fault(found: "ValidationError") -> Fault:
    unexpected = getattr(found.kind, "unexpected", None)
    required = type(found.kind).__name__.endswith("Required")
    return Fault(
        tuple(found.instance_path),
        found.message,
        tuple(str(step) for step in found.schema_path if step not in ("if", "then", "else")),
        found.instance,
        str(getattr(found.kind, "property", "")) if required else "",
        tuple(map(str, unexpected)) if isinstance(unexpected, list) else (),
    )


def _validator(schema: Json) -> "Validator":
    import jsonschema_rs as rust  # 30 ms: only a process that meets a schema pays it

    options = rust.RegexOptions()
    formats = {"date-time": is_moment}
    return rust.validator_for(schema, formats=formats, offline=True, validate_formats=True, pattern_options=options)


class Unusable(msgspec.Struct, frozen=True):
    """Why a schema has no checker, and where in the schema."""

    path: tuple[str | int, ...]
    words: str


@lru_cache(maxsize=CHECKERS_CACHED_MAX)
def checker_of(schema: bytes) -> Checker | Unusable:
    """The checker of a schema in canonical JSON, or why there is none."""
    found = decode(schema)
    try:
        _validator(found)  # the original schema first, for its own messages and locations
        return Checker(found)
    except ValueError as error:
        path: Sequence[str | int] = getattr(error, "instance_path", ())
        return Unusable(tuple(path), str(error).partition("\n")[0])
