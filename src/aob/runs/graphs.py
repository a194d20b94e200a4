"""Compiles documents to IR, cached by hash and shared by the runs that use them. Never stored: a lost cache costs a
compile. Accepted documents compile even if their handlers are not loaded (their visits wait); only new documents are
refused for a missing handler, and not while the worker that has it may be coming back."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from aob.core.answers import JsonObject
from aob.core.errors import Invalid, Problem, Unavailable
from aob.core.graph import UNKNOWN_HANDLER, Accepted, HandlerFacts, Handlers, compile_workflow
from aob.core.graph.compiled import IR, Node
from aob.core.graph.patch import apply
from aob.core.opening import RETRY_S
from aob.core.rules import RULES
from aob.core.value import Cell, decode

GRAPHS_MAX: Final = 4_096


class Expected(Accepted):
    """The loaded handlers, plus permissive facts for every other name. Safe: a visit whose handler is not loaded is not
    performed."""

    def __init__(self, loaded: Mapping[str, HandlerFacts]) -> None:
        self._loaded = loaded

    def __getitem__(self, name: str) -> HandlerFacts:
        if not name:
            raise KeyError(name)  # "" means no handler
        return self._loaded.get(name) or HandlerFacts(name, "", "none", True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)


class Versions:
    """Versions 0 to n of one graph: the base and each further patch, all by the rules that accepted the base."""

    __slots__ = ("_bodies", "_documents", "_handlers", "_irs", "rules")

    def __init__(
        self, documents: list[JsonObject], irs: list[IR], handlers: Mapping[str, HandlerFacts], rules: int = RULES
    ) -> None:
        self._documents, self._irs, self._handlers, self.rules = documents, irs, handlers, rules
        self._bodies: dict[tuple[int, str], IR] = {}

    @classmethod
    def base(cls, document: JsonObject, handlers: Handlers, rules: int = RULES) -> "Versions":
        """Only the base, which was checked when it was pushed. Raises Invalid if this release cannot read it."""
        return cls([document], [compile_workflow(document, Expected(handlers), rules)], handlers, rules)

    def __len__(self) -> int:
        return len(self._irs)

    def ir(self, version: int) -> IR:
        """The root body of a version."""
        return self._irs[version]

    def body(self, version: int, body: str) -> IR:
        """The body at a path of nodes. Raises KeyError if this version has none there."""
        found = self._bodies.get((version, body))
        if found is None:
            found = self._irs[version]
            for name in body.split("/"):
                inner = found.nodes[name].body
                if inner is None:
                    raise KeyError(body)
                found = inner
            self._bodies[(version, body)] = found
        return found

    def as_pushed(self, body: str, node: Node) -> bool:
        """Whether a node is unchanged since the pushed document: no patch has added or changed it."""
        try:
            base = self.body(0, body) if body else self.ir(0)
        except KeyError:
            return False
        known = base.nodes.get(node.id)
        return known is not None and known.hash == node.hash

    def document(self, version: int) -> JsonObject:
        """The complete document of a version."""
        return self._documents[version]

    def extended(self, operations: list[JsonObject]) -> "Versions":
        """A copy with one more version. Raises Invalid with every problem of the resulting document, Unavailable
        `workers_coming`."""
        try:
            return self._with(operations, self._handlers)
        except Invalid as invalid:
            check_known(self._handlers, invalid.problems)
            raise

    def again(self, operations: list[JsonObject]) -> "Versions":
        """A copy with one more version, by operations that were accepted before."""
        return self._with(operations, Expected(self._handlers))

    def _with(self, operations: list[JsonObject], handlers: Handlers) -> "Versions":
        document = apply(self._documents[-1], operations)
        ir = compile_workflow(document, handlers, self.rules)
        ir.mark_patched(self._irs[0])
        return Versions([*self._documents, document], [*self._irs, ir], self._handlers, self.rules)


class Graphs:
    """Versions by (tenant, artifact, rules number, overlays): a bounded cache over pure functions. `handlers_of` gives
    the handlers of a tenant."""

    def __init__(self, handlers_of: Callable[[str], Handlers]) -> None:
        self._handlers_of = handlers_of
        self._kept: OrderedDict[tuple[str, str, int, tuple[bytes, ...]], Versions] = OrderedDict()

    def get(self, tenant: str, artifact: str, rules: int, overlay: tuple[bytes, ...] = ()) -> Versions | None:
        """Cached versions."""
        key = (tenant, artifact, rules, overlay)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def make(
        self, tenant: str, artifact: str, rules: int, document: JsonObject, overlay: tuple[bytes, ...] = ()
    ) -> Versions:  # fmt: skip
        """Versions of a base document and the operations of patches, in order."""
        found = self.get(tenant, artifact, rules, overlay)
        if found is not None:
            return found
        if overlay:
            made = self.make(tenant, artifact, rules, document, overlay[:-1]).again(decode(overlay[-1]))
        else:
            made = Versions.base(document, self._handlers_of(tenant), rules)
        self._kept[(tenant, artifact, rules, overlay)] = made
        while len(self._kept) > GRAPHS_MAX:
            self._kept.popitem(last=False)
        return made


def overlay_key(operations: list[Cell] | tuple[Cell, ...]) -> tuple[bytes, ...]:
    """Applied operations as a cache key."""
    return tuple(bytes(cell) for cell in operations)


def check_known(handlers: Handlers, problems: Sequence[Problem]) -> None:
    """Raises Unavailable `workers_coming` where all that is wrong with a document are handlers that nobody has declared
    so far, and their workers may be on their way."""
    coming: Callable[[], bool] = getattr(handlers, "coming", bool)
    if problems and all(each.code == UNKNOWN_HANDLER for each in problems) and coming():
        what = f"{problems[0].message} so far: this process has just begun, and its workers may be on their way"
        hint = "ask again in a moment; what no worker has had so far needs one: aob worker FILE"
        raise Unavailable(what, code="workers_coming", hint=hint, retry_after_s=RETRY_S)
