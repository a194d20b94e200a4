"""Random workflows with effects and approvals, random patches of them, and what the world and people see of a run.

A handler is a function of its node's definition and its input that may fail; messages and answers of people are
functions of the visit. Two runs with the same `Fate` differ only by their graphs.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from aob.core.errors import AobError
from aob.core.graph import check, normalise
from aob.core.graph.patch import PatchError, apply, compile_operations
from aob.core.policy import Caller
from aob.core.policy.patch import PatchRules
from aob.core.run import Run, decide, evolve
from aob.core.run.record import commands as cmd
from aob.core.run.state import READY
from aob.core.run.stepping import Given, Needs
from aob.core.run.stepping.names import input_value
from aob.core.run.stepping.step import DeniedError, Step
from aob.core.value import canonical, digest_of, ref_in
from aob.runs.graphs import Expected, Versions

ANN = Caller("default", "ann", frozenset({"admin"}))
EFFECTS = {"calm": "none", "calm2": "none", "pay": "keyed", "send": "once"}
STEPS_MAX = 400
Seen = tuple[str, str, str, str]
"""What reached the world or a person: kind, place, target, input."""


class Fate:
    """What the world answers, by a seed: the same to the same question."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def roll(self, *parts: Any) -> int:
        return int.from_bytes(hashlib.sha256(repr((self.seed, *parts)).encode()).digest()[:4])


# -- documents ----------------------------------------------------------------------------------------------------


class Author:
    """Writes documents and patches, by dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # dice of a test
        self.fresh = (f"x{n}" for n in itertools.count())

    def document(self) -> dict[str, Any]:
        while True:
            names = iter("abcdefghijklmnopqrstuvwxyz_")
            made = normalise({"workflow": "w", **self.body(names, self.dice.randint(3, 6), 0, [])})
            if not check(made):
                return made

    def body(self, names: Iterator[str], size: int, depth: int, outer: list[str]) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        edges: dict[str, Any] = {}
        for _ in range(size):
            id = next(names)
            known = list(nodes)
            sources = self.dice.sample(known, min(len(known), self.dice.choice([0, 1, 1, 1, 2])))
            nodes[id] = self.node(names, depth, self.ancestors(edges, sources) + outer, bool(sources))
            for source in sources:
                edges[f"{source}{id}"] = {"from": source, "to": id, **self.way(nodes[source])}
        for id in nodes:
            self.finish(id, nodes, edges)
        return {"nodes": nodes, "edges": edges}

    def ancestors(self, edges: dict[str, Any], ids: list[str]) -> list[str]:
        found = list(ids)
        for id in found:
            found += [edge["from"] for edge in edges.values() if edge["to"] == id and edge["from"] not in found]
        return found

    def way(self, source: dict[str, Any]) -> dict[str, Any]:
        if source["kind"] == "approval":
            return {"on": self.dice.choice(["approved", "approved", "rejected"])}
        if source["kind"] in {"function", "map", "loop"} and self.dice.random() < 0.15:
            return {"on": "failure"}
        if "timeout" in source and source["kind"] == "wait" and self.dice.random() < 0.15:
            return {"on": "expired"}
        return {}

    def finish(self, id: str, nodes: dict[str, Any], edges: dict[str, Any]) -> None:
        """A branch gets conditions; one without edges becomes a function."""
        if nodes[id]["kind"] != "branch":
            return
        outs = [edge for edge in edges.values() if edge["from"] == id]
        if not outs:
            nodes[id] = self.calm([])
        for number, edge in enumerate(outs):
            before = self.ancestors(edges, [id])[1:]
            if number == len(outs) - 1 and self.dice.random() < 0.8:
                edge["else"] = True
            else:
                edge |= {"when": self.condition(before), "order": number}

    def condition(self, before: list[str]) -> str:
        if not before:
            return self.dice.choice(["inputs.n > 1", "inputs.n == 2"])
        id = self.dice.choice(before)
        return self.dice.choice(
            [f'string(nodes.{id}.output).matches("[0-7]")', f"nodes.{id}.output == 1", "inputs.n > 1"]
        )

    def calm(self, before: list[str]) -> dict[str, Any]:
        made: dict[str, Any] = {"kind": "function", "config": {"handler": self.dice.choice(["calm", "calm2"])}}
        return made | self.input(before) | ({"on_failure": "skip"} if self.dice.random() < 0.3 else {})

    def input(self, before: list[str]) -> dict[str, Any]:
        roll = self.dice.random()
        if roll < 0.35:
            return {}
        texts = ["inputs.n", str(self.dice.randint(0, 3)), *(f"nodes.{id}.output" for id in before)]
        return {"input": {"v": self.dice.choice(texts)}}

    def node(self, names: Iterator[str], depth: int, before: list[str], inner: bool) -> dict[str, Any]:
        kinds = ["calm"] * 5 + ["pay", "send", "approval", "wait", "timer"] + ["branch", "branch", "join"] * inner
        kinds += ["map", "loop"] * (depth < 1)
        kind = self.dice.choice(kinds)
        match kind:
            case "calm":
                return self.calm(before)
            case "pay" | "send":
                return {"kind": "function", "config": {"handler": kind}, **self.input(before)}
            case "approval":
                return {"kind": "approval", **self.input(before)}
            case "wait":
                deadline = {"timeout": {"deadline": "1h"}} if self.dice.random() < 0.4 else {}
                return {"kind": "wait", "config": {"message": self.dice.choice(["m", "o"])}, **deadline}
            case "timer":
                return {"kind": "timer", "config": {"for": self.dice.choice(["1s", "2h"])}}
            case "branch":
                return {"kind": "branch", "config": {"mode": self.dice.choice(["first", "all"])}}
            case "join":
                config = self.dice.choice(
                    [
                        {},
                        {"mode": "any"},
                        {"mode": "any", "cancel_rest": True},
                        {"deadline": "1s"},
                        {"mode": "n", "n": 1},
                    ]
                )
                return {"kind": "join", "config": config}
            case "map":
                config = {
                    "items": self.dice.choice(["[1, 2]", "[inputs.n]", *(f"[nodes.{id}.output]" for id in before)])
                }
                config |= {"failures": self.dice.choice([0, 0, 5])}
            case _:
                config = {
                    "max": 2,
                    "collect": self.dice.random() < 0.3,
                    **self.dice.choice([{}, {"while": "loop.index == 0 || loop.previous != 1"}]),
                }
        body = self.body(names, self.dice.randint(1, 3), depth + 1, before)
        return {"kind": kind, "config": config, "body": body}

    # -- patches --------------------------------------------------------------------------------------------------

    def patch(self, document: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Operations that apply and give a correct document; None when the dice gave none."""
        for _ in range(12):
            operations = [each for _ in range(self.dice.choice([1, 1, 2])) for each in self.operations(document)]
            try:
                compiled = compile_operations(document, operations)
                after = apply(document, compiled)
            except (PatchError, AobError):
                continue
            if not check(after) and after != document:
                return compiled
        return None

    def operations(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        bodies = list(_bodies(document))
        path, at, holder = self.dice.choice(bodies)
        ids, edges = list(holder["nodes"]), list(holder["edges"])
        id, other, fresh = self.dice.choice(ids), self.dice.choice(ids), next(self.fresh)
        before = self.ancestors(holder["edges"], [id])
        added = self.node((f"{fresh}{n}" for n in itertools.count()), 1, before, False)
        moves: list[list[dict[str, Any]]] = [
            [{"op": "add_node", "id": fresh, "node": added, "in": path},
             {"op": "connect", "from": id, "to": fresh, "in": path, **self.way(holder["nodes"][id])}],
            [{"op": "add_node", "id": fresh, "node": self.calm(before), "in": path},
             {"op": "connect", "from": id, "to": fresh, "in": path}],
            [{"op": "remove_node", "id": id, "in": path}],
            [{"op": "disable", "id": id, "in": path}],
            [{"op": "add", "path": f"{at}/nodes/{id}/input", "value": {"v": self.dice.choice(["inputs.n", "7"])}}],
            [{"op": "remove", "path": f"{at}/nodes/{id}/input"}],
            [{"op": "add", "path": f"{at}/nodes/{id}/on_failure", "value": self.dice.choice(["skip", "fail"])}],
            [{"op": "add", "path": f"{at}/nodes/{id}/retry", "value": 2}],
            [{"op": "add", "path": f"{at}/nodes/{id}/timeout", "value": {"deadline": "1s"}}],
            [{"op": "add", "path": f"{at}/nodes/{id}/labels", "value": {"a": "b"}}],
            [{"op": "connect", "from": id, "to": other, "in": path, **self.way(holder["nodes"][id])}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/handler",
              "value": self.dice.choice(["calm", "calm2", "pay"])}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/mode", "value": self.dice.choice(["all", "any"])}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/items", "value": "[3, 4, 5]"}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/failures", "value": 9}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/max", "value": 3}],
            [{"op": "add", "path": f"{at}/nodes/{id}/config/while", "value": "loop.index < 1"}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/for", "value": "3h"}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/config/message", "value": self.dice.choice(["m", "o", "q"])}],
            [{"op": "replace", "path": f"{at}/nodes/{id}/kind", "value": "approval"},
             {"op": "replace", "path": f"{at}/nodes/{id}/config", "value": {}}],
            [{"op": "add", "path": "/timeout", "value": "90m"}],
            [{"op": "replace", "path": f"{at}/nodes/{id}", "value": holder["nodes"][other]}],
        ]  # fmt: skip
        if edges:
            edge = self.dice.choice(edges)
            ends = {"from": holder["edges"][edge]["from"], "to": holder["edges"][edge]["to"], "edge": edge}
            moves += [
                [{"op": "disconnect", "id": edge, "in": path}],
                [{"op": "insert_between", "id": fresh, "node": self.calm([]), "in": path, **ends}],
                [{"op": "replace", "path": f"{at}/edges/{edge}/to", "value": other}],
                [{"op": "replace", "path": f"{at}/edges/{edge}/when", "value": self.condition(before[1:])}],
                [{"op": "add", "path": f"{at}/edges/{edge}/on", "value": self.dice.choice(["failure", "approved"])}],
            ]
        return self.dice.choice(moves)


def _bodies(holder: dict[str, Any], path: str = "", at: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield path, at, holder
    for id, node in holder["nodes"].items():
        if "body" in node:
            yield from _bodies(node["body"], f"{path}/{id}" if path else id, f"{at}/nodes/{id}/body")


# -- runs ---------------------------------------------------------------------------------------------------------


class Drama:
    """One run of a document under a fate, to its end or until nothing goes on. `seen` is what reached the world or a
    person, each place once in each pass."""

    def __init__(self, document: dict[str, Any], fate: Fate, inputs: Any) -> None:
        self.fate, self.now = fate, 1_700_000_000_000
        self.run = Run("run_1")
        self.values: dict[bytes, bytes] = {}
        self.given = Given(Versions.base(document, Expected({})), self.values, PatchRules(), EFFECTS)
        self.seen: set[Seen] = set()
        data = canonical(inputs)
        self.do(
            cmd.Start("run_1", "w", "sha256:00", "1.0", "main", "default", "ann", Raw(data), digest_of(data),
                      "full", "medium", 1, {})
        )  # fmt: skip
        for _ in range(STEPS_MAX):
            if self.run.final or not self._step():
                break

    def do(self, command: Any) -> None:
        try:
            decision = decide(self.run, command, self.given, self.now)
        except Needs as needs:
            raise AssertionError(f"a value is missing: {needs}") from needs
        self.values |= decision.values
        for event in decision.events:
            self.run = evolve(self.run, event)

    def _step(self) -> bool:
        """One thing happens: a job ends, a person answers, a message comes, a timer rings; by the fate of the visit."""
        run = self.run
        able: list[tuple[int, str, str]] = []
        able += [(self.fate.roll("turn", t.visit), "job", t.visit) for t in run.tokens.values() if t.state == READY]
        able += [(self.fate.roll("turn", t.visit), "ticket", t.id) for t in run.tickets.values() if not t.answer]
        able += [
            (self.fate.roll("turn", visit), "wait", visit) for visit in run.waits if self.fate.roll("sent", visit) % 3
        ]
        if not able and run.timers:
            timer = min(run.timers.values(), key=lambda each: (each.due_ms, each.id))
            self.now = max(self.now, timer.due_ms)
            self.do(cmd.Fire(timer.id))
            return True
        if not able:
            return False
        _, what, name = min(able)
        getattr(self, f"_{what}")(name)
        return True

    def _job(self, visit: str) -> None:
        token = self.run.tokens[visit]
        step = Step(self.run, self.given, self.now)
        scope = self.run.scopes[token.scope]
        node = step.ir_of(scope).nodes[token.node]
        try:
            value: Any = input_value(step, scope, node)
        except DeniedError:
            self.do(cmd.Fail(visit, token.attempt, Raw(b'{"code":"expression_failed","message":""}'), False))
            return
        handler = node.config.handler
        if max(EFFECTS[handler], node.spec.effect, key=["none", "keyed", "once"].index) != "none":
            self.seen.add(("effect", visit, handler, canonical(value).decode()))
        roll = self.fate.roll("work", handler, canonical(value), visit)
        if roll % 4 == 0:
            self.do(cmd.Fail(visit, token.attempt, Raw(b'{"code":"failed","message":""}'), False))
        else:
            data = canonical(roll % 3)
            self.do(cmd.Complete(visit, token.attempt, Raw(data), digest_of(data)))

    def _ticket(self, id: str) -> None:
        ticket = self.run.tickets[id]
        assert ref_in(msgspec.json.decode(ticket.shown)) is None
        self.seen.add(("ask", ticket.visit, "", bytes(ticket.shown).decode()))
        choice = "approve" if self.fate.roll("answer", ticket.visit) % 2 else "reject"
        self.do(cmd.Answer(id, choice, ANN))

    def _wait(self, visit: str) -> None:
        name, key = self.run.waits[visit]
        id = f"m{len(self.run.commands)}"
        payload = canonical(self.fate.roll("payload", name, len(self.run.commands)) % 3)
        self.do(cmd.Message(id, name, key, Raw(payload), digest_of(payload)))
