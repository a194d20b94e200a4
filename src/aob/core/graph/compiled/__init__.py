"""Compiled documents: nodes and edges with their expressions, and the tasks of nodes as data."""

from aob.core.graph.compiled.ir import IR, Edge, Effect, Node, NodeSpec, Task, Timeouts, strongest

__all__ = ["IR", "Edge", "Effect", "Node", "NodeSpec", "Task", "Timeouts", "strongest"]
