"""Random documents and random valid patches of them, for the property tests of patches."""

import copy
from typing import Any

from hypothesis import strategies as st

from aob.core.graph.patch import PatchError, apply, compile_operations
from aob.core.graph.patch.pointer import format_pointer, parse_pointer

NAMES = ["a", "b", "c", "d", "e", "f"]
FRESH = ["p", "q", "r", "s", "t"]
WORDS = st.sampled_from(["x", "y", "z"])

leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2, width=16) | st.sampled_from(["", "s", "~/"])
MEMBERS = st.sampled_from(["", "a", "b", "~", "/", "0", "-"])
json_values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    nodes = {name: draw(node(names, depth)) for name in names}
    edges: dict[str, Any] = {}
    for number in range(draw(st.integers(0, 6))):
        first, second = draw(st.integers(0, len(names) - 1)), draw(st.integers(0, len(names) - 1))
        if first < second:
            edges[f"e{number}"] = {"from": names[first], "to": names[second]}
    return {"nodes": nodes, "edges": edges}


@st.composite
def node(draw: st.DrawFn, names: list[str], depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": "function", "config": {"handler": draw(WORDS), "tools": ["one", "two"]}}
    if draw(st.booleans()):
        made["input"] = {"value": f"nodes.{draw(st.sampled_from(names))}.output"}
    if draw(st.booleans()):
        made["retry"] = draw(st.integers(1, 3))
    if depth < 2 and draw(st.integers(0, 4)) == 0:
        made |= {"kind": "map", "config": {"items": "inputs.items", "tools": []}, "body": draw(bodies(depth + 1))}
    return made


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    made = {"workflow": "w", **draw(bodies())}
    if draw(st.booleans()):
        made["labels"] = {"team": draw(WORDS)}
    if draw(st.booleans()):
        made["output"] = {"total": f"nodes.{draw(st.sampled_from(sorted(made['nodes'])))}.output"}
    return made


def holders(document: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """(path of a body, the object that holds its nodes and edges), the root first."""
    found = [(path, document)]
    for name, value in document["nodes"].items():
        if "body" in value:
            found.extend(holders(value["body"], f"{path}/{name}" if path else name))
    return found


@st.composite
def operation(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """One operation that is likely valid on the document; nodes go only together with their edges."""
    path, holder = draw(st.sampled_from(holders(document)))
    base = "".join(f"/nodes/{name}/body" for name in path.split("/") if name)
    names, edges = sorted(holder["nodes"]) or ["none"], sorted(holder["edges"]) or ["none"]
    one, two, edge = draw(st.sampled_from(names)), draw(st.sampled_from(names)), draw(st.sampled_from(edges))
    fresh = draw(st.sampled_from(FRESH))
    at = f"{base}/nodes/{one}"
    ends = holder["edges"].get(edge, {"from": one, "to": two})
    new = draw(node([*names, *FRESH], 1))
    return draw(
        st.sampled_from(
            [
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
        )
    )


@st.composite
def patches(draw: st.DrawFn, document: dict[str, Any], size: int = 4) -> list[dict[str, Any]]:
    """RFC 6902 operations that apply to the document, compiled from operations of all sorts."""
    made: list[dict[str, Any]] = []
    now = document
    for _ in range(draw(st.integers(1, size))):
        try:
            compiled = compile_operations(now, [draw(operation(now))])
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
