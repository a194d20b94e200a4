"""The first item of a worker: who it is, and which handlers it has."""

from collections.abc import Sequence

from aob.rpc import PROTOCOL
from aob.work import HandlerTable
from aob.worker.plan import Plan
from aob.worker.wire import pb


def hello_of(plan: Plan, handlers: HandlerTable, build: str, offers: Sequence[str] = ()) -> pb.Hello:
    """The Hello of a worker that holds nothing. `offers` are built-in kinds, and what it has for them."""
    told = [
        pb.Handler(
            name=facts.name, version=facts.version, effect=facts.effect, deterministic=facts.deterministic,
            doc=facts.doc, secrets=handler.secrets,
        )
        for handler in handlers.values() for facts in (handler.facts,)
    ]  # fmt: skip
    return pb.Hello(
        protocol=PROTOCOL, worker=plan.name, incarnation=plan.incarnation, build=build, handlers=told,
        labels=plan.labels, slots=plan.slots, offers=offers,
    )  # fmt: skip
