"""Parses documents as written by people to plain values, problems and places, for workflows and contracts. YAML is in
`yaml_text`, imported only where a document is YAML, because that costs 20 ms."""

from aob.core.document.json_text import key_twice
from aob.core.document.places import Places, located
from aob.core.document.shape import Duration, Tree, Value, escape, wrong_shape
from aob.core.document.text import PROBLEMS_MAX, Text, form_of, read_text

__all__ = [
    "PROBLEMS_MAX", "Duration", "Places", "Text", "Tree", "Value", "escape", "form_of", "key_twice", "located",
    "read_text", "wrong_shape",
]  # fmt: skip
