"""`branch`: tries the conditions of its edges and takes the first true one, or each with `mode: all`."""

from typing import Literal

import msgspec

from aob.core.node.kind import Kind


class BranchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`first` takes one edge by `order`, then id; `all` takes each whose condition holds."""

    mode: Literal["first", "all"] = "first"


BRANCH = Kind("branch", BranchConfig, inner=True, deterministic=True)
