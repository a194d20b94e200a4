"""What an agent produces is judged before the end of its record is: by what the topics take, by the registry, by the
gate. What is refused is a failure that passes on no retry, with every reason."""

from collections.abc import Sequence
from typing import Final

from msgspec import to_builtins

from aob.core.agent import Key, keys
from aob.core.agent.record import Input, Output
from aob.core.errors import Problem
from aob.organisation.cycle.law import record_of
from aob.ports.log import Admitting
from aob.ports.workers import Fault

REFUSED: Final = "record_refused"
TOO_DEEP: Final = "too_deep"
SHOWN_MAX: Final = 20  # reasons in the failure of a record


def judged(log: Admitting, tenant: str, outputs: Sequence[Output], depth: int) -> list[Problem] | None:
    """Why topics do not take these records, none: they do. None where the log has to be asked."""
    found = list[Problem]()
    for number, output in enumerate(outputs):
        at = f"/outputs/{number}"
        reasons = log.judged(tenant, output.topic, output.type, bytes(output.data), depth + 1, at)
        if reasons is None:
            return None
        found += reasons
    return found


async def admitted(
    log: Admitting, tenant: str, key: Key, given: Input, outputs: Sequence[Output], *, counts: bool = True
) -> list[Problem]:  # fmt: skip
    """The same, asked; those of a type with a contract count at the gate. Raises what the gate and the log raise."""
    made = [keys.addressed(key, given, output, number) for number, output in enumerate(outputs)]
    records = [(output.topic, record_of(tenant, key, output)) for output in made]
    return await log.admit(tenant, records, counts=counts)


def refused(agent: str, given: Input, problems: Sequence[Problem]) -> Fault:
    """The failure of a record whose outputs are refused: `too_deep` when that is all, as the law of the key says it."""
    said = f"{agent} produces what its topics do not take: {problems[0]}"
    reasons = [to_builtins(each) for each in problems[:SHOWN_MAX]]
    if any(each.code != TOO_DEEP for each in problems):
        return Fault(REFUSED, said, False, {"reasons": reasons})
    chain = {"correlationid": given.correlation, "causationid": given.id, "depth": given.depth, "agent": agent}
    return Fault(TOO_DEEP, said, False, {"reasons": reasons, "chain": chain})
