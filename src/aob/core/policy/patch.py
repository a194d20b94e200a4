"""The gate of patches (O9): may this change happen at all, and does a person have to agree first?

In: documents before and after, rules of the home, what the run has spent. Out: a Verdict with problems and reasons.
Checks the text of a patch only; schema and graph are checked by core.graph, connections by the client that makes them.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from aob.core.errors import Problem
from aob.core.event.value import canonical
from aob.core.graph.patch.diff import diff
from aob.core.graph.patch.place import body_tokens
from aob.core.graph.patch.pointer import Document, Json, format_pointer
from aob.core.node import KINDS
from aob.core.policy.guard import Graph, new_ways, weakened_approvals
from aob.core.policy.host import Host, host_of, matches

AGENTS_MAX: Final = 5
"""Agents that patches may add to a run and all its descendants, unless the home or the workflow says otherwise."""

CALLER_KINDS: Final = ("agent", "optimizer", "plan", "person")

_INERT: Final = frozenset({"labels", "description", "priority", "timeout"})
"""Fields whose change makes no new effect of an old one."""

_URL_FIELDS: Final = {"http": "url", "notify": "to", "object": "store"}
"""By kind, the field of its config that may name a host."""

_STRENGTH: Final = {"none": 0, "keyed": 1, "once": 2}


class PatchRules(msgspec.Struct, frozen=True):
    """What a home allows patches to do.

    `hosts_allowed` None means any public host. Private hosts (loopback and metadata included) need a line in
    `private_hosts_allowed`. Patterns: `host`, `host:port`, `*.example.com`, a network such as `10.0.0.0/8`.
    `template_hosts_allowed` permits `{name}` in the host part of a URL. Patches of `trusted_kinds` never wait for a
    person, those of all others always do with `always_person`.
    """

    forbidden_kinds: tuple[str, ...] = ()
    hosts_allowed: tuple[str, ...] | None = None
    private_hosts_allowed: tuple[str, ...] = ()
    template_hosts_allowed: bool = False
    agents_max: int = AGENTS_MAX
    always_person: bool = False
    trusted_kinds: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The sha256 of the rules, 64 hexadecimal characters: an approval holds under the rules it was given under."""
        return sha256(canonical(self)).hexdigest()


class Verdict(msgspec.Struct, frozen=True):
    """`ok`: no problems. `needs_person`: somebody has to approve before it applies, for `reasons`, which say
    `adds an agent: clerk` and the like. `agents_added` counts against the spawn budget once the patch is applied."""

    ok: bool
    needs_person: bool
    reasons: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    agents_added: int = 0


def budget_left(rules: PatchRules, agents_used: int, document: Document | None = None) -> int:
    """Agents that patches may still add, 0 or more: asked before a model is called. The smaller one of the home's
    and the workflow's `limits: {agents}` counts."""
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
) -> Verdict:
    """Judge the change from `before` to `after`, both canonical and `after` already checked as a graph.

    `agents_used` counts what patches of this run and its descendants have added so far. `handler_effects` maps
    handler names to the effects that they declare.
    """
    review = _Review(before, after, rules, handler_effects or {})
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
    if rules.always_person:
        reasons = (*reasons, "the home asks a person about every patch")
    needs_person = bool(reasons) and caller_kind not in rules.trusted_kinds
    return Verdict(not problems, needs_person, reasons, tuple(problems), added)


class _Review:
    """One change, looked at node by node."""

    def __init__(
        self, before: Document, after: Document, rules: PatchRules, handler_effects: Mapping[str, str]
    ) -> None:
        self.before, self.after, self.rules, self.handler_effects = before, after, rules, handler_effects
        change = diff(before, after)
        self.fields = _object(change["fields"])
        nodes = _object(change["nodes"])
        self.added = {path: _object(node) for path, node in _object(nodes["added"]).items()}
        self.changed = {
            path: (_object(_object(pair)["before"]), _object(_object(pair)["after"]))
            for path, pair in _object(nodes["changed"]).items()
        }
        self.removed = set(_object(nodes["removed"]))
        self.edges_changed = any(_object(change["edges"]).values())
        self.agents_added = sorted(
            path for path, node, old in self.written() if _is_agent(node) and not _is_agent(old or {})
        )

    def written(self) -> Iterator[tuple[str, Document, Document | None]]:
        """(path, node now, node before or None) of the nodes that the patch adds or changes."""
        yield from ((path, node, None) for path, node in self.added.items())
        yield from ((path, now, old) for path, (old, now) in self.changed.items())

    def problems(self) -> Iterator[Problem]:
        """What may not happen, whoever agrees."""
        for section in self.fields.values():
            if "workflow" in _object(section):
                yield Problem("/workflow", "a patch cannot rename the workflow", hint="push it under the new name")
        for path, node, old in self.written():
            kind = str(node.get("kind"))
            if kind in self.rules.forbidden_kinds and kind != (old or {}).get("kind"):
                message = f"the home forbids nodes of kind `{kind}` in patches"
                yield Problem(_pointer(path, "kind"), message, "forbidden_kind", hint="use another kind")
            if old is None or _named(node) != _named(old):
                for field, url in _named(node):
                    yield from self._host_problem(_pointer(path, "config", field), url, kind)

    def _host_problem(self, path: str, url: str, kind: str) -> Iterator[Problem]:
        try:
            host = host_of(url)
        except ValueError as error:
            yield Problem(path, str(error), "host")
            return
        if kind == "http" and host.scheme not in {"http", "https", ""}:
            yield Problem(path, f"`{host.scheme}` is no scheme for http", "host", hint="use https")
        elif host.reach == "template":
            if not self.rules.template_hosts_allowed:
                hint = "write the host out; `{name}` may stand in the path, the query and the body"
                yield Problem(path, "the host of a URL in a patch cannot be filled in at run time", "host", hint=hint)
        elif host.reach != "public":
            if not matches(host, self.rules.private_hosts_allowed):
                hint = "a private host needs a line in the home's policy; a patch cannot allow it"
                yield Problem(path, f"`{host}` is {_reach(host)}", "private_host", hint=hint)
        elif self.rules.hosts_allowed is not None and not matches(host, self.rules.hosts_allowed):
            allowed = ", ".join(self.rules.hosts_allowed[:8]) or "none"
            yield Problem(path, f"the home does not allow the host `{host}`", "host", hint=f"allowed: {allowed}")

    def reasons(self) -> Iterator[str]:
        """Why a person has to agree."""
        for path, node, old in self.written():
            if _is_agent(node) and (old is None or _essence(node) != _essence(old)):
                yield f"{'adds' if path in self.agents_added else 'changes'} an agent: {path}"
            once = "once" in {self._effect(node), self._effect(old or {})}
            if once and (old is None or _essence(node) != _essence(old)):
                yield f"{'adds' if old is None else 'changes'} an effect that happens once: {path} ({node.get('kind')})"
            named = _hosts_of(node)
            if named:
                yield from (f"names a new host: {host}" for host in sorted(named - _hosts(self.before)))
        for section in self.fields.values():
            if "limits" in _object(section):
                yield "changes the limits of the workflow"
        for path, before, after in self._bodies():
            old_graph, new_graph = Graph(before), Graph(after)
            yield from weakened_approvals(old_graph, new_graph)
            for id in new_ways(old_graph, new_graph):
                if self._effect(new_graph.nodes[id]) == "once":
                    yield f"gives an effect that happens once a new way to run: {path}{id}"

    def _bodies(self) -> Iterator[tuple[str, Document, Document]]:
        """(path, before, after) of the bodies in which something changed; the root's path is empty."""
        paths = {path.rpartition("/")[0] for path in (*self.added, *self.changed, *self.removed)}
        pending: list[tuple[str, Document, Document]] = [("", self.before, self.after)]
        while pending:
            path, before, after = pending.pop()
            if before is after:
                continue
            if path in paths or self.edges_changed:
                yield f"{path}/" if path else "", before, after
            for id, node in _object(before.get("nodes")).items():
                if isinstance(node, dict) and isinstance(node.get("body"), dict):
                    now = _object(_object(after.get("nodes")).get(id))
                    inner = f"{path}/{id}" if path else id
                    pending.append((inner, _object(node["body"]), _object(now.get("body"))))

    def _effect(self, node: Document) -> str:
        """The strongest of what the node, its handler and its kind say: a patch cannot talk an effect down."""
        kind = KINDS.get(str(node.get("kind")))
        found = [str(node.get("effect", "none"))]
        config = _object(node.get("config"))
        found.append(self.handler_effects.get(str(config.get("handler")), "none"))
        if kind is not None:
            try:
                found.append(kind.effect(msgspec.convert(config, kind.config)))
            except msgspec.ValidationError:
                found.append("keyed")
        return max(found, key=lambda effect: _STRENGTH.get(effect, 0))


def _named(node: Document) -> list[tuple[str, str]]:
    """(field of the config, URL) of the URLs that a node names; targets by reference name no host."""
    field = _URL_FIELDS.get(str(node.get("kind")))
    if field is None:
        return []
    text = str(_object(node.get("config")).get(field, ""))
    by_reference = field != "url" and "://" not in text and not text.startswith(("{", "http:", "https:"))
    return [] if by_reference else [(field, text)]


def _hosts_of(node: Document) -> set[str]:
    found: set[str] = set()
    for _, url in _named(node):
        try:
            found.add(str(host_of(url)))
        except ValueError:
            continue
    return found


def _hosts(holder: Document) -> set[str]:
    """Hosts named anywhere in a document, bodies included."""
    found: set[str] = set()
    pending = [holder]
    while pending:
        for node in map(_object, _object(pending.pop().get("nodes")).values()):
            found |= _hosts_of(node)
            if isinstance(node.get("body"), dict):
                pending.append(_object(node["body"]))
    return found


def _reach(host: Host) -> str:
    return "an address that hands out credentials" if host.reach == "metadata" else "a private host"


def _is_agent(node: Document) -> bool:
    return node.get("kind") == "agent"


def _essence(node: Document) -> Document:
    return {name: value for name, value in node.items() if name not in _INERT}


def _pointer(path: str, *rest: str) -> str:
    *body, id = path.split("/")
    return format_pointer((*body_tokens(tuple(body)), "nodes", id, *rest))


def _object(value: Json) -> Document:
    return value if isinstance(value, dict) else {}
