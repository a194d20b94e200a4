"""Finds misspelled platform roles in approvals at load, because no key would hold them."""

from collections.abc import Iterator

from aob.core.errors import Problem
from aob.core.graph.survey.node_plan import NodePlan
from aob.core.hint import slip_of
from aob.core.node import ROLES


def mistyped_roles(plan: NodePlan) -> Iterator[Problem]:
    """A problem for each role of an approval that misspells a platform role."""
    config = plan.config
    asked = [("role", config.role), *((f"escalate/{at}/role", rung.role) for at, rung in enumerate(config.escalate))]
    for place, role in asked:
        if near := slip_of(role, ROLES):
            path = f"{plan.path}/config/{place}"
            yield Problem(path, f"there is no role {role}", "unknown_role", hint=f"did you mean `{near}`?")
