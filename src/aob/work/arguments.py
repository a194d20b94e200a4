"""Converts a node's value to a handler's arguments: by name where the signature asks for it, as the annotated types.
msgspec converts JSON to dataclasses, structs, `Decimal`, `datetime`, `UUID`, `Enum`, sets and bytes, pydantic to its
models. An annotation that neither knows is ignored, and its argument passed unchanged."""

import collections.abc
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from aob.core.items import Items
from aob.work.job import WorkError, permanent

CONTEXT: Final = "ctx"  # the parameter that receives the Context

_TAKES_OBJECTS: Final = (dict, Any, object, collections.abc.Mapping, collections.abc.MutableMapping)
_AS_IT_IS: Final = frozenset({Any, object, inspect.Parameter.empty})
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_FLAT: Final = frozenset({str, int, float, bool, type(None), bytes})
_UNIONS: Final = (typing.Union, types.UnionType)


class ArgumentError(ValueError):
    """An argument that does not match its parameter's type."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"argument `{name}`: {why}")
        self.name = name

    def fault(self, handler: str, where: str) -> WorkError:
        """The failure of the attempt: permanent, because the same input never fits."""
        why = f"{handler}() {self}"
        hint = "mend what the node's `input` gives, or the parameter's annotation"
        return permanent(why, code="argument_type", handler=handler, where=where, argument=self.name, hint=hint)


class Parameters(msgspec.Struct, frozen=True, eq=False):
    """The parameters of a signature. `spread`: an object is passed by name. `first` is the parameter for a single
    value. `types` names those whose arguments are converted or checked, each with its type and whether that holds
    dataclasses."""

    names: frozenset[str]
    takes_any_name: bool
    spread: bool
    first: str
    types: Mapping[str, tuple[Any, bool]]

    def named(self, value: Mapping[str, object]) -> dict[str, object]:
        """The members of an object that have a parameter; the others are dropped."""
        if self.takes_any_name:
            return dict(value)
        return {name: value[name] for name in value if name in self.names}

    def made(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Convert arguments to the types of their parameters. Raises ArgumentError."""
        if not self.types:
            return args, named
        if args and self.first in self.types:
            args = (_made(self.first, *self.types[self.first], args[0]), *args[1:])
        return args, {
            name: _made(name, *self.types[name], value) if name in self.types else value
            for name, value in named.items()
        }


def parameters_of(fn: Callable[..., object], signature: inspect.Signature) -> Parameters:
    """A function's parameters, by its signature and its annotations."""
    hints = hints_of(fn)
    taken = [p for p in signature.parameters.values() if p.name != CONTEXT]
    named = [p for p in taken if p.kind in _NAMED]
    positional = [p for p in taken if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    takes_any_name = any(p.kind is p.VAR_KEYWORD for p in taken)
    only = hints.get(named[0].name, Any) if named else Any
    return Parameters(
        names=frozenset(p.name for p in named),
        takes_any_name=takes_any_name,
        spread=takes_any_name or len(named) > 1 or (len(named) == 1 and len(taken) == 1 and not _takes_object(only)),
        first=positional[0].name if positional else "",
        types={
            p.name: (hints[p.name], _holds_dataclass(hints[p.name]))
            for p in taken
            if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
            and hints.get(p.name, Any) not in _AS_IT_IS
            and _is_known(hints[p.name])
        },
    )


def hints_of(fn: Callable[..., object]) -> dict[str, Any]:
    """The annotations of a function as types; empty when some name exists only for a type checker."""
    target = inspect.unwrap(fn)
    while isinstance(target, functools.partial):
        target = target.func
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}


def _made(name: str, hint: Any, holds_dataclass: bool, value: Any) -> Any:
    try:
        made = msgspec.convert(_plain(value), hint, dec_hook=_foreign)
    except msgspec.ValidationError as error:
        raise ArgumentError(name, str(error).replace("`$.", "`").replace(" - at `$`", "")) from error
    return _with_defaults(made) if holds_dataclass else made


def _plain(value: Any) -> Any:
    """Convert the items of a map to the list that a type asks for."""
    if type(value) is Items:
        return list(value)
    if type(value) is dict and type(value.get("items")) is Items:
        return {**value, "items": list(value["items"])}
    return value


def _with_defaults(value: Any) -> Any:
    """msgspec leaves a dataclass's defaults on its class, so they are missing from its JSON: adds them."""
    if type(value) in _FLAT:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        for part in value:
            _with_defaults(part)
    elif isinstance(value, dict):
        for part in value.values():
            _with_defaults(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            part = getattr(value, field.name)
            _with_defaults(part)
            object.__setattr__(value, field.name, part)
    return value


def _foreign(hint: Any, value: Any) -> Any:
    """Convert to a type that msgspec does not know: makes a pydantic model, keeps an existing instance."""
    if is_model(hint):
        try:
            return hint.model_validate(value)
        except ValueError as error:  # pydantic's ValidationError is one
            raise ValueError(_model_problem(error)) from error
    return value


def is_model(hint: Any) -> bool:
    """Whether a type is a pydantic model, without importing pydantic."""
    return isinstance(hint, type) and callable(getattr(hint, "model_validate", None))


def _model_problem(error: ValueError) -> str:
    problems = getattr(error, "errors", None)
    if not callable(problems):
        return str(error)
    told = ("{}: {}".format(".".join(map(str, one["loc"])) or "value", one["msg"]) for one in problems()[:10])
    return "; ".join(told)


def _takes_object(hint: Any) -> bool:
    """Whether a parameter of this type may take a whole JSON object."""
    hint = _bare(hint)
    if typing.get_origin(hint) in _UNIONS:
        return any(_takes_object(part) for part in typing.get_args(hint))
    base = typing.get_origin(hint) or hint
    if base in _TAKES_OBJECTS or isinstance(base, typing.TypeVar | str):
        return True
    if not isinstance(base, type) or is_model(base):
        return base is not typing.Literal
    info = msgspec.inspect
    try:
        kind = info.type_info(hint)
    except (TypeError, RuntimeError):
        return True
    return isinstance(
        kind, info.StructType | info.DataclassType | info.TypedDictType | info.DictType | info.CustomType | info.AnyType
    )


def _bare(hint: Any) -> Any:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return hint


def _is_known(hint: Any) -> bool:
    """Whether arguments of this type can be converted: one of both libraries knows each part of it."""
    try:
        info = msgspec.inspect.type_info(hint)
    except (TypeError, RuntimeError, NameError, AttributeError):
        return False
    return not any(isinstance(part, msgspec.inspect.CustomType) and not is_model(part.cls) for part in _parts(info))


def _holds_dataclass(hint: Any) -> bool:
    return any(isinstance(part, msgspec.inspect.DataclassType) for part in _parts(msgspec.inspect.type_info(hint)))


def _parts(whole: Any) -> Iterator[Any]:
    """A type and all its parts; a recursive type is listed once."""
    stack, seen = [whole], set()
    while stack:
        here = stack.pop()
        if isinstance(here, tuple):
            stack.extend(here)
        elif isinstance(here, msgspec.inspect.Type | msgspec.inspect.Field) and id(here) not in seen:
            seen.add(id(here))
            yield here
            stack.extend(getattr(here, field) for field in here.__struct_fields__)
