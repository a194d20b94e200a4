"""Builds canonical documents by Python calls: `Workflow` writes the same documents that people write in YAML."""

from aob.core.graph.builder.kinds import CommonFields, Kinds, Loop, Map
from aob.core.graph.builder.step import Group, Port, Step
from aob.core.graph.builder.workflow import Workflow

__all__ = ["CommonFields", "Group", "Kinds", "Loop", "Map", "Port", "Step", "Workflow"]
