"""The type of a task's parameters: a dataclass, a msgspec struct, a pydantic model, or none."""

from collections.abc import Callable
from typing import cast

import msgspec

from aob.core.answers import JsonValue
from aob.core.errors import Problem

PROBLEMS_MAX = 100


def typed(kind: object, parameters: JsonValue) -> object:
    """Parameters as their type. Raises what the type raises."""
    if kind is None:
        return parameters
    validate = getattr(kind, "model_validate", None)  # of a pydantic model
    found: object = (
        validate(parameters) if callable(validate) else msgspec.convert(parameters, cast("type[object]", kind))
    )
    return found


def checked(kind: object) -> Callable[[JsonValue], list[Problem]]:
    """A function that gives what is wrong with parameters."""

    def check(parameters: JsonValue) -> list[Problem]:
        try:
            typed(kind, parameters)
        except msgspec.ValidationError as error:
            text, _, place = str(error).partition(" - at `$")
            path = place.rstrip("`").replace("[...]", "").replace(".", "/").replace("[", "/").replace("]", "")
            return [Problem(f"/parameters{path}", text, "bad_parameters")]
        except ValueError as error:  # of a pydantic model, too
            errors = getattr(error, "errors", None)
            found = errors() if callable(errors) else [{"loc": (), "msg": str(error)}]
            return [
                Problem("/parameters" + "".join(f"/{part}" for part in each["loc"]), str(each["msg"]), "bad_parameters")
                for each in found[:PROBLEMS_MAX]
            ]
        except Exception as error:  # code of the application
            return [Problem("/parameters", f"{type(error).__name__}: {error}", "bad_parameters")]
        return []

    return check
