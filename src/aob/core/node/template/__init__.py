"""Texts with `{name}` in them and values go in, filled texts come out."""

from aob.core.node.template.fill import TemplateError, fill, fill_text, holes

__all__ = ["TemplateError", "fill", "fill_text", "holes"]
