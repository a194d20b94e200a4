"""The compiled graph that `decide` executes. In memory only, never stored, always rebuilt from documents.

Nodes hold their edges, and edges their target node: one attribute access per hop."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from aob.core.document.shape import Value
from aob.core.expression import Expression
from aob.core.graph.compiled.spec import NodeSpec, Task, WorkflowSpec
from aob.core.rules import FIRST_RULES, RULES


class Edge:
    """One edge of one body. `on` is the outcome of the source that offers it; `when` exists only on edges of a
    branch."""

    __slots__ = ("default", "id", "on", "order", "source", "target", "when")

    def __init__(
        self, id: str, source: "Node", target: "Node", on: str, when: Expression | None, order: int, default: bool
    ) -> None:
        self.id, self.source, self.target, self.on = id, source, target, on
        self.when, self.order, self.default = when, order, default


class Plan(NamedTuple):
    """The result of a plain completion of a node: the nodes that become jobs, and whether its scope then continues;
    `name` and `written` are its id and theirs as JSON."""

    ready: tuple[str, ...]
    goes_on: bool
    name: bytes
    written: bytes


class Node:
    """One node of one body.

    `outs` maps an outcome (`success`, `failure`, `approved`, ...) to its edges, ordered; `ins` lists the in-edges;
    `need` is their number. `spec` holds the decoded common fields, `config` the decoded struct of the kind. `inner`
    nodes are decided inside a decision and never become a job. `exprs` are the compiled CEL texts of the config by
    their key (`until key items while`). `hash` is the sha256 hex of the definition and of its handlers' versions.
    `rules` is the rules number that accepted the document. `patched` nodes were added by a patch and are checked again
    when they begin; `task` is the payload of its jobs; `late` nodes need work besides their job: that check, or a
    deadline."""

    __slots__ = (
        "_plan", "body", "config", "definition", "exprs", "hash", "id", "inner", "input", "ins", "kind", "late", "need",
        "outs", "patched", "rules", "spec", "task",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        kind: str,
        spec: NodeSpec,
        config: Value,
        definition: Mapping[str, Value],
        hash: str,
        rules: int = RULES,
    ) -> None:
        self.id, self.kind, self.spec, self.config = id, kind, spec, config
        self.definition, self.hash, self.rules = definition, hash, rules
        self.inner = self.patched = False
        self.late = bool(spec.timeout.deadline_ms)
        self.input: dict[str, Expression] | None = None
        self.exprs: dict[str, Expression] = {}
        self.outs: dict[str, tuple[Edge, ...]] = {}
        self.ins: tuple[Edge, ...] = ()
        self.need = 0
        self.body: IR | None = None
        self.task = Task(id, kind, config, spec, hash, rules)
        self._plan: Plan | Literal[False] | None = False

    @property
    def plan(self) -> Plan | None:
        """Computed at the first completion, when the graph is complete; None if a completion always leads to more."""
        if self._plan is False:
            edges = self.outs.get("success", ())
            ready = tuple(edge.target.id for edge in edges)
            more = any(edge.target.need != 1 or edge.target.inner or edge.target.late for edge in edges)
            goes_on = self.outs.keys() == {"success"}
            encode = msgspec.json.encode
            self._plan = None if more else Plan(ready, goes_on, encode(self.id), encode(ready))
        return self._plan


class IR:
    """One compiled body. `entry` are the nodes without in-edges, `sinks` those without out-edges, by id order; `rules`
    is the rules number of its compilation.

    `plain` says that the leaves of a pass are always its sinks (always under the first rules), `last` is the only such
    node, if there is just one: its output is that of the whole."""

    __slots__ = ("edges", "entry", "hash", "last", "nodes", "output", "plain", "rules", "sinks", "spec")

    def __init__(
        self, nodes: dict[str, Node], edges: dict[str, Edge], spec: WorkflowSpec, hash: str, rules: int = RULES
    ) -> None:
        self.nodes, self.edges, self.spec, self.hash, self.rules = nodes, edges, spec, hash, rules
        self.entry = tuple(node for _, node in sorted(nodes.items()) if not node.ins)
        self.sinks = tuple(node for _, node in sorted(nodes.items()) if not any(node.outs.values()))
        self.plain = rules == FIRST_RULES or all(map(_plain, nodes.values()))
        self.last = self.sinks[0] if self.plain and len(self.sinks) == 1 else None
        self.output: dict[str, Expression] | None = None

    def mark_patched(self, base: "IR | None") -> None:
        """Marks the nodes that differ from the base, also in bodies."""
        for node in self.nodes.values():
            before = base.nodes.get(node.id) if base is not None else None
            if before is None or before.hash != node.hash:
                node.patched = node.late = True
                if node.body is not None:
                    node.body.mark_patched(before.body if before is not None else None)


def _plain(node: Node) -> bool:
    """Whether a completed node takes all its edges, and runs as soon as one edge to it is taken."""
    if node.kind == "join" and node.config.mode == "n":
        return False
    return node.kind != "branch" and all(on == "success" for on in node.outs)
