"""Write the types of the clients' calls, made of the table of verbs: `python -m tools.make_client`; a test holds them
fresh. The blocking client is made before (`tools.make_sync`)."""

import re
import types
import typing
from typing import Any, Final

import msgspec

from aob.client import AsyncClient
from aob.client.async_made import Made
from aob.core import answers, metric_answers
from aob.core.verb import AnyVerb, Http
from aob.core.verbs import TABLE, shapes
from tools.make_sync import CLIENT, tidy

HEAD: Final = '''"""The calls that are made of the table of verbs. Made by `python -m tools.make_client`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aob.client.{wire} import {Wire}
{imports}
from aob.core.verb import AnyVerb

class Made({Wire}):
'''
TAIL: Final = "\ndef add(made: type[Made], table: tuple[AnyVerb, ...]) -> None: ...\n"
STUBS: Final = {"async_made.pyi": ("async_wire", "AsyncWire", "async "), "sync_made.pyi": ("sync_wire", "Wire", "")}


def made(stub: str) -> str:
    """The text of a stub."""
    wire, wire_name, word = STUBS[stub]
    by_hand = {each for kind in AsyncClient.__mro__ if kind is not Made for each in vars(kind)}
    calls = [
        f"    {word}def {_signature(verb, verb.http[0])}: ...\n"
        for verb in TABLE
        if verb.http and not verb.streams and verb.name not in by_hand
    ]
    text = "".join(calls) + TAIL
    imports = "".join(
        f"from {module.__name__} import {name}\n"
        for module in (answers, metric_answers, shapes)
        for name, kind in vars(module).items()
        if typing.is_typeddict(kind) and kind.__module__ == module.__name__ and re.search(rf"\b{name}\b", text)
    )
    return tidy(HEAD.format(wire=wire, Wire=wire_name, imports=imports) + text, stub)


def _signature(verb: AnyVerb, http: Http) -> str:
    words = ["self"]
    for field in msgspec.structs.fields(verb.args):  # type: ignore[arg-type]  # a Struct
        default = "" if field.required else " = ..."
        words.append(f"{field.name}: {spelled(field.type)}{default}")
    shape = http.gives[0].shape
    given = typing.get_type_hints(shape)[http.wraps] if http.wraps else shape
    return f"{verb.name}({', '.join(words)}) -> {spelled(given, given=True)}"


def spelled(kind: Any, *, given: bool = False) -> str:
    """A type as it is written; what a caller gives may be wider than what is read of it."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return spelled(args[0], given=given)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(spelled(each, given=given) for each in args)
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, args))}]" if given else "str"
    if origin in (list, tuple):
        return f"{'list' if given else 'Iterable'}[{spelled(args[0], given=given)}]"
    if origin is dict:
        pair = ", ".join(spelled(each, given=given) for each in args)
        return f"{'dict' if given else 'Mapping'}[{pair}]"
    return "None" if kind in (None, type(None)) else str(getattr(kind, "__name__", kind))


def main() -> None:
    """Write both."""
    for stub in STUBS:
        (CLIENT / stub).write_text(made(stub), encoding="utf-8")


if __name__ == "__main__":
    main()
