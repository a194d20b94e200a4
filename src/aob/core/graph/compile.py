"""Compiles a checked document to the graph that `decide` executes: equal documents and handlers give equal hashes."""

import hashlib
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from aob.core.document.shape import Tree
from aob.core.errors import Invalid
from aob.core.graph.compiled.ir import IR, Edge, Handlers, Node, WorkflowSpec
from aob.core.graph.survey import BodyPlan, EdgePlan, NodePlan, Survey
from aob.core.rules import FIRST_RULES, RULES
from aob.core.value import canonical

COMPILER_VERSION: Final = "1"  # Part of every hash of an IR: a change of the meaning of compilation gives other graphs.

_BODY_SPEC: Final = WorkflowSpec()


def compile_workflow(document: Tree, handlers: Handlers | None = None, rules: int = RULES) -> IR:
    """The IR of a canonical document by the rules that accepted it. Raises Invalid with its problems; `handlers=None`
    checks no handlers."""
    survey = Survey(document, handlers, rules)
    if survey.problems or survey.root is None:
        name = survey.spec.name or "this document"
        raise Invalid(f"{name} is not a correct workflow", tuple(survey.problems))
    compiler = _Compiler(handlers, rules)
    root = compiler.body(survey.root, survey.spec, "")
    # The first rules have no number in the hash, for compatibility.
    meaning = COMPILER_VERSION if rules == FIRST_RULES else f"{COMPILER_VERSION}/{rules}"
    root.hash = _sha256(meaning.encode(), survey.raw, *compiler.versions)
    root.output = survey.output
    if rules != FIRST_RULES and survey.spec.start_ms:
        _begin_within(root, survey.spec.start_ms)
    return root


def _begin_within(root: IR, start_ms: int) -> None:
    """Limits how long the first jobs of a run wait for a worker."""
    for node in root.entry:
        times = node.spec.timeout
        if not node.inner and not times.queue_ms:
            node.spec = replace(node.spec, timeout=replace(times, queue_ms=start_ms))
            node.task = replace(node.task, spec=node.spec)


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


class _Compiler:
    """Makes nodes and edges from plans, and collects the versions of called handlers, in order."""

    def __init__(self, handlers: Handlers | None, rules: int) -> None:
        self.handlers, self.rules = handlers, rules
        self.versions: list[bytes] = []

    def body(self, plan: BodyPlan, spec: WorkflowSpec, hash: str) -> IR:
        """The graph of one body, sorted by id: equal documents give equal graphs, whatever their order."""
        nodes = {id: self._node(node) for id, node in sorted(plan.nodes.items())}
        edges = {edge.id: _edge(edge, nodes) for edge in sorted(plan.edges, key=attrgetter("id"))}
        _link(nodes, edges)
        made = IR(nodes, edges, spec, hash, self.rules)
        made.output = plan.output
        return made

    def _node(self, plan: NodePlan) -> Node:
        versions = self._versions_of(plan)
        raw = plan.raw
        if isinstance(plan.body, BodyPlan):
            inside = len(self.versions)
            body: IR | None = self.body(plan.body, _BODY_SPEC, "")
            versions = (*versions, *self.versions[inside:])
        else:
            body = None
        hash = _sha256(plan.canonical if body is None else canonical(raw), *versions)
        node = Node(plan.id, plan.kind.name, plan.spec, plan.config, raw, hash, self.rules)
        node.inner = plan.kind.inner or plan.kind.waits or plan.spec.disabled
        node.input, node.exprs, node.body = plan.input, plan.exprs, body
        if body is not None:
            body.hash = hash
        return node

    def _versions_of(self, plan: NodePlan) -> tuple[bytes, ...]:
        if self.handlers is None or not (plan.handlers or plan.definition.verify):
            return ()
        names = [name for _, name in plan.handlers] + [plan.definition.verify]
        versions = tuple(self.handlers[name].version.encode() for name in names if name in self.handlers)
        self.versions.extend(versions)
        return versions


def _edge(plan: EdgePlan, nodes: dict[str, Node]) -> Edge:
    edge = plan.definition
    return Edge(plan.id, nodes[edge.source], nodes[edge.target], edge.on, plan.when, edge.order, edge.default)


def _link(nodes: dict[str, Node], edges: dict[str, Edge]) -> None:
    """Attaches edges to nodes: out-edges by outcome, `order`, id, `else` last; in-edges by id."""
    outs: dict[tuple[str, str], list[Edge]] = {}
    ins: dict[str, list[Edge]] = {}
    for edge in edges.values():  # sorted by id
        outs.setdefault((edge.source.id, edge.on), []).append(edge)
        ins.setdefault(edge.target.id, []).append(edge)
    for (id, on), found in outs.items():
        if len(found) > 1:
            found.sort(key=attrgetter("default", "order", "id"))
        nodes[id].outs[on] = tuple(found)
    for id, found in ins.items():
        nodes[id].ins = tuple(found)
        nodes[id].need = len(found)
