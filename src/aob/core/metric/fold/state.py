"""What a fold holds: its plan, cubes, subjects, sources. The state that reading, paging and recounting share."""

from collections.abc import Sequence

from aob.core.contract_model import ContractSet
from aob.core.metric.cube import Cube, Dimensions, Grid
from aob.core.metric.cube.tile import KEPT_MS
from aob.core.metric.fold.plan import Plan
from aob.core.metric.fold.source import Sources
from aob.core.metric.subject import SubjectFold

Span = tuple[int, int]


class State:
    """All numbers of one tenant as they stand. `wanted`: spans to be counted anew, by metric, each with the stamp of
    when it was touched last. `endless`: subjects are followed however late and many they are."""

    def __init__(
        self, contracts: ContractSet, plan: Plan, kept_ms: Sequence[int] = KEPT_MS, endless: bool = False
    ) -> None:
        self.contracts, self.plan = contracts, plan
        self.kept_ms = tuple(kept_ms)
        self.dimensions = Dimensions()
        grid = Grid(self.plan.zones)
        self.cubes = {id: Cube(id, slots, self.dimensions, grid) for id, slots in self.plan.cubes.items()}
        self.subjects = {
            name: SubjectFold(plan.contract, endless=endless)
            for name, plan in self.plan.metrics.items()
            if plan.contract.type in ("funnel", "sessions", "join")
        }
        self.sources = Sources(
            {name: max(v.lateness_ms for v in versions.values()) for name, versions in contracts.events.items()}
        )
        self.wanted: dict[str, dict[Span, int]] = {}
        self.stamp = 0
        self.faults: dict[str, str] = {}
        """By metric, the last fault that should not have been: whoever holds the fold tells of it."""
