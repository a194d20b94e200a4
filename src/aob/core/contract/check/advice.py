"""What may stand and is worth a word: an event that nothing reads, a person's data as a dimension.

In: contracts. Out: problems whose code begins with `warn_`: none of them keeps contracts from being taken over.
"""

from collections.abc import Iterator
from typing import Final

from aob.core.contract.check.sight import event_sight, events_of, judge
from aob.core.contract_model import ContractSet, EventContract, MetricContract
from aob.core.errors import Problem
from aob.core.expression.paths import read_paths
from aob.core.graph.shape import escape

WARNING: Final = "warn_"


def event_advice(contract: EventContract, whole: ContractSet) -> Iterator[Problem]:
    """What is worth a word about an event type."""
    moved = any(contract.type in metric.types for metric in whole.newest_metrics())
    if not moved and not contract.entities:
        at = f"event/{contract.type}@{contract.version}#"
        hint = f"a metric with moves: [{{on: {contract.type}}}], or entities"
        yield Problem(at, f"{contract.type} moves nothing", f"{WARNING}unused", hint=hint)


def metric_advice(metric: MetricContract, whole: ContractSet) -> Iterator[Problem]:
    """What is worth a word about a metric."""
    at = f"metric/{metric.name}@{metric.version}#"
    told = set[str]()
    for name, text in metric.dimensions.items():
        for event in (event for move in metric.moves for event in events_of(move, whole)):
            made = judge(text, "", event_sight(event)).expression
            paths = read_paths(made.tree.root).paths if made is not None else ()
            for field in (".".join(path.fields) for path in paths if path.root == "data"):
                if field in event.pii and name not in told:
                    told.add(name)
                    message = f"{name} shows {field} of {event.type}, which is {event.pii[field]} data"
                    yield Problem(f"{at}/dimensions/{escape(name)}", message, f"{WARNING}pii", hint="group by less")
