"""Patches of documents: apply, touch sets, inverses, rebase, diffs. Pure."""

from aob.core.graph.patch.difference import diff, diff_hash, render
from aob.core.graph.patch.operation import PatchError, apply, read_operations
from aob.core.graph.patch.rollback import inverse
from aob.core.graph.patch.schema import EXAMPLES, PATCH_SCHEMA
from aob.core.graph.patch.shorthand import compile_operations
from aob.core.graph.patch.touch_set import Clash, rebase

__all__ = [
    "EXAMPLES",
    "PATCH_SCHEMA",
    "Clash",
    "PatchError",
    "apply",
    "compile_operations",
    "diff",
    "diff_hash",
    "inverse",
    "read_operations",
    "rebase",
    "render",
]
