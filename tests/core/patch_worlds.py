"""Random documents and random valid patches of them, for the property tests of patches."""

import copy
from typing import Any

from hypothesis import strategies as st

from aob.core.graph.patch import PatchError, apply, compile_operations
from aob.core.graph.patch.pointer import format_pointer, parse_pointer
from tests.core.dice import Dice, dice

NAMES = ["a", "b", "c", "d", "e", "f"]
FRESH = ["p", "q", "r", "s", "t"]
WORDS = ["x", "y", "z"]
DICE = dice(40)

leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2, width=16) | st.sampled_from(["", "s", "~/"])
MEMBERS = st.sampled_from(["", "a", "b", "~", "/", "0", "-"])
json_values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=12,
)


def body_of(dice: Dice, depth: int = 0) -> dict[str, Any]:
    """Nodes, some with a body of their own, and edges that go forwards."""
    left = list(NAMES)
    names = [left.pop(dice.below(len(left))) for _ in range(1 + dice.below(6))]
    nodes = {name: node_of(dice, names, depth) for name in names}
    edges: dict[str, Any] = {}
    for number in range(dice.below(7)):
        first, second = dice.below(len(names)), dice.below(len(names))
        if first < second:
            edges[f"e{number}"] = {"from": names[first], "to": names[second]}
    return {"nodes": nodes, "edges": edges}


def node_of(dice: Dice, names: list[str], depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": "function", "config": {"handler": dice.of(WORDS), "tools": ["one", "two"]}}
    if dice.below(2):
        made["input"] = {"value": f"nodes.{dice.of(names)}.output"}
    if dice.below(2):
        made["retry"] = 1 + dice.below(3)
    if depth < 2 and dice.below(5) == 4:
        made |= {"kind": "map", "config": {"items": "inputs.items", "tools": []}, "body": body_of(dice, depth + 1)}
    return made


def document_of(dice: Dice) -> dict[str, Any]:
    made = {"workflow": "w", **body_of(dice)}
    if dice.below(2):
        made["labels"] = {"team": dice.of(WORDS)}
    if dice.below(2):
        made["output"] = {"total": f"nodes.{dice.of(sorted(made['nodes']))}.output"}
    return made


DOCUMENTS = dice(60).map(document_of)


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Documents of some nodes, bodies and edges."""
    return DOCUMENTS


def holders(document: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """(path of a body, the object that holds its nodes and edges), the root first."""
    found = [(path, document)]
    for name, value in document["nodes"].items():
        if "body" in value:
            found.extend(holders(value["body"], f"{path}/{name}" if path else name))
    return found


def operation_of(dice: Dice, document: dict[str, Any]) -> dict[str, Any]:
    """One operation that is likely valid on the document; nodes go only together with their edges."""
    path, holder = dice.of(holders(document))
    base = "".join(f"/nodes/{name}/body" for name in path.split("/") if name)
    names, edges = sorted(holder["nodes"]) or ["none"], sorted(holder["edges"]) or ["none"]
    one, two, edge, fresh = dice.of(names), dice.of(names), dice.of(edges), dice.of(FRESH)
    at = f"{base}/nodes/{one}"
    ends = holder["edges"].get(edge, {"from": one, "to": two})
    new = node_of(dice, [*names, *FRESH], 1)
    operations: list[dict[str, Any]] = [
        {"op": "add_node", "id": fresh, "node": new, "in": path},
        {"op": "connect", "from": one, "to": two, "in": path},
        {"op": "insert_between", "id": fresh, "node": new, "edge": edge, **ends, "in": path},
        {"op": "replace_config", "id": one, "config": {"handler": fresh}, "in": path},
        {"op": "disable", "id": one, "in": path},
        {"op": "remove_node", "id": one, "in": path},
        {"op": "disconnect", "id": edge, "in": path},
        {"op": "replace", "path": f"{at}/config/handler", "value": fresh},
        {"op": "add", "path": f"{at}/config/tools/-", "value": fresh},
        {"op": "remove", "path": f"{at}/config/tools/0"},
        {"op": "move", "from": f"{at}/config/tools/0", "path": f"{at}/config/tools/1"},
        {"op": "copy", "from": f"{at}/config", "path": f"{base}/nodes/{two}/config"},
        {"op": "move", "from": f"{at}/retry", "path": f"{base}/nodes/{two}/retry"},
        {"op": "test", "path": f"{at}/kind", "value": "function"},
        {"op": "add", "path": at, "value": new},
        {"op": "add", "path": f"{base}/edges/{fresh}", "value": {"from": one, "to": two}},
        {"op": "replace", "path": f"{base}/edges/{edge}/to", "value": two},
        {"op": "add", "path": "/labels", "value": {"team": fresh}},
        {"op": "add", "path": "/output", "value": {"total": f"nodes['{one}'].output"}},
    ]
    return dice.of(operations)


@st.composite
def patches(draw: st.DrawFn, document: dict[str, Any], size: int = 4) -> list[dict[str, Any]]:
    """RFC 6902 operations that apply to the document, compiled from operations of all sorts."""
    made: list[dict[str, Any]] = []
    now, dice = document, draw(DICE)
    for _ in range(1 + dice.below(size)):
        try:
            compiled = compile_operations(now, [operation_of(dice, now)])
            now = apply(now, compiled)
        except PatchError:
            continue
        made.extend(compiled)
    return made


def spots(value: Any, at: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """Pointers to everything in a JSON value, itself included, and pointers at which something may be added."""
    there = [format_pointer(at)]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    free = ["a", "b", "0", "~", "/", ""] if isinstance(value, dict) else []
    if isinstance(value, list):
        free = ["-", *map(str, range(len(value) + 1))]
    open_at = [format_pointer((*at, name)) for name in free]
    for name, item in inner:
        deeper, more = spots(item, (*at, str(name)))
        there, open_at = there + deeper, open_at + more
    return there, open_at


@st.composite
def rfc_patches(draw: st.DrawFn, value: Any) -> list[dict[str, Any]]:
    """RFC 6902 operations of every verb that apply to any JSON value."""
    made: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 8))):
        there, open_at = spots(value)
        old, source, new = (draw(st.sampled_from(found)) for found in (there, there, [*open_at, ""]))
        verb = draw(st.sampled_from(["add", "add", "copy", "copy", "move", "move", "remove", "replace"]))
        step: dict[str, Any] = {"op": verb, "path": old if verb in {"remove", "replace"} else new}
        if verb in {"add", "replace"}:
            step["value"] = draw(json_values)
        if verb in {"move", "copy"}:
            step["from"] = source
        try:
            value = apply(value, [step])
        except PatchError:
            continue
        made.append(step)
    return made


def plainly_applied(value: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902 as plainly as it can be written, by copying everything: what `apply` is compared with."""
    holder = {"root": copy.deepcopy(value)}
    for step in operations:
        tokens = ("root", *parse_pointer(step["path"]))
        if step["op"] in {"move", "copy"}:
            source = ("root", *parse_pointer(step["from"]))
            moved = copy.deepcopy(_walk(holder, source))
            if step["op"] == "move":
                _drop(holder, source)
        else:
            moved = copy.deepcopy(step.get("value"))
        if step["op"] == "remove":
            _drop(holder, tokens)
            continue
        parent, last = _walk(holder, tokens[:-1]), tokens[-1]
        if isinstance(parent, dict):
            parent[last] = moved
        elif step["op"] == "replace":
            parent[int(last)] = moved
        else:
            parent.insert(len(parent) if last == "-" else int(last), moved)
    return holder["root"]


def _walk(value: Any, tokens: tuple[str, ...]) -> Any:
    for token in tokens:
        value = value[token] if isinstance(value, dict) else value[int(token)]
    return value


def _drop(value: Any, tokens: tuple[str, ...]) -> None:
    parent = _walk(value, tokens[:-1])
    del parent[tokens[-1] if isinstance(parent, dict) else int(tokens[-1])]
