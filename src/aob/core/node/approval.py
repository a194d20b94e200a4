"""`approval`: a person decides on a ticket; no worker is held while the run waits."""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from aob.core.errors import Problem
from aob.core.json_schema import form_problems
from aob.core.node.kind import Kind, duration, filled

RUNGS_MAX: Final = 16
ROLES: Final[tuple[str, ...]] = ("view", "run", "deploy", "approve", "patch", "work", "admin")
"""`view` reads, `run` starts and cancels, `deploy` pushes documents and contracts, `approve` answers tickets, `patch`
proposes, `admin` does all of these. Any other name is a custom role: it decides the tickets that require it."""


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One escalation: `after` the opening, `do` it: `remind`, `reassign` (to `role`), `approve` or `reject`."""

    after: str | int | float
    do: Literal["remind", "reassign", "approve", "reject"]
    role: str = ""


class ApprovalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only `role` and admins decide; `not` bars the `starter` of the run, or each `author` of what it runs; `form` maps
    field names to types (`string number integer boolean`) or JSON Schemas; `text` is shown, filled by `{name}` from the
    input; `notify` lists addresses to notify; `escalate` lists actions over time."""

    role: str = "approve"
    text: str = ""
    form: dict[str, Any] = {}
    notify: tuple[str, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    barred: tuple[Literal["starter", "author"], ...] = msgspec.field(name="not", default=())


def check_approval(config: ApprovalConfig) -> Iterator[Problem]:
    """Checks beyond types: known types in the form, valid escalations, limits."""
    yield from filled("/role", config.role, "the role")
    yield from form_problems(config.form)
    if len(config.escalate) > RUNGS_MAX:
        yield Problem("/escalate", f"{len(config.escalate)} rungs are over the limit of {RUNGS_MAX}", "too_large")
    for index, rung in enumerate(config.escalate):
        yield from duration(f"/escalate/{index}/after", rung.after)
        if rung.do == "reassign" and not rung.role:
            hint = "add role: NAME, the people who get the ticket"
            yield Problem(f"/escalate/{index}", "`reassign` does not say to whom", "missing", hint=hint)


APPROVAL = Kind(
    "approval",
    ApprovalConfig,
    waits=True,
    outcomes=("approved", "rejected", "expired", "failure"),
    check=check_approval,
    templates=("text", "notify"),
    schemas=("form",),
)
