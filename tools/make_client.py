"""Write the types of the clients' calls: `python -m tools.make_client`; a test holds them fresh. Those of the table of
verbs are made of it, those of the blocking client of the async one."""

import ast
import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.client import AsyncClient
from aob.client.async_made import Made
from aob.core import answers, metric_answers
from aob.core.agent.shown import answers as agent_key
from aob.core.decision import answers as decision
from aob.core.organisation import answers as organisation
from aob.core.status import shapes as status
from aob.core.task import answers as task
from aob.core.topic import answers as topic
from aob.core.verb import AnyVerb, Http
from aob.core.verbs import TABLE, shapes
from aob.core.verbs.registry import schema_verbs

CLIENT: Final = Path(__file__).resolve().parents[1] / "src" / "aob" / "client"
STUBS: Final = ("async_made.pyi", "sync_client.pyi")
HEAD: Final = '''"""{promise} Made by `python -m tools.make_client`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal
{imports}
'''
ASYNC_HEAD: Final = """from aob.client.async_wire import AsyncWire
from aob.core.verb import AnyVerb

class Made(AsyncWire):
"""
ASYNC_TAIL: Final = "\ndef add(made: type[Made], table: tuple[AnyVerb, ...]) -> None: ...\n"
BLOCKING_HEAD: Final = """from aob.client.blocking import Blocking

class Client(Blocking):
"""
WORDS: Final = {r"\bAsyncIterator\b": "Iterator", r"\bAsyncBaseTransport\b": "BaseTransport"}


def made(stub: str) -> str:
    """The text of a stub."""
    by_hand = {each for kind in AsyncClient.__mro__ if kind is not Made for each in vars(kind)}
    word = "async " if stub.startswith("async") else ""
    calls = "".join(
        f"    {word}def {_signature(verb, verb.http[0])}: ...\n"
        for verb in TABLE
        if verb.http and not verb.streams and verb.name not in by_hand
    )
    if word:
        text = ASYNC_HEAD + calls + ASYNC_TAIL
        imports, promise = "", "The calls that are made of the table of verbs."
    else:
        text = BLOCKING_HEAD + "".join(_of_nouns()) + calls
        imports, promise = _imports_of_nouns(), "The blocking client."
    imports += "".join(
        f"from {module.__name__} import {name}\n"
        for module in (
            answers,
            metric_answers,
            shapes,
            status,
            organisation,
            topic,
            task,
            decision,
            agent_key,
            schema_verbs,
        )
        for name, kind in vars(module).items()
        if typing.is_typeddict(kind) and kind.__module__ == module.__name__ and re.search(rf"\b{name}\b", text)
    )
    return tidy(HEAD.format(promise=promise, imports=imports) + text, stub)


def _files() -> Iterator[ast.Module]:
    """What is written by hand of the async client."""
    for path in (CLIENT / "async_wire.py", CLIENT / "async_client.py", *sorted((CLIENT / "async_nouns").glob("*.py"))):
        yield ast.parse(path.read_text(encoding="utf-8"))


def _imports_of_nouns() -> str:
    lines = (
        ast.unparse(node) for tree in _files() for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    )
    return _blocking("\n".join(dict.fromkeys(line for line in lines if "async_" not in line)) + "\n")


def _of_nouns() -> Iterator[str]:
    """The signatures of the calls that are written by hand, and how a client is made."""
    for kind in (node for tree in _files() for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in kind.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name in ("aclose", "of_home"):
                continue
            if not node.name.startswith("_") or (node.name, kind.name) == ("__init__", "AsyncWire"):
                given = f" -> {ast.unparse(node.returns)}" if node.returns else ""
                yield _blocking(f"    def {node.name}({ast.unparse(node.args)}){given}: ...\n")


def _blocking(text: str) -> str:
    for word, instead in WORDS.items():
        text = re.sub(word, instead, text)
    return text


def tidy(text: str, name: str) -> str:
    """Ordered and formatted as all files are."""
    order = ["check", "--select", "I,F401,F811", "--fix", "--unsafe-fixes", "--quiet"]
    for command in (order, ["format", "--quiet"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(CLIENT / name), "-"],
            input=text, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return text


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
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "Mapping[str, Any]"
    return "None" if kind in (None, type(None)) else str(getattr(kind, "__name__", kind))


def main() -> None:
    """Write all."""
    for stub in STUBS:
        (CLIENT / stub).write_text(made(stub), encoding="utf-8")


if __name__ == "__main__":
    main()
