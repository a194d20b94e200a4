"""A record that is with a worker, and what its key and its worker say of how it went."""

from typing import Final

import msgspec
from msgspec import Raw

from aob.core.agent.record import Input
from aob.core.value import canonical
from aob.organisation.cycle.context import AgentContext
from aob.ports.log import Logged
from aob.ports.workers import Fault

STUCK: Final = "timeout_heartbeat"  # fault code of an attempt without a sign of life


class Handling(msgspec.Struct, eq=False):
    """A record with a worker, or one whose worker has `reported` and whose report is on its way to the key."""

    given: Input
    attempt: int
    logged: Logged
    context: AgentContext | None = None
    state: bytes = b"null"
    reported: bool = False


def stopped(fault: Fault) -> bool:
    """Whether a worker that is gone was ended in order."""
    return isinstance(fault.detail, dict) and bool(fault.detail.get("stop"))


def stuck(fault: Fault) -> bool:
    """Whether an attempt was stopped because it showed no progress."""
    return fault.code == STUCK


def error_of(fault: Fault) -> Raw:
    """A failure as the key of its record keeps it."""
    told = {"code": fault.code, "message": fault.message[:4_000], "detail": fault.detail, "transient": fault.transient}
    return Raw(canonical(told))
