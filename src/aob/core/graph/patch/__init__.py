"""Patches of documents: apply, touch sets, inverses, rebase, diffs. Pure."""

from aob.core.graph.patch.difference import diff, render
from aob.core.graph.patch.operation import PatchError, apply, read_operations
from aob.core.graph.patch.schema import EXAMPLES
from aob.core.graph.patch.shorthand import compile_operations

__all__ = ["EXAMPLES", "PatchError", "apply", "compile_operations", "diff", "read_operations", "render"]
