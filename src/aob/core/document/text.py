"""The documents that a text holds, JSON or YAML: values, where they stand, what the text itself does wrong.

In: text, and a file name or media type that says its form. Out: a `Text` a document. Raises Malformed or Invalid.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from aob.core.document.json_text import json_spots, read_json
from aob.core.document.places import Places, located
from aob.core.document.shape import Value
from aob.core.errors import Malformed, Problem

PROBLEMS_MAX: Final = 1_000
"""Problems that are told at once; further ones are told when these are mended."""
JSON_SUFFIXES: Final = (".json", "application/json")
YAML_SUFFIXES: Final = (".yaml", ".yml", "application/yaml", "application/x-yaml", "text/yaml")
Form = Literal["json", "yaml", ""]


class Text(NamedTuple):
    """One document: its value, the places of its parts, and with their places the keys that stand twice in it."""

    value: Value
    places: Places
    problems: list[Problem]


def form_of(hint: str, text: str) -> Form:
    """The form of a text by a file name or a media type, else by how it begins; empty: JSON, or else YAML."""
    name = hint.partition(";")[0].strip().lower()
    if name.endswith(JSON_SUFFIXES):
        return "json"
    if name.endswith(YAML_SUFFIXES):
        return "yaml"
    return "" if text.lstrip()[:1] in {"{", "["} else "yaml"


def read_text(text: str, form: Form, *, several: bool = False) -> Iterator[Text]:
    """The one document of a text; with `several`, as many as it holds."""
    if form == "yaml":
        yield from _read_yaml(text, several)
        return
    try:
        value, twice = read_json(text)
    except Malformed as error:
        if form == "json" or "line" not in error.fields:  # JSON in form, but not in its numbers
            raise
        try:  # begins like JSON and is none: YAML in flow style, or else badly written JSON
            yield from _read_yaml(text, several)
        except Malformed:
            raise error from None
        return
    places = Places(lambda: json_spots(text)[0])
    found = json_spots(text)[1] if twice else []
    problems = [Problem(path, "this key stands twice", "duplicate_key", hint="remove one") for path in found]
    yield Text(value, places, located(problems[:PROBLEMS_MAX], places))


def _read_yaml(text: str, several: bool) -> Iterator[Text]:
    from aob.core.document.yaml_text import YamlText, yaml_documents  # 20 ms: only a process that meets YAML pays it

    for part in yaml_documents(text) if several else ((text, 0),):
        read = YamlText(*part)
        yield Text(read.value, read.places, read.problems[:PROBLEMS_MAX])
