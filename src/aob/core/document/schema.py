"""Publishes JSON Schemas of documents, made from their structs."""

from typing import Final

import msgspec

from aob.core.document.shape import Tree, Value

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def published(id: str, title: str, root: Tree, parts: Tree) -> Tree:
    """The schema `root` with its `$defs` as plain JSON. Deterministic."""
    whole = {"$schema": DRAFT, "$id": id, "title": title, **root, "$defs": dict(sorted(parts.items()))}
    plain: Tree = msgspec.json.decode(msgspec.json.encode(_on_one_line(whole)))
    return plain


def _on_one_line(value: Value) -> Value:
    """Puts every description on one line."""
    if isinstance(value, dict):
        return {
            key: " ".join(item.split()) if key == "description" and isinstance(item, str) else _on_one_line(item)
            for key, item in value.items()
        }
    return [_on_one_line(item) for item in value] if isinstance(value, list) else value
