"""Builds canonical documents by Python calls: `Workflow` writes the same documents that people write in YAML."""

from aob.core.graph.builder.kinds import Workflow

__all__ = ["Workflow"]
