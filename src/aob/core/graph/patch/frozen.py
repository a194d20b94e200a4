"""Finds changes of a patch that are forbidden because the run has dispatched the node (SEMANTICS 4.1), per scope."""

from collections.abc import Container
from typing import Final

from aob.core.errors import Problem
from aob.core.graph.patch.difference import diff
from aob.core.graph.patch.place import body_tokens
from aob.core.graph.patch.pointer import Document, Json, format_pointer
from aob.core.graph.patch.rollback import TUNABLE

FORK_HINT: Final = "fork the run from this node instead: a fork runs it anew under the changed graph"


def frozen_problems(
    before: Document,
    after: Document,
    dispatched: Container[str],
    decided: Container[str] = frozenset(),
    *,
    body: str = "",
) -> list[Problem]:
    """The forbidden changes in a scope of `body` (`""` the root, `each`, `each/inner`).

    `dispatched` holds the ids of nodes whose visit has begun there (inner nodes too), `decided` those that have an
    outcome, skipped ones included. Their definition is fixed, except for timeout, retry, priority, budget and labels;
    the body of a dispatched map or loop is checked in its own scopes. Edges to these nodes are fixed."""
    change = diff(before, after)
    problems: list[Problem] = []
    for id, old, new in _changes(change, "nodes", body):
        if (id in dispatched or id in decided) and (problem := _node_problem(id, old, new, body)):
            problems.append(problem)
    for id, old, new in _changes(change, "edges", body):
        ends = {_end(edge) for edge in (old, new)} - {""}
        held = sorted(end for end in ends if end in dispatched or end in decided)
        if held:
            verb = "added" if old is None else "removed" if new is None else "changed"
            problems.append(
                Problem(
                    format_pointer((*body_tokens(_ids(body)), "edges", id)),
                    f"edge `{id}` cannot be {verb}: `{held[0]}`, where it ends, was already dispatched",
                    code="frozen",
                    hint=FORK_HINT,
                )
            )
    return problems


def _node_problem(id: str, old: Json, new: Json, body: str) -> Problem | None:
    path = format_pointer((*body_tokens(_ids(body)), "nodes", id))
    if not isinstance(old, dict):
        return None
    if not isinstance(new, dict):
        return Problem(path, f"node `{id}` was already dispatched and cannot be removed", "frozen", hint=FORK_HINT)
    fields = sorted(
        name for name in {*old, *new} - TUNABLE if (name in old) != (name in new) or old.get(name) != new.get(name)
    )
    if not fields:
        return None
    what = ", ".join(f"`{name}`" for name in fields)
    allowed = ", ".join(sorted(TUNABLE))
    message = f"node `{id}` was already dispatched: {what} cannot change (only {allowed} can)"
    return Problem(path, message, code="frozen", hint=FORK_HINT)


def _changes(change: Document, what: str, body: str) -> list[tuple[str, Json, Json]]:
    """(id, before, after) of direct changes in this body; None where it does not exist."""
    section = change[what]
    found: list[tuple[str, Json, Json]] = []
    for verb, values in section.items() if isinstance(section, dict) else ():
        for path, value in values.items() if isinstance(values, dict) else ():
            around, _, id = path.rpartition("/")
            if around != body:
                continue
            if verb == "changed" and isinstance(value, dict):
                found.append((id, value["before"], value["after"]))
            else:
                found.append((id, value, None) if verb == "removed" else (id, None, value))
    return sorted(found, key=lambda item: item[0])


def _end(edge: Json) -> str:
    end = edge.get("to") if isinstance(edge, dict) else None
    return end if isinstance(end, str) else ""


def _ids(body: str) -> tuple[str, ...]:
    return tuple(body.split("/")) if body else ()
