"""The gate of patches (O9): whether a change of a document is allowed, and whether a person must approve it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.graph.compiled.ir import strongest
from aob.core.graph.patch.difference import diff
from aob.core.graph.patch.pointer import Document, Json, body_tokens, format_pointer, member_of, object_of
from aob.core.policy.effect import asks, effect_of, fills_host, hosts_in, hosts_of, is_free, named, secrets_of
from aob.core.policy.guard import Graph, essence, new_ways, weakened_approvals
from aob.core.policy.rules import PatchRules as PatchRules
from aob.core.policy.rules import host_problem
from aob.core.policy.taint import ENDS, Taint, concerned
from aob.core.policy.web import INPUTS, RUN, VERSION, Pair, Web, edge_changed

CALLER_KINDS: Final = ("agent", "optimizer", "plan", "person")

REASONS_MAX: Final = 32  # Reasons shown to the approver; the diff shows all changes.
LISTED_MAX: Final = 8  # Nodes named in one reason.

_QUIET: Final = frozenset(
    {"workflow", "nodes", "edges", "description", "labels", "priority", "mode", "output", "limits", "inputs"}
)
"""Fields of a workflow that affect no node; `inputs` and `labels` are followed through expressions."""

_FOLLOWED: Final = {INPUTS: "inputs", RUN: "labels"}  # By name in expressions, the field of the workflow it reads.


class Verdict(msgspec.Struct, frozen=True):
    """The result of a review. `ok`: no problems. `needs_person`: an approval is required, for `reasons` such as `adds
    an agent: clerk`. `agents_added` counts against the spawn budget once the patch is applied. `roles` and `barred` are
    those of the approvals concerned: the approver needs all of the roles. `reached`, of a fork, are nodes of the root
    that may not be copied."""

    ok: bool
    needs_person: bool
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    agents_added: int = 0
    roles: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    reached: frozenset[str] = frozenset()


def budget_left(rules: PatchRules, agents_used: int, document: Document | None = None) -> int:
    """Agents that patches may still add, 0 or more: checked before a model is called. The smaller limit of the home and
    of the workflow's `limits: {agents}` applies."""
    limits = (document or {}).get("limits")
    own = limits.get("agents") if isinstance(limits, dict) else None
    allowed = min(rules.agents_max, own) if isinstance(own, int) else rules.agents_max
    return max(0, allowed - agents_used)


def review_patch(
    before: Document,
    after: Document,
    *,
    caller_kind: str,
    rules: PatchRules,
    agents_used: int,
    handler_effects: Mapping[str, str] | None = None,
    decided: Collection[str] = (),
    given: Collection[str] | None = None,
    author: str = "",
    tagged: bool = False,
) -> Verdict:
    """Judge the change from `before` to `after`, both canonical and `after` already checked as a graph. `agents_used`
    counts what patches of this run and its descendants have added so far. `handler_effects` maps handler names to their
    declared effects. `decided` are nodes of the root with a final outcome. Of a fork `given` are the nodes with a
    replaced output; the verdict then lists what the change reaches. `author` is the path of the proposing agent.
    `tagged`: the patch is one of a tag, so that later starts of that tag get another version."""
    review = _Review(before, after, rules, handler_effects or {}, decided, given or ())
    review.tagged, review.author, review.forks = tagged, author, given is not None
    problems = [*review.problems()]
    if caller_kind not in CALLER_KINDS:
        message = f"`{caller_kind[:40]}` is no kind of author"
        problems.append(Problem("/kind", message, hint=f"use one of {', '.join(CALLER_KINDS)}"))
    left = budget_left(rules, agents_used, before)
    added = len(review.agents_added)
    if added > left:
        message = f"the patch adds {added} agents and the run may add {left} more"
        problems.append(Problem("/nodes", message, "agent_budget", hint="do it with fewer agents"))
    reasons = tuple(dict.fromkeys(review.reasons()))
    if len(reasons) > REASONS_MAX:
        reasons = (*reasons[:REASONS_MAX], f"and {len(reasons) - REASONS_MAX} more")
    if rules.always_person:
        reasons = (*reasons, "the home asks a person about every patch")
    needs_person = bool(reasons) and caller_kind not in rules.trusted_kinds
    roles, barred = review.asked() if reasons else ((), ())
    reached = review.taint.roots() if given is not None else frozenset()
    return Verdict(not problems, needs_person, reasons, tuple(problems), added, roles, barred, reached)


def refused_now(node: Document, base: Document | None, rules: PatchRules, agents_used: int) -> str:
    """Why a node added by a patch may not begin under these rules, empty when it may: the third layer. `base` is the
    node before all patches, whose kind and hosts are not checked; `agents_used` counts what patches have added."""
    kind, before = str(node.get("kind")), base or {}
    if kind in rules.forbidden_kinds and kind != before.get("kind"):
        return f"the home forbids nodes of kind `{kind}` in patches now"
    if _is_agent(node) and not _is_agent(before) and agents_used > rules.agents_max:
        return f"patches may add {rules.agents_max} agents to a run now, and they have added {agents_used}"
    for field, url in named(node) if named(node) != named(before) else ():
        for problem in host_problem(f"/config/{field}", url, kind, rules):
            return f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    return ""


class _Review:
    """The review of one change, node by node."""

    def __init__(
        self,
        before: Document,
        after: Document,
        rules: PatchRules,
        handler_effects: Mapping[str, str],
        decided: Collection[str],
        given: Collection[str],
    ) -> None:
        self.before, self.after, self.rules, self.handler_effects = before, after, rules, handler_effects
        self.decided, self.given = decided, given
        self.tagged, self.author, self.forks = False, "", False
        change = diff(before, after)
        self.fields = object_of(change["fields"])
        nodes = object_of(change["nodes"])
        self.added = {path: object_of(node) for path, node in object_of(nodes["added"]).items()}
        self.changed = {
            path: (object_of(object_of(pair)["before"]), object_of(object_of(pair)["after"]))
            for path, pair in object_of(nodes["changed"]).items()
        }
        self.removed = set(object_of(nodes["removed"]))
        self.edges_changed = any(object_of(change["edges"]).values())
        self.agents_added = sorted(
            path for path, node, old in self.written() if _is_agent(node) and not _is_agent(old or {})
        )

    def written(self) -> Iterator[tuple[str, Document, Document | None]]:
        """(path, node after, node before or None) of the nodes that the patch adds or changes."""
        yield from ((path, node, None) for path, node in self.added.items())
        yield from ((path, now, old) for path, (old, now) in self.changed.items())

    def problems(self) -> Iterator[Problem]:
        """What is forbidden even with approval."""
        for section in self.fields.values():
            if "workflow" in object_of(section):
                yield Problem("/workflow", "a patch cannot rename the workflow", hint="push it under the new name")
        for path, node, old in self.written():
            kind = str(node.get("kind"))
            if kind in self.rules.forbidden_kinds and kind != (old or {}).get("kind"):
                message = f"the home forbids nodes of kind `{kind}` in patches"
                yield Problem(_pointer(path, "kind"), message, "forbidden_kind", hint="use another kind")
            if old is None or named(node) != named(old):
                for field, url in named(node):
                    yield from host_problem(_pointer(path, "config", field), url, kind, self.rules)

    def reasons(self) -> Iterator[str]:
        """Why a person must approve."""
        for path, node, old in self.written():
            changed = old is None or essence(node) != essence(old)
            if _is_agent(node) and changed and not self._free(node):
                yield f"{'adds' if path in self.agents_added else 'changes'} an agent: {path}"
            for host in sorted(hosts_of(node) - self.hosts):
                if not is_free(node, (rule for rule in self.rules.free if rule.host)):
                    yield f"names a new host: {host}"
            for name in sorted(secrets_of(node) - secrets_of(old or {})):
                yield f"gives `{path}` the secret {name}"
        for section in self.fields.values():
            if "limits" in object_of(section):
                yield "changes the limits of the workflow"
        yield from self._written_effects()
        for path, before, after in self._bodies():
            old_graph, new_graph = Graph(before), Graph(after)
            yield from weakened_approvals(old_graph, new_graph)
            for id in new_ways(old_graph, new_graph):
                if self._effect(new_graph.nodes[id]) == "once":
                    yield f"gives an effect that happens once a new way to run: {path}{id}"
        yield from self._ways()

    def _written_effects(self) -> Iterator[str]:
        """Effects and approvals in the patch itself, and edges that leave an approval."""
        for path, pair in self.web.nodes.items():
            if pair.old is pair.new:
                continue
            verb = "adds" if pair.old is None else "removes" if pair.new is None else "changes"
            if verb == "changes" and not self.web.changed(path):
                continue
            kind = str((pair.new or pair.old or {}).get("kind"))
            effect = strongest(map(self._effect, pair.both()))
            if any(map(asks, pair.both())):
                yield f"{verb} the approval `{path}`"
            elif kind == "agent" and pair.new is not None:
                continue
            elif any(map(self._counts, pair.both())):
                yield f"{verb} an effect{' that happens once' if effect == 'once' else ''}: {path} ({kind})"
            elif any(map(self._fills, pair.both())):
                yield f"{verb} a request to a host that is filled in: {path}"
        for edge, source in self._left():
            yield f"changes what follows the approval `{source}`: edge {edge}"

    def _left(self) -> Iterator[tuple[str, str]]:
        """(edge, approval) of the patch's edges that leave an approval."""
        for body in self.web.bodies.values():
            for id, pair in body.edges.items():
                for edge in pair.both() if edge_changed(pair) else ():
                    source = body.prefix + str(edge.get("from"))
                    if any(map(asks, self.web.nodes.get(source, _NOWHERE).both())):
                        yield f"{body.prefix}{id}", source

    def _ways(self) -> Iterator[str]:
        """Effects and approvals that depend on the patch, each with the way."""
        loud = sorted({name for section in self.fields.values() for name in object_of(section)} - _QUIET)
        if loud and self.standing:
            yield f"changes `{', '.join(loud)}` of the workflow, on which effects and approvals hang"
        held: dict[str, list[str]] = defaultdict(list)
        for path in self.reached:
            before, ends, _ = self.taint.way(path).partition(ENDS)
            if ends:
                held[before].append(path)
                continue
            nodes = list(self.web.nodes[path].both())
            noun = "approval" if any(map(asks, nodes)) else "effect" if any(map(self._counts, nodes)) else "host of"
            yield f"changes what the {noun} `{path}` depends on: {before}"
        for way, paths in held.items():
            yield f"changes what could end the run before {_listed(paths)}: {way}"

    def asked(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Roles required by the approvals concerned, and callers they bar."""
        hit = [path for path in self.standing if self.taint.reaches(path)]
        hit += [source for _, source in self._left()]
        configs = [object_of((self.web.nodes[path].old or {}).get("config")) for path in concerned(self.web, hit)]
        barred = [name for config in configs for name in _texts(config.get("not"))]
        return tuple(sorted({str(config.get("role", "approve")) for config in configs})), tuple(sorted({*barred}))

    @cached_property
    def web(self) -> Web:
        return Web(self.before, self.after)

    @cached_property
    def taint(self) -> Taint:
        fields = {name for section in self.fields.values() for name in object_of(section)}
        names = {name for name, field in _FOLLOWED.items() if field in fields} | ({VERSION} if self.tagged else set())
        return Taint(self.web, names, self.decided, self.given, self._readers())

    def _readers(self) -> list[str]:
        """Agents that are shown the graph with all texts: their answers may depend on any of it. The author of the
        patch knows it; a fork copies their answers to the earlier graph."""
        if self.forks or self.before == self.after:
            return []
        return [
            path for path, pair in self.web.nodes.items()
            if path != self.author
            and any(
                _is_agent(node) and member_of(node, "config").get("patch") is True and self._counts(node)
                for node in pair.both()
            )
        ]  # fmt: skip

    @cached_property
    def hosts(self) -> set[str]:
        return hosts_in(self.before)

    @cached_property
    def standing(self) -> list[str]:
        """Effects and approvals of either document that are not decided yet."""
        return [
            path for path, pair in self.web.nodes.items()
            if path.partition("/")[0] not in self.decided
            and any(asks(node) or self._counts(node) or self._fills(node) for node in pair.both())
        ]  # fmt: skip

    @cached_property
    def reached(self) -> list[str]:
        """Effects and approvals that the patch reaches but does not contain."""
        return [
            path for path in self.standing
            if self.taint.reaches(path) and None not in self.web.nodes[path] and not self.web.changed(path)
        ]  # fmt: skip

    def _bodies(self) -> Iterator[tuple[str, Document, Document]]:
        """(path, before, after) of the changed bodies; the root's path is empty."""
        paths = {path.rpartition("/")[0] for path in (*self.added, *self.changed, *self.removed)}
        pending: list[tuple[str, Document, Document]] = [("", self.before, self.after)]
        while pending:
            path, before, after = pending.pop()
            if before is after:
                continue
            if path in paths or self.edges_changed:
                yield f"{path}/" if path else "", before, after
            for id, node in object_of(before.get("nodes")).items():
                if isinstance(node, dict) and isinstance(node.get("body"), dict):
                    now = object_of(object_of(after.get("nodes")).get(id))
                    inner = f"{path}/{id}" if path else id
                    pending.append((inner, object_of(node["body"]), object_of(now.get("body"))))

    def _effect(self, node: Document) -> str:
        return effect_of(node, self.handler_effects)

    def _counts(self, node: Document) -> bool:
        """Whether the node has an effect that needs approval."""
        return self._effect(node) != "none" and not self._free(node)

    def _fills(self, node: Document) -> bool:
        """Whether the input of the node chooses its host."""
        return fills_host(node) and not self._free(node)

    def _free(self, node: Document) -> bool:
        return is_free(node, self.rules.free)


_NOWHERE: Final = Pair(None, None)


def _listed(paths: list[str]) -> str:
    shown = ", ".join(f"`{path}`" for path in paths[:LISTED_MAX])
    return shown if len(paths) <= LISTED_MAX else f"{shown} and {len(paths) - LISTED_MAX} more"


def _texts(value: Json) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_agent(node: Document) -> bool:
    return node.get("kind") == "agent"


def _pointer(path: str, *rest: str) -> str:
    *body, id = path.split("/")
    return format_pointer((*body_tokens(tuple(body)), "nodes", id, *rest))
