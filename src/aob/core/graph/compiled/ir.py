"""The compiled graph that `decide` executes, with the facts of handlers and the decoded fields of nodes and of the
workflow: durations in ms, enumerations checked, defaults filled. In memory only, always rebuilt from documents. Nodes
hold their edges, and edges their target node: one attribute access per hop."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from aob.core.document.shape import Tree, Value
from aob.core.expression import Expression
from aob.core.node import KINDS
from aob.core.rules import FIRST_RULES, RULES

Effect = Literal["none", "keyed", "once"]
CachePolicy = Literal["off", "read_only", "read_through", "write_only"]
Priority = Literal["high", "medium", "low"]
OnFailure = Literal["fail", "skip", "review"]
OnUncertain = Literal["ask", "repeat", "verify"]
Mode = Literal["full", "fast"]
HandlersOf = Literal["latest", "pinned"]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
WorkerLabels = Annotated[dict[Label, Label], msgspec.Meta(max_length=32)]
_STRENGTH: Final = {"none": 0, "keyed": 1, "once": 2}


def strongest(effects: Iterable[str]) -> str:
    """The strongest of some effects; unknown ones count as `once`."""
    return max(effects, key=lambda effect: _STRENGTH.get(effect, 2))


class HandlerFacts(msgspec.Struct, frozen=True):
    """The declaration of a handler. `version` is the hash of its source or a text set by its author; `cpu` handlers run
    in a separate process; `input` is the JSON Schema of its arguments, None if unknown."""

    name: str
    version: str
    effect: Effect = "keyed"
    deterministic: bool = False
    cpu: bool = False
    doc: str = ""
    input: Tree | None = None


Handlers: TypeAlias = Mapping[str, HandlerFacts]  # the handlers of a home, by name
UNKNOWN_HANDLER: Final = "unknown_handler"
"""The code of a problem: a document names a handler that is not among them."""


class Accepted(Mapping[str, HandlerFacts]):
    """Handlers for compiling an already accepted document: their current declarations affect how it runs, but refuse
    nothing."""


class Retry(msgspec.Struct, frozen=True):
    """How often and how fast a visit is retried: wait = min(max, first * factor^(n-1)), jittered by a hash."""

    attempts: int = 1
    first_ms: int = 1_000
    factor: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.2


class Timeouts(msgspec.Struct, frozen=True):
    """In ms, 0 = none. `queue`: ready to start of work; `start`: until the first heartbeat; `run`: one attempt;
    `heartbeat`: between two heartbeats; `deadline`: the whole visit, with retries and waiting for people. `remind` and
    `expire` (the result of a ticket at its deadline) are for kinds that wait for a person."""

    queue_ms: int = 0
    start_ms: int = 0
    run_ms: int = 0
    heartbeat_ms: int = 0
    deadline_ms: int = 0
    remind_ms: int = 0
    expire: str = ""


class NodeSpec(msgspec.Struct, frozen=True):
    """Common fields of every node, decoded. `effect` is the strongest of the node's and the handler's; without a known
    handler the node's, else the kind's. Under the first rules the node's, else the handler's. `priority` None means the
    run's. `worker` are the labels that its worker must have, sorted."""

    retry: Retry = Retry()
    timeout: Timeouts = Timeouts()
    effect: Effect = "keyed"
    deterministic: bool = False
    cache: CachePolicy = "off"
    on_failure: OnFailure = "fail"
    on_uncertain: OnUncertain = "ask"
    verify: str = ""
    priority: Priority | None = None
    labels: dict[str, str] = {}
    hold: bool = True
    disabled: bool = False
    worker: tuple[tuple[str, str], ...] = ()


class Task(msgspec.Struct, frozen=True):
    """The work of a node as plain data for its performer. `hash` is the node's, `rules` the rules number that accepted
    its document; `config` is the struct of its kind, also after decoding."""

    id: str
    kind: str
    config: Any
    spec: NodeSpec
    hash: str
    rules: int

    def __post_init__(self) -> None:
        if type(self.config) is dict:
            config = msgspec.convert(self.config, KINDS[self.kind].config)
            msgspec.structs.force_setattr(self, "config", config)


class WorkflowSpec(msgspec.Struct, frozen=True):
    """Fields of the workflow as a whole, decoded. `agents_max` is the spawn budget of patches (SEMANTICS 4.4)."""

    name: str = ""
    inputs: dict[str, Any] | None = None
    run_ms: int = 0
    start_ms: int = 0
    priority: Priority = "medium"
    mode: Mode = "full"
    agents_max: int = 5
    labels: dict[str, str] = {}
    handlers: HandlersOf = "latest"


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
    """One node of one body. `outs` maps an outcome (`success`, `failure`, `approved`, ...) to its edges, ordered; `ins`
    lists the in-edges; `need` is their number. `spec` holds the decoded common fields, `config` the decoded struct of
    the kind. `inner` nodes are decided inside a decision and never become a job. `exprs` are the compiled CEL texts of
    the config by their key (`until key items while`). `hash` is the sha256 hex of the definition and of its handlers'
    versions. `rules` is the rules number that accepted the document. `patched` nodes were added by a patch and are
    checked again when they begin; `task` is the payload of its jobs; `late` nodes need work besides their job: that
    check, or a deadline."""

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
    is the rules number of its compilation. `plain` says that the leaves of a pass are always its sinks (always under
    the first rules), `last` is the only such node, if there is just one: its output is that of the whole."""

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
