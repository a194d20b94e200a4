"""Random workflows that compile, and random patches of them: the same random source gives the same documents."""

from random import Random
from typing import Final

from aob.core.answers import JsonObject
from aob.core.graph import HandlerFacts, check, normalise

HANDLER: Final = "work"
PURE: Final = "think"  # a handler that declares no effect
TRIES: Final = 40
DEPTH_MAX: Final = 2
_INNER: Final = ("branch", "join")
_WAITING: Final = ("timer", "wait", "approval")
_BODIES: Final = ("map", "loop")
_OUTCOMES: Final = {
    "branch": ("success",), "join": ("success",), "timer": ("success",), "wait": ("success", "success", "expired"),
    "approval": ("approved", "approved", "rejected", "expired"), "map": ("success", "success", "failure"),
    "loop": ("success", "failure"), "function": ("success", "success", "success", "failure"),
}  # fmt: skip


class Known(dict[str, HandlerFacts]):
    """Handlers of every name, without promises except for the one that has no effect."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> HandlerFacts:
        return HandlerFacts(name, "", "none" if name == PURE else "keyed")


def random_flow(dice: Random, name: str = "w", *, size: int = 7) -> JsonObject:
    """A document that compiles, in canonical form."""
    for _ in range(TRIES):
        document = {"workflow": name, **_body(dice, dice.randint(1, size), 0, "")}
        if dice.random() < 0.1:
            document["timeout"] = dice.choice(["30s", "1h"])
        canonical = normalise(document)
        if not check(canonical, Known()):
            return canonical
    return normalise({"workflow": name, "nodes": {"a": _function(dice), "b": _function(dice)},
                      "edges": {"e": {"from": "a", "to": "b"}}})  # fmt: skip


def purer(dice: Random, document: JsonObject, share: float) -> JsonObject:
    """The same document, where a share of the functions with an undeclared effect have none."""
    for _, body in _bodies(document):
        for node in body["nodes"].values():
            if node["kind"] == "function" and "effect" not in node and dice.random() < share:
                node["config"] = {"handler": PURE}
    return document


def random_inputs(dice: Random) -> JsonObject:
    """Inputs that the expressions of random flows read."""
    return {"n": dice.randint(0, 4), "items": [dice.randint(0, 4) for _ in range(dice.randint(0, 5))]}


def random_patch(dice: Random, document: JsonObject) -> list[JsonObject]:
    """Some operations on a document: most make sense, some never do."""
    made: list[JsonObject] = []
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        made.extend(_operations(dice, document))
    return made


# -- bodies ---------------------------------------------------------------------------------------------------------


def _body(dice: Random, count: int, depth: int, around: str) -> JsonObject:
    names = [f"{around}{letter}" for letter in "abcdefghij"[:count]]
    nodes = {name: _node(dice, name, depth) for name in names}
    edges: JsonObject = {}
    for number, name in enumerate(names[1:], 1):
        if dice.random() < 0.12 and nodes[name]["kind"] != "join":
            continue  # another entry
        for source in sorted(dice.sample(names[:number], min(number, dice.choice([1, 1, 1, 2, 3])))):
            edges[f"{source}_{name}"] = _edge(dice, nodes, source, name)
    for name, node in nodes.items():
        ins = sum(edge["to"] == name for edge in edges.values())
        outs = sum(edge["from"] == name for edge in edges.values())
        if (node["kind"] == "join" and not ins) or (node["kind"] == "branch" and not outs):
            nodes[name] = _function(dice)
            for edge in edges.values():
                if edge["from"] == name:
                    edge.pop("when", None)
        elif node["kind"] == "join" and node["config"].get("n", 0) > ins:
            node["config"] = {"mode": "any", "cancel_rest": True}
        else:
            _one_else(dice, edges, name, node)
    if dice.random() < 0.25:
        _race(dice, nodes, edges, around)
    return {"nodes": nodes, "edges": edges}


def _race(dice: Random, nodes: JsonObject, edges: JsonObject, around: str) -> None:
    """Several ways to one join that continues with the first and cancels the others."""
    end = f"{around}race"
    nodes[end] = {"kind": "join", "config": {"mode": "any", "cancel_rest": True}}
    source = dice.choice(["", *sorted(nodes)[:2]])
    for number in range(dice.randint(2, 4)):
        name = f"{around}r{number}"
        nodes[name] = _node(dice, name, DEPTH_MAX) if dice.random() < 0.5 else _function(dice)
        if nodes[name]["kind"] in _INNER:
            nodes[name] = _function(dice)
        on = "approved" if nodes[name]["kind"] == "approval" else "success"
        edges[f"{name}_{end}"] = {"from": name, "to": end, "on": on}
        if source and source != end and nodes[source]["kind"] == "function":
            edges[f"{source}_{name}"] = {"from": source, "to": name}


def _node(dice: Random, name: str, depth: int) -> JsonObject:
    bodies = _BODIES if depth < DEPTH_MAX else ()
    kind = dice.choice(["function"] * 7 + [*_INNER * 3, *_WAITING, *bodies])
    if kind == "function":
        return _function(dice)
    made: JsonObject = {"kind": kind, "config": _config(dice, kind, name)}
    if kind in _BODIES:
        made["body"] = _body(dice, dice.randint(1, 3), depth + 1, f"{name}_")
    if kind in {"wait", "approval"} and dice.random() < 0.5:
        made["timeout"] = {"deadline": dice.choice(["20s", "10m"])}
        if kind == "approval":
            made["timeout"]["expire"] = dice.choice(["", "approve", "reject", "expired"])
            if dice.random() < 0.3:
                made["timeout"]["remind"] = "5s"
    if dice.random() < 0.04:
        made["disabled"] = True
    return made


def _function(dice: Random) -> JsonObject:
    made: JsonObject = {"kind": "function", "config": {"handler": HANDLER}}
    if dice.random() < 0.7:
        made["retry"] = {"attempts": dice.randint(2, 4), "first": dice.choice(["1s", "5s"]), "jitter": 0.3}
    if dice.random() < 0.15:
        made["timeout"] = {"deadline": dice.choice(["15s", "2m"])}
    if dice.random() < 0.2:
        made["on_failure"] = dice.choice(["skip", "review"])
    if dice.random() < 0.4:
        made["effect"] = dice.choice(["none", "keyed", "once", "once"])
        made["on_uncertain"] = dice.choice(["ask", "repeat", "repeat"])
    if dice.random() < 0.04:
        made["disabled"] = True
    return made


def _config(dice: Random, kind: str, name: str) -> JsonObject:
    if kind == "branch":
        return {"mode": dice.choice(["first", "all"])}
    if kind == "join":
        mode = dice.choice(["all", "any", "any", "n"])
        config: JsonObject = {"mode": mode, **({"n": 2} if mode == "n" else {})}
        if dice.random() < 0.3:
            config["deadline"] = "30s"
        if dice.random() < 0.6:
            config["cancel_rest"] = True
        return config
    if kind == "timer":
        return {"for": dice.choice(["1s", "1m", "1h"])}
    if kind == "wait":
        return {"message": dice.choice(["paid", "sent"]), **({"key": '"k"'} if dice.random() < 0.3 else {})}
    if kind == "approval":
        escalate = [{"after": "8s", "do": dice.choice(["remind", "approve", "reject"])}]
        return {"role": "approve", **({"escalate": escalate} if dice.random() < 0.2 else {})}
    if kind == "map":
        items = dice.choice(["inputs.items", "[1, 2, 3]", "[]", "inputs.n"])
        return {"items": items, "window": dice.randint(1, 3), "failures": dice.choice([0, 0, 1, 5])}
    while_ = dice.choice(["", "", "loop.index < inputs.n", "loop.index == 0 || loop.previous != null"])
    return {"max": dice.randint(1, 3), "collect": dice.random() < 0.5, **({"while": while_} if while_ else {})}


def _edge(dice: Random, nodes: JsonObject, source: str, target: str) -> JsonObject:
    kind = nodes[source]["kind"]
    made = {"from": source, "to": target, "on": dice.choice(_OUTCOMES[kind])}
    if kind == "branch":
        made["when"] = dice.choice(["inputs.n > 1", "inputs.n > 2", "inputs.n == 0", "inputs.missing.n == 1"])
    return made


def _one_else(dice: Random, edges: JsonObject, source: str, node: JsonObject) -> None:
    mine = [edge for edge in edges.values() if edge["from"] == source]
    if node["kind"] == "branch" and mine and dice.random() < 0.8:
        chosen = dice.choice(mine)
        del chosen["when"]
        chosen["else"] = True


# -- patches --------------------------------------------------------------------------------------------------------


def _operations(dice: Random, document: JsonObject) -> list[JsonObject]:
    at, body = dice.choice(_bodies(document))
    names = sorted(body["nodes"])
    fresh = f"p{dice.randint(1, 30)}"
    one = dice.choice(names)
    node = {"op": "add", "path": f"{at}/nodes/{fresh}", "value": _node(dice, fresh, DEPTH_MAX)}
    verb = dice.choice(
        ["after", "after", "between", "alone", "remove", "disable", "disconnect", "connect", "tune", "once"]
    )
    if verb == "after":
        on = (
            dice.choice(_OUTCOMES[body["nodes"][one]["kind"]]) if body["nodes"][one]["kind"] in _OUTCOMES else "success"
        )
        return [node, {"op": "add", "path": f"{at}/edges/{one}_{fresh}", "value": {"from": one, "to": fresh, "on": on}}]
    if verb == "alone":
        return [node]
    if verb == "tune":
        return [{"op": "add", "path": f"{at}/nodes/{one}/retry", "value": dice.randint(1, 4)}]
    if verb == "once":
        return [{"op": "add", "path": f"{at}/nodes/{fresh}", "value": {**_function(dice), "effect": "once"}}]
    if verb == "disable":
        return [{"op": "add", "path": f"{at}/nodes/{one}/disabled", "value": True}]
    if verb == "connect":
        value = {"from": one, "to": dice.choice(names)}
        return [{"op": "add", "path": f"{at}/edges/x{dice.randint(1, 9)}", "value": value}]
    return _taking_away(dice, at, body, one, node, verb)


def _taking_away(dice: Random, at: str, body: JsonObject, one: str, node: JsonObject, verb: str) -> list[JsonObject]:
    edges = body.get("edges") or {}
    if verb == "remove":
        touching = [id for id, edge in edges.items() if one in (edge["from"], edge["to"])]
        return [{"op": "remove", "path": f"{at}/edges/{id}"} for id in touching] + [
            {"op": "remove", "path": f"{at}/nodes/{one}"}
        ]
    if not edges:
        return [node]
    id = dice.choice(sorted(edges))
    if verb == "disconnect":
        return [{"op": "remove", "path": f"{at}/edges/{id}"}]
    fresh = node["path"].rpartition("/")[2]
    return [
        node,
        {"op": "replace", "path": f"{at}/edges/{id}/to", "value": fresh},
        {"op": "add", "path": f"{at}/edges/{fresh}_on", "value": {"from": fresh, "to": edges[id]["to"]}},
    ]


def _bodies(document: JsonObject, at: str = "") -> list[tuple[str, JsonObject]]:
    found = [(at, document)]
    for name, node in document["nodes"].items():
        if "body" in node:
            found.extend(_bodies(node["body"], f"{at}/nodes/{name}/body"))
    return found
