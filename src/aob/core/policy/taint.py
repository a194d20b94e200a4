"""Noninterference (SEMANTICS 4.4): the nodes that could run or end differently because of a patch, and the way. Ignores
effects; in doubt a node is reached. A failure that a patch adds counts where it is handled, and in a body; in the root
it ends the run, which is visible. A failure that no longer occurs counts: what it prevented could now run."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import Final, Literal, NamedTuple

from aob.core.graph.patch.pointer import Document, member_of
from aob.core.policy.web import INPUTS, RUN, VERSION, Body, Pair, Use, Web, edge_changed

Fact = Literal["run", "end"]
"""`run`: whether, how often, when or with what the node runs. `end`: how it ends, and its output."""

ARROW: Final = " -> "
ENDS: Final = " (its failure ends what is left)"


class Mark(NamedTuple):
    """A fact of one node."""

    path: str
    fact: Fact


class Taint:
    """What a patch reaches. `ways` maps each mark to its cause and the words for this step. `fields` are names in
    expressions whose value it changes, `readers` nodes that are shown the graph."""

    def __init__(
        self,
        web: Web,
        fields: Collection[str] = (),
        decided: Collection[str] = (),
        given: Collection[str] = (),
        readers: Collection[str] = (),
    ) -> None:
        self.web, self.decided = web, decided
        self.ways: dict[Mark, tuple[Mark | None, str]] = {}
        self._todo: deque[Mark] = deque()
        self._later: deque[Mark] = deque()
        self._safe: dict[str, int] = {}
        self._kept: dict[str, Order] = {}
        self._seed(fields)
        for path in given:
            self._mark(path, "end", None, f"{path} (its output)")
        for path in readers:
            self._mark(path, "run", None, f"{path} (is shown the graph)")
        while self._todo or self._later:
            if self._todo:
                self._follow(self._todo.popleft())
            else:  # direct ways are listed first
                mark = self._later.popleft()
                self._relax(self.web.body_of(mark.path), mark.path, mark, "")

    def reaches(self, path: str) -> bool:
        """Whether the patch could make the node run differently."""
        return Mark(path, "run") in self.ways

    def roots(self) -> frozenset[str]:
        """Nodes of the root that could run or end differently, or that contain such a node."""
        return frozenset(mark.path.partition("/")[0] for mark in self.ways)

    def way(self, path: str) -> str:
        """How the patch reaches a node: `score.input -> risky.when -> review`."""
        words: list[str] = []
        mark: Mark | None = Mark(path, "run")
        while mark is not None:
            mark, word = self.ways[mark]
            words.append(word)
        steps: list[str] = []
        for step in ARROW.join(filter(None, reversed(words))).split(ARROW):
            if steps and step.startswith(f"{steps[-1]} ("):
                steps.pop()
            if not steps or steps[-1] != step:
                steps.append(step)
        return ARROW.join(steps)

    # -- what the patch writes --------------------------------------------------------------------------------------

    def _seed(self, fields: Collection[str]) -> None:
        for path, (old, new) in self.web.nodes.items():
            if old is new:
                continue
            if old is None or new is None:
                self._mark(path, "run", None, f"{path} ({'added' if old is None else 'removed'})")
            elif places := self.web.changed(path):
                self._mark(path, "run", None, f"{path}.{places[0]}")
        for body in self.web.bodies.values():
            for id, pair in body.edges.items():
                if edge_changed(pair):
                    self._edge(body, id, pair)
        for name in (INPUTS, RUN, VERSION):
            if name in fields:
                for use in self.web.uses.get(name, ()):
                    self._use(use, None, name)

    def _edge(self, body: Body, id: str, pair: Pair) -> None:
        word = f"edge {body.prefix}{id}"
        for edge in pair.both():
            source, target = body.prefix + str(edge.get("from")), body.prefix + str(edge.get("to"))
            self._mark(target, "run", None, f"{word}{ARROW}{target}")
            if self._is(source, "branch"):
                self._mark(source, "end", None, f"{word}{ARROW}{source}")
            elif edge is pair.new and edge.get("on", "success") != "success":
                self._relax(body, source, None, word)
            for join in self._cancellers.get(body.path, ()):
                if {source, target} & {join, *self._before(body, join)}:
                    self._cancel(body, join, None, word)

    # -- how it goes on ---------------------------------------------------------------------------------------------

    def _mark(self, path: str, fact: Fact, cause: Mark | None, word: str) -> None:
        mark = Mark(path, fact)
        if mark not in self.ways and path in self.web.nodes and path.partition("/")[0] not in self.decided:
            self.ways[mark] = (cause, word)
            self._todo.append(mark)

    def _use(self, use: Use, cause: Mark | None, before: str = "") -> None:
        word = f"{before}{ARROW}{use.label}" if before else use.label
        self._mark(use.path, "end" if use.guard else "run", cause, word)

    def _follow(self, mark: Mark) -> None:
        path, body = mark.path, self.web.body_of(mark.path)
        if mark.fact == "run":
            self._mark(path, "end", mark, "")
            self._inside(path, mark)
            if path in self._cancellers.get(body.path, ()):
                self._cancel(body, path, mark, "")
            for other in self._rivals(path):
                self._mark(other, "end", mark, f"{other} (waits for the same message)")
            return
        for use in self.web.uses.get(path, ()):
            self._use(use, mark)
        for target in self._targets(path):
            self._mark(target, "run", mark, target)
        if body.path:
            self._outside(body.path, mark)
        self._later.append(mark)

    def _inside(self, owner: str, cause: Mark) -> None:
        """A body runs as often, and with what, as its node says."""
        body = self.web.bodies.get(owner)
        for path in body.nodes if body is not None else ():
            self._mark(path, "run", cause, path)

    def _targets(self, path: str) -> list[str]:
        return sorted(self.web.outs.get(path, ()))

    def _outside(self, owner: str, cause: Mark) -> None:
        """A body's output is its node's; a loop continues, and with what, by the output of its last pass."""
        self._mark(owner, "end", cause, f"{owner} (its body)")
        if self._is(owner, "loop"):
            self._inside(owner, cause)

    def _relax(self, body: Body, path: str, cause: Mark | None, word: str) -> None:
        """A failure of the node would have ended everything not surely decided before it."""
        old, _ = self.web.nodes.get(path, Pair(None, None))
        if old is None or not _may_fail(old):
            return
        if old.get("on_failure") == "skip" or path in self._failure_edges.get(body.path, ()):
            return  # in the document before, the run continued after its failure
        start = f"{word}{ARROW}" if word else ""
        for other in self._unsure(body, path):
            self._mark(other, "run", cause, f"{start}{path}{ENDS}{ARROW}{other}")

    def _unsure(self, body: Body, path: str) -> Iterator[str]:
        """Nodes of a body that may be undecided when the node begins, each once. Other passes of a body run
        concurrently, so in a body this is every node."""
        order = self._orders(body)
        safe = self._safe.get(body.path, -1)
        number = order.index[path]
        left = self._safe[body.path] = safe & (1 << number | (0 if body.path else order.before[number]))
        fresh = safe & ~left
        for number, other in enumerate(body.nodes if fresh else ()):
            if fresh >> number & 1:
                yield other

    def _cancel(self, body: Body, join: str, cause: Mark | None, word: str) -> None:
        """A join that cancels the rest cancels the nodes that lead to it."""
        for path in self._before(body, join):
            self._mark(path, "run", cause, f"{word}{ARROW if word else ''}{join} (cancels the rest){ARROW}{path}")

    # -- looking ----------------------------------------------------------------------------------------------------

    def _is(self, path: str, kind: str) -> bool:
        return any(node.get("kind") == kind for node in self.web.nodes.get(path, Pair(None, None)).both())

    @cached_property
    def _failure_edges(self) -> dict[str, frozenset[str]]:
        return {
            path: frozenset(
                body.prefix + str(old.get("from"))
                for old, _ in body.edges.values()
                if old is not None and old.get("on") in {"failure", "always"}
            )
            for path, body in self.web.bodies.items()
        }

    @cached_property
    def _waits(self) -> dict[str, list[str]]:
        """Nodes that wait for a message, by message name."""
        found: dict[str, list[str]] = {}
        for path in self.web.nodes:
            if self._is(path, "wait"):
                for name in self._messages(path):
                    found.setdefault(name, []).append(path)
        return found

    def _messages(self, path: str) -> set[str]:
        return {
            str(member_of(node, "config").get("message"))
            for node in self.web.nodes[path].both()
            if node.get("kind") == "wait"
        }

    def _rivals(self, path: str) -> Iterator[str]:
        """Other nodes that could receive a message for this one."""
        if self._is(path, "wait"):
            for name in self._messages(path):
                yield from (other for other in self._waits[name] if other != path)

    @cached_property
    def _cancellers(self) -> dict[str, frozenset[str]]:
        """Joins that cancel the nodes that lead to them, by path of the body."""
        found: dict[str, set[str]] = {}
        for path, pair in self.web.nodes.items():
            if any(node.get("kind") == "join" and member_of(node, "config").get("cancel_rest") for node in pair.both()):
                found.setdefault(path.rpartition("/")[0], set()).add(path)
        return {path: frozenset(joins) for path, joins in found.items()}

    def _before(self, body: Body, join: str) -> set[str]:
        """All nodes that lead to a node, in either document."""
        found: set[str] = set()
        frontier = [join]
        while frontier:
            for source in self.web.ins.get(frontier.pop(), ()):
                if source not in found and source in self.web.nodes:
                    found.add(source)
                    frontier.append(source)
        return found - {join}

    def _orders(self, body: Body) -> "Order":
        if body.path not in self._kept:
            self._kept[body.path] = Order(self.web, body)
        return self._kept[body.path]


class Order:
    """Which nodes of a body are surely decided when another begins, by the edges of the document before: bits of
    `before[i]` by `index`. A join that may begin early has waited for none of its sources."""

    def __init__(self, web: Web, body: Body) -> None:
        self.index = {path: number for number, path in enumerate(body.nodes)}
        after: list[list[int]] = [[] for _ in body.nodes]
        waits = [0] * len(body.nodes)
        for old, _ in body.edges.values():
            if old is None:
                continue
            source = self.index.get(body.prefix + str(old.get("from")))
            target = self.index.get(body.prefix + str(old.get("to")))
            if source is not None and target is not None:
                after[source].append(target)
                waits[target] += 1
        self.before = [0] * len(body.nodes)
        ready = [number for number, count in enumerate(waits) if not count]
        for number in ready:  # grows during iteration
            if _early(web.nodes[body.nodes[number]].old):
                self.before[number] = 0
            mask = self.before[number] | (1 << number)
            for target in after[number]:
                self.before[target] |= mask
                waits[target] -= 1
                if not waits[target]:
                    ready.append(target)


def concerned(web: Web, paths: Iterable[str]) -> list[str]:
    """Approvals of the document before that are or follow one of these nodes."""
    found: set[str] = set()
    seen: set[str] = set()
    frontier = list(paths)
    while frontier:
        path = frontier.pop()
        if path in seen or path not in web.nodes:
            continue
        seen.add(path)
        old = web.nodes[path].old
        if old is not None and old.get("kind") == "approval":
            found.add(path)
        frontier.extend(web.ins.get(path, ()))
        owner = path.rpartition("/")[0]
        if owner:
            frontier.append(owner)
    return sorted(found)


def _may_fail(node: Document) -> bool:
    kind = node.get("kind")
    return not (
        node.get("disabled") is True or kind == "join" or (kind == "timer" and "for" in member_of(node, "config"))
    )


def _early(node: Document | None) -> bool:
    config = member_of(node or {}, "config")
    return (node or {}).get("kind") == "join" and (config.get("mode", "all") != "all" or bool(config.get("deadline")))
