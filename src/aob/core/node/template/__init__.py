"""Fills texts with `{name}` from values."""

from aob.core.node.template.filling import fill, fill_text, is_secret_name, put_in, references

__all__ = ["fill", "fill_text", "is_secret_name", "put_in", "references"]
