"""Parses the documents of a text, JSON or YAML: values, places, problems of the text. Raises Malformed or Invalid."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from aob.core.document.json_text import json_spots, read_json
from aob.core.document.places import Places, located
from aob.core.document.shape import Value
from aob.core.errors import Malformed, Problem

PROBLEMS_MAX: Final = 1_000  # problems reported at once
JSON_SUFFIXES: Final = (".json", "application/json")
YAML_SUFFIXES: Final = (".yaml", ".yml", "application/yaml", "application/x-yaml", "text/yaml")
Form = Literal["json", "yaml", ""]


class Text(NamedTuple):
    """One document: its value, the places of its parts, and its duplicate keys with places."""

    value: Value
    places: Places
    problems: list[Problem]


def form_of(hint: str, text: str) -> Form:
    """The form of a text by a file name or a media type, else by its beginning; empty: JSON, or else YAML."""
    name = hint.partition(";")[0].strip().lower()
    if name.endswith(JSON_SUFFIXES):
        return "json"
    if name.endswith(YAML_SUFFIXES):
        return "yaml"
    return "" if text.lstrip()[:1] in {"{", "["} else "yaml"


def read_text(text: str, form: Form, *, several: bool = False) -> Iterator[Text]:
    """The only document of a text; with `several`, all of them."""
    if form == "yaml":
        yield from _read_yaml(text, several)
        return
    try:
        value, twice = read_json(text)
    except Malformed as error:
        if form == "json" or "line" not in error.fields:  # JSON syntax, but invalid numbers
            raise
        try:  # begins like JSON: YAML in flow style, or else invalid JSON
            yield from _read_yaml(text, several)
        except Malformed:
            raise error from None
        return
    places = Places(lambda: json_spots(text)[0])
    found = json_spots(text)[1] if twice else []
    problems = [Problem(path, "this key stands twice", "duplicate_key", hint="remove one") for path in found]
    yield Text(value, places, located(problems[:PROBLEMS_MAX], places))


def _read_yaml(text: str, several: bool) -> Iterator[Text]:
    from aob.core.document.yaml_text import YamlText, yaml_documents  # 20 ms: only for processes that read YAML

    for part in yaml_documents(text) if several else ((text, 0),):
        read = YamlText(*part)
        yield Text(read.value, read.places, read.problems[:PROBLEMS_MAX])
