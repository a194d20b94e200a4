"""`aob schema`: register schemas of records, list them, show one, and check whether one could be the next version."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Final

from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, asks, command, group, lists
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem

COLUMNS: Final = ("subject", "versions", "id", "language", "level")
NONE: Final = "no schemas: aob schema push FILE"
LANGUAGES: Final[Mapping[str, str]] = {".avsc": "AVRO", ".proto": "PROTOBUF", ".json": "JSON", ".py": "JSON"}
FILE: Final = "a schema (.avsc, .proto, .json), or FILE.py:MODEL, a model of pydantic"
SUBJECT: Final = "the subject (that of --topic; else the name of the file or of the model)"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob schema`."""
    mine = group(commands, common, "schema", "register schemas of records, and see what is registered")
    one = command(mine, common, "list", "list subjects", asks("schemas", lists(COLUMNS, _row, NONE)))
    one.add_argument("--prefix", default="", help="only subjects that begin so")
    one = command(mine, common, "show", "show a version of a subject with its schema", asks("schema", _shown))
    one.add_argument("subject", metavar="SUBJECT")
    one.add_argument("--version", type=int, default=0, metavar="N", help="a version (the newest)")
    one = command(mine, common, "push", "register a schema as the next version of a subject", push)
    _given(one)
    one = command(mine, common, "check", "say whether a schema could be the next version; exits with 1 if not", check)
    _given(one)


def _given(one: ArgumentParser) -> None:
    one.add_argument("file", metavar="FILE[:MODEL]", help=FILE)
    one.add_argument("--subject", default="", help=SUBJECT)
    one.add_argument("--topic", default="", help="the topic whose values it is of: the subject TOPIC-value")
    one.add_argument("--type", default="", help="of these values those of one type: the subject TOPIC-TYPE")
    text = "what its text refers to by NAME: a version of another subject (the newest); repeatable"
    one.add_argument("--ref", action="append", default=[], metavar="NAME=SUBJECT[@N]", help=text)


async def push(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Register a schema."""
    told = await aob.push_schema(**_arguments(args))
    if not screen.told(told):
        new = "new" if told["created"] else "as it was"
        screen.line(f"{told['subject']} version {told['version']}, schema {told['id']}: {new}")


async def check(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Compare a schema with those of its subject."""
    given = _arguments(args)
    told = await aob.check_schema(**given)
    if not screen.told(told):
        screen.lines(told["reasons"])
        words = "could be the next version" if told["compatible"] else "is not compatible"
        state = "ok" if told["compatible"] else "failed"
        screen.state(f"{given['subject']}: {words} ({told['level']})", state)
    return 0 if told["compatible"] else 1


def _arguments(args: Namespace) -> JsonObject:
    path, _, model = args.file.partition(":")
    file = Path(path)
    language = LANGUAGES.get(file.suffix)
    if language is None:
        known = ", ".join(LANGUAGES)
        raise Invalid("this is no file of a schema", [Problem(path, f"ends with none of {known}", "bad_schema")])
    if not file.is_file():
        raise NotFound(f"there is no file {path}")
    text = _of_model(file, model) if file.suffix == ".py" else file.read_text("utf-8")
    subject = args.subject or (f"{args.topic}-{args.type or 'value'}" if args.topic else model or file.stem)
    references = [_reference(each) for each in args.ref]
    return {"subject": subject, "schema": text, "language": language, "references": references}


def _reference(text: str) -> JsonObject:
    name, _, place = text.partition("=")
    subject, _, version = place.partition("@")
    if not name or not subject or not (version or "1").isdigit():
        raise Invalid("a reference is wrong", [Problem(text, "is not NAME=SUBJECT or NAME=SUBJECT@N", "bad_value")])
    return {"name": name, "subject": subject, "version": int(version) if version else -1}


def _of_model(file: Path, name: str) -> str:
    """The JSON Schema of a model of pydantic. What a model writes has no members but its own, so its objects are
    closed: a field that is added later is compatible."""
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None, "a file that ends with .py has a loader"
    assert spec.loader is not None, "a file that ends with .py has a loader"
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    model: Any = getattr(module, name, None)
    if not hasattr(model, "model_json_schema"):
        known = [each for each, found in vars(module).items() if hasattr(found, "model_json_schema")]
        hint = f"models: {', '.join(known)}" if known else "class NAME(pydantic.BaseModel)"
        raise Invalid(f"there is no model {name!r}", [Problem(str(file), "has no such model", "bad_schema", hint=hint)])
    schema: JsonObject = model.model_json_schema()
    for each in (schema, *schema.get("$defs", {}).values()):
        if each.get("type") == "object" and "properties" in each:
            each.setdefault("additionalProperties", False)
    return json.dumps(schema)


def _row(row: Any) -> tuple[str, ...]:
    versions = ", ".join(map(str, row["versions"]))
    return row["subject"], versions, str(row["id"]), row["language"], row["level"]


def _shown(told: Any, args: Namespace, screen: Screen) -> None:
    event = ", a contract of an event" if told["contract"] else ""
    screen.line(f"{told['subject']} version {told['version']}, schema {told['id']}, {told['language']}{event}")
    screen.line(f"versions {', '.join(map(str, told['versions']))}, {told['level']}")
    for each in told["references"]:
        screen.line(f"{each['name']}: {each['subject']} version {each['version']}")
    if told["language"] == "PROTOBUF":
        screen.lines(told["schema"].splitlines())
    else:
        screen.lines(json.dumps(json.loads(told["schema"]), indent=2).splitlines())
