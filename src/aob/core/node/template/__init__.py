"""Fills texts with `{name}` from values."""

from aob.core.node.template.filling import (
    TemplateError,
    fill,
    fill_header,
    fill_text,
    holes,
    parse_template,
    secrets_in,
)
from aob.core.node.template.secret import is_secret_name, put_in, references

__all__ = [
    "TemplateError", "fill", "fill_header", "fill_text", "holes", "is_secret_name", "parse_template", "put_in",
    "references", "secrets_in",
]  # fmt: skip
