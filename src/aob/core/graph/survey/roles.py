"""Roles that an approval asks for: one of the platform's that is misspelt is found at load, or nobody would hold it."""

from collections.abc import Iterator

from aob.core.errors import Problem
from aob.core.graph.survey.node_plan import NodePlan
from aob.core.hint import slip_of
from aob.core.node import ROLES


def mistyped_roles(plan: NodePlan) -> Iterator[Problem]:
    """A problem for each role of an approval that misspells one of the platform's."""
    config = plan.config
    asked = [("role", config.role), *((f"escalate/{at}/role", rung.role) for at, rung in enumerate(config.escalate))]
    for place, role in asked:
        if near := slip_of(role, ROLES):
            path = f"{plan.path}/config/{place}"
            yield Problem(path, f"there is no role {role}", "unknown_role", hint=f"did you mean `{near}`?")
