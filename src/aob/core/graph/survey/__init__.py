"""Checks a canonical document and makes the plans of nodes and edges for the graph."""

from aob.core.graph.survey.edge_plan import EdgePlan
from aob.core.graph.survey.node_plan import NodePlan
from aob.core.graph.survey.survey import DOCUMENT_BYTES_MAX, BodyPlan, Survey

__all__ = ["DOCUMENT_BYTES_MAX", "BodyPlan", "EdgePlan", "NodePlan", "Survey"]
