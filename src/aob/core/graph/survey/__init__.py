"""A canonical document in; every problem of it, and the plans of nodes and edges from which a graph is made, out."""

from aob.core.graph.survey.edge_plan import EdgePlan
from aob.core.graph.survey.node_plan import NodePlan
from aob.core.graph.survey.survey import DOCUMENT_BYTES_MAX, BodyPlan, Survey

__all__ = ["DOCUMENT_BYTES_MAX", "BodyPlan", "EdgePlan", "NodePlan", "Survey"]
