"""The first item of a worker: who it is, and which handlers and agents it has."""

from collections.abc import Sequence
from typing import Final

from aob.core.errors import Invalid, Problem
from aob.rpc import BYTES_MAX, DOC_MAX, PROTOCOL
from aob.work import HandlerTable
from aob.worker.agents import OfferedAgents
from aob.worker.plan import Plan
from aob.worker.wire import pb

DECLARED_MAX: Final = BYTES_MAX // 2  # bytes; the other half of the frame is for what it holds when it comes back


def hello_of(plan: Plan, handlers: HandlerTable, build: str, offers: Sequence[str] = ()) -> pb.Hello:
    """The Hello of a worker that holds nothing. `offers` are built-in kinds, and what it has for them. Raises Invalid
    `worker_hello` for one that no home could read, however often it came back."""
    told = [
        pb.Handler(
            name=facts.name, version=facts.version, effect=facts.effect, deterministic=facts.deterministic,
            doc=facts.doc[:DOC_MAX], secrets=handler.secrets,
        )
        for handler in handlers.values() for facts in (handler.facts,)
    ]  # fmt: skip
    told += [
        pb.Handler(name=name, version=agent.code, effect="none", doc=agent.doc[:DOC_MAX], secrets=agent.secrets)
        for name, agent in OfferedAgents(handlers.agents).items()
    ]
    made = pb.Hello(
        protocol=PROTOCOL, worker=plan.name, incarnation=plan.incarnation, build=build, handlers=told,
        labels=plan.labels, slots=plan.slots, offers=offers,
    )  # fmt: skip
    if (size := made.ByteSize()) > DECLARED_MAX:
        what = f"what its {len(told):,} handlers declare is {size:,} bytes: at most {DECLARED_MAX:,}"
        hint = "spread them over several workers, or say less in their first lines"
        raise Invalid("this worker declares too much", [Problem("worker", what, "worker_hello", hint=hint)],
                      code="worker_hello")  # fmt: skip
    return made
