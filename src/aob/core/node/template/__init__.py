"""Fills texts with `{name}` from values."""

from aob.core.node.template.filling import (
    TemplateError,
    fill,
    fill_header,
    fill_text,
    holes,
    is_secret_name,
    parse_template,
    put_in,
    references,
)

__all__ = [
    "TemplateError", "fill", "fill_header", "fill_text", "holes", "is_secret_name", "parse_template", "put_in",
    "references",
]  # fmt: skip
