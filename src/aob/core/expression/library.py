"""The CEL library, loaded on first use: compiles texts under declared types, evaluates programs."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from aob.core.expression.fault import EvalError
from aob.core.expression.reserved import STAND_IN, WORD, respelled, spelled

Value: TypeAlias = Any  # a plain Python value: a JSON value, datetime, timedelta or bytes

ENV_CACHE_MAX: Final = 256
EXTENSIONS: Final = ("ext_strings", "ext_math")
"""The supported extensions of CEL; loaded (50 ms) only for a text that uses one."""
METHODS_ADDED: Final = (
    *("charAt", "indexOf", "lastIndexOf", "substring", "replace", "split", "join", "reverse"),
    *("lowerAscii", "upperAscii", "trim", "format"),
)
_EXTENDED: Final = re.compile(rf"\b(?:math|strings)\s*\.|\.\s*(?:{'|'.join(METHODS_ADDED)})\s*\(")
ENCODERS: Final = "ext_encoders"
_CLASSES: Final = {"ext_strings": "ExtStrings", "ext_math": "ExtMath", ENCODERS: "ExtEncoders"}
_FINDING: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")


class Finding(msgspec.Struct, frozen=True):
    """One complaint of the library: line and column from 1 within the text, and its words."""

    line: int
    column: int
    message: str


class Rejected(Exception):  # noqa: N818  # it never leaves the room
    """The library rejects a text; `findings` lists every place."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings)
        self.findings = findings


class _Type(Protocol):
    def name(self) -> str: ...


class _Result(Protocol):
    def type(self) -> _Type: ...
    def plain_value(self) -> Value: ...


class Program(Protocol):
    """A compiled program of the library."""

    def eval(self, *, data: Mapping[str, Value]) -> _Result:
        """Run it on these names."""

    def return_type(self) -> _Type:
        """The type of its value, as far as known."""

    def serialize(self) -> bytes:
        """Its tree as a `cel.expr.CheckedExpr` or `ParsedExpr`."""


class _Env(Protocol):
    def compile(self, expression: str, disable_check: bool = False) -> Program: ...


@lru_cache(maxsize=ENV_CACHE_MAX)
def _env(declared: tuple[tuple[str, str], ...], extensions: tuple[str, ...]) -> _Env:
    cel = import_module("cel_expr_python.cel")  # 12 ms: only for a process that uses expressions
    loaded = [getattr(import_module(f"cel_expr_python.ext.{name}"), _CLASSES[name])() for name in extensions]
    variables = {respelled(name): cel.Type(signature) for name, signature in declared}
    env: _Env = cel.NewEnv(variables=variables, extensions=loaded) if loaded else cel.NewEnv(variables=variables)
    return env


def compile_text(
    text: str, declared: tuple[tuple[str, str], ...], *, check: bool = True, encoded: bool = False
) -> Program:
    """Compile a text, where `declared` gives each name its CEL type; without `check` it is only parsed. `encoded` adds
    base64, for our own texts. Raises Rejected."""
    extensions = (*(EXTENSIONS if _EXTENDED.search(text) else ()), *((ENCODERS,) if encoded else ()))
    try:
        return _env(declared, extensions).compile(spelled(text), disable_check=not check)
    except RuntimeError as error:
        found = _FINDING.findall(str(error))
        if not found:
            raise Rejected((Finding(1, 1, str(error)),)) from None
        raise Rejected(
            tuple(Finding(int(line), int(column), words.replace(STAND_IN, WORD)) for line, column, words in found)
        ) from None


def evaluate(program: Program, names: Mapping[str, Value]) -> Value:
    """The plain Python value of a program for these names. Raises EvalError."""
    if WORD in names:
        names = {respelled(name): value for name, value in names.items()}
    try:
        value = program.eval(data=names)
    except (RuntimeError, TypeError) as error:
        raise EvalError(_words(str(error))) from None
    if value.type().name() == "ERROR":
        raise EvalError(_words(str(value.plain_value())))
    return _plain(value.plain_value())


def _words(message: str) -> str:
    if "construction from null" in message:
        return "a text holds half a character (a lone surrogate)"
    words = re.sub(r"^[A-Z_]+: ", "", message)
    words = words.replace("int64", "int").replace("null_type", "null")
    words = re.sub(r"^No matching overloads found : _(\S+)_(\(.*\))$", r"'\1' does not take \2", words)
    return re.sub(r"^No matching overloads found : (.*)$", r"\1 is not possible", words)


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytearray):
        return bytes(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | datetime | timedelta):
        return value
    return str(value)
