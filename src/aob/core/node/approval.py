"""`approval`: a person decides on a ticket; no worker is held while the run waits."""

from typing import Any

import msgspec

from aob.core.node.kind import Kind


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rung of a ladder: `after` the opening, `do` it: `remind`, `reassign` (to `role`), `approve` or `reject`."""

    after: str | int | float
    do: str
    role: str = ""


class ApprovalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`role` may decide; `form` maps field names to types (`string number boolean`) or JSON Schemas; `text` is shown,
    filled by `{name}` from the input; `show` names the input shown (default all); `notify` lists addresses told."""

    role: str = "approve"
    text: str = ""
    form: dict[str, Any] = {}
    notify: tuple[str, ...] = ()
    escalate: tuple[Escalation, ...] = ()


APPROVAL = Kind("approval", ApprovalConfig, waits=True, outcomes=("approved", "rejected", "expired", "failure"))
