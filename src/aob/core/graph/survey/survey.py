"""Reads a whole document once, for `check` and for `compile_workflow`, so that the checked plans are the compiled
ones."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.document.shape import Tree, Value, escape
from aob.core.errors import Problem
from aob.core.expression import Expression
from aob.core.expression.tree import Constant
from aob.core.graph.compiled.ir import Handlers, WorkflowSpec
from aob.core.graph.definition import ID_HINT, ID_PATTERN, WorkflowDefinition
from aob.core.graph.survey.edge_plan import EdgePlan, Order, dead_reason, order_of, read_edge, wrong_together
from aob.core.graph.survey.node_plan import NodePlan, kind_of, mistyped_roles, read_node, read_struct
from aob.core.graph.survey.resolve import resolve_workflow
from aob.core.graph.survey.visible_names import ROOT_NAMES, VisibleNames, expression_at
from aob.core.instant import EXAMPLE, moment_of
from aob.core.json_schema.problems import bad_schema
from aob.core.node import Kind
from aob.core.rules import LATER, RULES, WORKER_RULES
from aob.core.value import canonical

SECRET_RULES: Final = 2  # since these rules a document may not contain secrets
NODES_MAX: Final = 10_000  # nodes of a document, bodies included
EDGES_MAX: Final = 50_000
BODY_DEPTH_MAX: Final = 8  # nesting depth of bodies
DOCUMENT_BYTES_MAX: Final = 1024 * 1024  # bytes of a document in canonical JSON, or as received

_ID: Final = re.compile(ID_PATTERN)


class BodyPlan:
    """A body that was read: its nodes, edges, order, and `output` if any."""

    __slots__ = ("edges", "nodes", "order", "output", "path")

    def __init__(self, path: str, nodes: dict[str, NodePlan], edges: list[EdgePlan], order: Order) -> None:
        self.path, self.nodes, self.edges, self.order = path, nodes, edges, order
        self.output: dict[str, Expression] | None = None


class Place(msgspec.Struct, frozen=True):
    """The context of a body: its path, the names inside it, visible outer nodes, ids around it, depth."""

    path: str
    names: frozenset[str]
    outer: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()
    depth: int = 0


class Survey:
    """The result for one document under given rules. If `problems` is empty, all else is complete."""

    def __init__(self, document: Value, handlers: Handlers | None, rules: int = RULES) -> None:
        self.problems: list[Problem] = []
        self.handlers, self.rules = handlers, rules
        self.raw = b""
        self.spec = WorkflowSpec()
        self.output: dict[str, Expression] | None = None
        self.root: BodyPlan | None = None
        self._schema = b""
        self._nodes = self._edges = 0
        if self._fits(document):
            self._read(document)

    def _wrong(self, path: str, message: str, code: str, hint: str = "") -> None:
        self.problems.append(Problem(path, message, code, hint=hint))

    def _seen(self, place: "Place", order: Order, mask: int = -1, here: str = "") -> VisibleNames:
        return VisibleNames(place.names, place.outer, order, mask, here, self._schema, self.rules)

    def _fits(self, document: object) -> bool:
        if not isinstance(document, dict):
            self._wrong("", "a document is an object", "bad_type", hint="begin with `workflow:`")
            return False
        try:
            self.raw = canonical(document)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self._wrong("", f"the document is not JSON: {error}", "bad_type")
            return False
        if len(self.raw) > DOCUMENT_BYTES_MAX:
            message = f"a document of {len(self.raw):,} bytes is over the limit of {DOCUMENT_BYTES_MAX:,}"
            self._wrong("", message, "too_large")
            return False
        return True

    def _read(self, document: Tree) -> None:
        if "nodes" not in document:
            self._wrong("", "`nodes` is missing", "missing", "add `nodes:`")
        alone = {**document, "nodes": {}, "edges": {}}
        definition = read_struct(alone, WorkflowDefinition, "", self.problems)
        if definition is not None:
            if not _ID.fullmatch(definition.workflow):
                message = f"{definition.workflow[:80]!r} is not the name of a workflow"
                self._wrong("/workflow", message, "bad_id", hint=ID_HINT)
            self.spec = resolve_workflow(definition, self.problems)
            if definition.handlers != "latest" and self.rules < WORKER_RULES:
                why = f"`handlers` needs rules {WORKER_RULES}, not {self.rules}"
                self._wrong("/handlers", why, "unknown_key", LATER)
            self._read_inputs(definition.inputs)
        top = Place("", ROOT_NAMES)
        self.root = self._body(document, top)
        if definition is not None and definition.output is not None and self.root is not None:
            self.output = self._expressions(definition.output, "/output", self._seen(top, self.root.order))

    def _read_inputs(self, inputs: Tree | None) -> None:
        if inputs is None:
            return
        before = len(self.problems)
        if inputs.get("type", "object") != "object":
            hint = "write type: object, and the inputs as its properties"
            self._wrong("/inputs/type", "the inputs of a workflow are an object", "bad_schema", hint=hint)
        else:
            self.problems.extend(bad_schema(inputs, "/inputs"))
        if len(self.problems) == before:
            self._schema = canonical(inputs)

    # -- bodies -------------------------------------------------------------------------------------------------

    def _body(self, raw: Tree, place: Place) -> BodyPlan | None:
        """The plan of the root or of a body; adds all its problems."""
        nodes, edges = raw.get("nodes", {}), raw.get("edges", {})
        for key, value in (("nodes", nodes), ("edges", edges)):
            if not isinstance(value, dict):
                self._wrong(f"{place.path}/{key}", f"`{key}` must be a map by id", "bad_type")
        if not isinstance(nodes, dict) or not isinstance(edges, dict) or not self._counted(nodes, edges, place):
            return None
        if not nodes and "nodes" in raw:
            self._wrong(f"{place.path}/nodes", "there is no node to begin with", "no_entry", hint="add a node")
        plans = self._nodes_of(nodes, place)
        links = self._edges_of(edges, {id: kind_of(node) for id, node in nodes.items()}, place)
        order = self._order(nodes, links, plans, place)
        body = BodyPlan(place.path, plans, links, order)
        self._look_around(body, place)
        return body

    def _counted(self, nodes: Tree, edges: Tree, place: Place) -> bool:
        self._nodes += len(nodes)
        self._edges += len(edges)
        for what, count, limit in (("nodes", self._nodes, NODES_MAX), ("edges", self._edges, EDGES_MAX)):
            if count > limit:
                self._wrong(f"{place.path}/{what}", f"{count:,} {what} are over the limit of {limit:,}", "too_large")
                return False
        return True

    def _nodes_of(self, nodes: Tree, place: Place) -> dict[str, NodePlan]:
        plans = {}
        for id, raw in nodes.items():
            path = f"{place.path}/nodes/{escape(id)}"
            if not _ID.fullmatch(id):
                self._wrong(path, f"{id[:80]!r} is not an id of a node", "bad_id", hint=ID_HINT)
            elif id in place.around:
                hint = "give it another id: expressions could not tell the two apart"
                self._wrong(path, f"`{id}` is a node around this body", "duplicate_id", hint=hint)
            plan = read_node(id, raw, path, self.handlers, self.problems, self.rules)
            if plan is not None:
                plans[id] = plan
                if self.rules >= SECRET_RULES:
                    found = plan.kind.refused(plan.config)
                    self.problems += (msgspec.structs.replace(p, path=f"{path}/config{p.path}") for p in found)
        return plans

    def _edges_of(self, edges: Tree, kinds: Mapping[str, Kind | None], place: Place) -> list[EdgePlan]:
        plans = []
        for id, raw in edges.items():
            path = f"{place.path}/edges/{escape(id)}"
            if not _ID.fullmatch(id):
                self._wrong(path, f"{id[:80]!r} is not an id of an edge", "bad_id", hint=ID_HINT)
            plan = read_edge(id, raw, path, kinds, self.problems)
            if plan is not None:
                plans.append(plan)
        return plans

    def _order(self, nodes: Tree, edges: list[EdgePlan], plans: dict[str, NodePlan], place: Place) -> Order:
        self.problems.extend(wrong_together(edges, plans))
        for plan in edges:
            plan.dead = dead_reason(plan.definition, plans.get(plan.definition.source))
        order = order_of(nodes, edges)
        for cycle in order.cycles:
            path = f"{place.path}/nodes/{escape(cycle[0])}"
            hint = "edges form no cycle; to do something again, use a node of kind loop"
            self._wrong(path, f"a cycle: {' → '.join(cycle)}", "cycle", hint=hint)
        if order.loose and len(order.loose) == len(order.index):
            hint = "leave one node without an edge to it"
            self._wrong(f"{place.path}/nodes", "there is no node to begin with", "no_entry", hint=hint)
        inside = {id for cycle in order.cycles for id in cycle}
        for id, why in order.unreached.items():
            if id not in inside:
                self._wrong(f"{place.path}/nodes/{escape(id)}", f"`{id}` can never be reached: {why}", "unreachable")
        return order

    # -- what needs the order -----------------------------------------------------------------------------------

    def _look_around(self, body: BodyPlan, place: Place) -> None:
        order = body.order
        ins = dict.fromkeys(order.index, 0)
        for edge in body.edges:
            ins[edge.definition.target] += 1
        for id, plan in body.nodes.items():
            number = order.index[id]
            mask = -1 if id in order.loose else order.before[number]
            sight = self._seen(place, order, mask & ~(1 << number), id)
            if plan.definition.input:
                plan.input = self._expressions(plan.definition.input, f"{plan.path}/input", sight)
            elif plan.definition.input is not None:
                plan.input = {}
            if plan.kind.name == "join":
                self._check_join(plan, ins[id])
            if plan.kind.body or "body" in plan.raw:
                self._enter(plan, sight, place)
            for expression in plan.kind.expressions:
                text = getattr(plan.config, expression.attribute)
                if text:
                    names = _inside(place, plan.kind)
                    seen = msgspec.structs.replace(sight, names=names) if expression.inside else sight
                    path = f"{plan.path}/config/{expression.key}"
                    made = expression_at(text, path, seen, self.problems, expression.gives)
                    if made is not None:
                        plan.exprs[expression.key] = made
            if plan.kind.name == "timer" and self.rules >= 2:
                self._check_until(plan)
            if plan.kind.name == "approval" and self.rules >= 2:
                self.problems.extend(mistyped_roles(plan))
        for edge in body.edges:
            if edge.definition.when is not None:
                source = edge.definition.source
                mask = -1 if source in order.loose else order.before[order.index[source]]
                sight = self._seen(place, order, mask, source)
                edge.when = expression_at(edge.definition.when, f"{edge.path}/when", sight, self.problems, ("bool",))

    def _expressions(self, texts: Mapping[str, str], path: str, sight: VisibleNames) -> dict[str, Expression]:
        made = {}
        for name, text in texts.items():
            expression = expression_at(text, f"{path}/{escape(name)}", sight, self.problems)
            if expression is not None:
                made[name] = expression
        return made

    def _check_until(self, plan: NodePlan) -> None:
        """Finds an invalid time text at load."""
        text: Value = plan.config.until if plan.config.until and not plan.config.until_expression else None
        if "until" in plan.exprs:
            root = plan.exprs["until"].tree.root
            text = root.value if isinstance(root, Constant) else None
        if isinstance(text, str):
            try:
                moment_of(text)
            except ValueError as error:
                hint = f"write {EXAMPLE}, or CEL giving a timestamp"
                self._wrong(f"{plan.path}/config/until", str(error), "bad_timer", hint=hint)

    def _check_join(self, plan: NodePlan, ins: int) -> None:
        path = f"{plan.path}/config"
        if not ins:
            hint = "add edges to it, or remove it"
            self._wrong(plan.path, f"join `{plan.id}` has nothing to wait for", "bad_join", hint=hint)
        elif plan.config.mode == "n" and not 1 <= plan.config.n <= ins:
            message = f"`n` is {plan.config.n}, and {ins} edge{'s' if ins > 1 else ''} lead to `{plan.id}`"
            self._wrong(f"{path}/n", message, "bad_join", hint=f"write a number from 1 to {ins}")

    def _enter(self, plan: NodePlan, sight: VisibleNames, place: Place) -> None:
        """Reads the body of a node, if it should have one."""
        kind, raw, path = plan.kind, plan.raw.get("body"), f"{plan.path}/body"
        if not kind.body:
            self._wrong(path, f"a {kind.name} has no body", "bad_body", hint="only map and loop have one")
        elif not isinstance(raw, dict):
            message = f"{kind.name} `{plan.id}` has no body"
            self._wrong(plan.path, message, "missing", hint="add body: {nodes: …, edges: …}")
        elif place.depth >= BODY_DEPTH_MAX:
            self._wrong(path, f"bodies stand more than {BODY_DEPTH_MAX} deep in one another", "too_large")
        else:
            for key in raw.keys() - {"nodes", "edges", "output"}:
                hint = "a body has nodes, edges and output"
                self._wrong(f"{path}/{escape(key)}", f"unknown key `{key}`", "unknown_key", hint=hint)
            if "nodes" not in raw:
                self._wrong(path, "`nodes` is missing", "missing", hint="add `nodes:`")
            index = sight.order.index
            before = frozenset(id for id, number in index.items() if sight.mask >> number & 1)
            inner = Place(
                path, _inside(place, kind), place.outer | before, place.around | index.keys(), place.depth + 1
            )
            plan.body = body = self._body(raw, inner)
            if body is not None and raw.get("output") is not None:
                read = read_struct({"output": raw["output"]}, _Output, path, self.problems)
                if read is not None:
                    seen = self._seen(inner, body.order)
                    body.output = self._expressions(read.output, f"{path}/output", seen)


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `output` of a body on its own."""

    output: dict[str, str] = {}


def _inside(place: Place, kind: Kind) -> frozenset[str]:
    return place.names | {kind.name_in_body} if kind.name_in_body else place.names
