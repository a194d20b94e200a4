"""Documents, patches, expressions, inputs and ids that make no sense: an AobError says so, and nothing else happens.

Whatever is accepted runs: no law breaks on it, and it can be looked at from every side.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import aob
from aob.compose import App
from aob.core.errors import AobError, OurError
from aob.core.expression import EvalError, ExpressionError, compile_expression
from aob.core.policy import LOCAL
from tests.runs.home import Deed, flow, fn

# Thousands by hand: AOB_FUZZ_EXAMPLES=3000 pytest tests/fuzz/test_malformed.py
EXAMPLES: Final = int(os.environ.get("AOB_FUZZ_EXAMPLES", "150"))
FUZZ: Final = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=False, suppress_health_check=list(HealthCheck)
)

LEAVES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.sampled_from(["a", "b", "x", "success", "failure", "approved", "inputs.a", "nodes.a.output", "nodes.zzz.output",
                     "1 +", "now", "item", "loop.index", "2h", "-1s", "1e999", "echo", "script:x",
                     "$ref", "{a}", "{", "\ud800"]),
)  # fmt: skip
JSON: Final = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)

KINDS: Final[list[dict[str, Any]]] = [
    fn(), fn("double", input={"n": "inputs.n"}), {"kind": "branch"}, {"kind": "join"},
    {"kind": "timer", "config": {"for": "1h"}}, {"kind": "wait", "config": {"message": "m", "key": "inputs.k"}},
    {"kind": "approval", "config": {"role": "r", "form": {"x": "string"}}, "timeout": {"deadline": "1h"}},
    {"kind": "map", "config": {"items": "inputs.list"}, "body": {"nodes": {"x": fn()}, "edges": {}}},
    {"kind": "loop", "config": {"max": 2}, "body": {"nodes": {"x": fn()}, "edges": {}}},
    {"kind": "notify", "config": {"to": "mailto:a@example.com", "text": "hi"}},
    {"kind": "http", "config": {"url": "http://127.0.0.1:1/x"}},
    {"kind": "agent", "config": {"task": "t", "model": "script:x"}},
    {"kind": "object", "config": {"op": "get", "key": "k"}},
]  # fmt: skip

WAYS: Final[list[dict[str, Any]]] = [
    {}, {"on": "failure"}, {"on": "approved"}, {"when": "inputs.n > 1"}, {"else": True},
]  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document that is nearly right: right kinds and edges, and a few places where something else stands."""
    names = ["a", "b", "c", "d"][: draw(st.integers(1, 4))]
    nodes = {name: dict(draw(st.sampled_from(KINDS))) for name in names}
    edges = {
        f"e{n}": {"from": draw(st.sampled_from(names)), "to": draw(st.sampled_from(names)),
                  **draw(st.sampled_from(WAYS))}
        for n in range(draw(st.integers(0, 5)))
    }  # fmt: skip
    document = {"workflow": "w", "nodes": nodes, "edges": edges}
    for _ in range(draw(st.integers(0, 2))):
        document = spoilt(draw, document)
    return document


def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """The value with something else in one place."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value, key=str)))
        return {**value, key: spoilt(draw, value[key])}
    if isinstance(value, dict) and draw(st.booleans()):
        return {
            **value,
            draw(st.sampled_from(["x", "timeout", "retry", "input", "on", "when", "limits", "inputs", "output"])): draw(
                JSON
            ),
        }
    return draw(JSON)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator["House"]:
    with asyncio.Runner() as runner:
        opened = House(runner)
        home = aob.open(
            tmp_path_factory.mktemp("fuzz"), app=opened.deed.handlers(), store="memory://", blobs="memory://"
        )
        opened.app = runner.run(home.__aenter__())
        yield opened
        opened.deed.release()
        runner.run(home.__aexit__(None, None, None))


class House:
    """A home in memory, and its loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner, self.deed = runner, Deed()
        self.app: App

    def tried(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """What the work gives, or the error that a caller is to see; any other error is a bug."""

        async def attempt() -> Any:
            try:
                return await work()
            except OSError as error:
                raise AssertionError("an OSError reached a caller") from error
            except OurError:
                raise
            except AobError as error:
                return error

        told = self.runner.run(attempt())
        assert not isinstance(told, AobError) or told.detail
        return told

    def looked_at(self, run_id: str) -> dict[str, Any]:
        """A run from every side; it must not have been set aside."""

        async def look() -> Any:
            views = self.app.views
            run = await views.run(LOCAL, run_id)
            await views.timeline(LOCAL, run_id)
            why = await views.why(LOCAL, run_id)
            await views.tickets(LOCAL, run_id=run_id)
            for node in run["graph"]["nodes"]:
                await views.replay(LOCAL, run_id, from_node=node)
                break
            return run, why

        run, why = self.runner.run(look())
        assert "quarantined" not in why["sentence"], why
        return dict(run)


@FUZZ
@given(document=documents(), inputs=JSON)
def test_a_document_is_refused_with_its_problems_or_runs(house: House, document: Any, inputs: Any) -> None:
    app = house.app
    problems = house.tried(lambda: checked(app, document))
    pushed = house.tried(lambda: app.views.push(LOCAL, document))
    if isinstance(pushed, AobError):
        assert isinstance(problems, AobError) or problems or pushed.code != "invalid", pushed
        return
    assert problems == []
    started = house.tried(lambda: app.views.start(LOCAL, pushed["workflow"], inputs))
    if not isinstance(started, AobError):
        house.looked_at(started["run_id"])
        house.tried(lambda: app.views.fork(LOCAL, started["run_id"], from_node="a"))
        house.tried(lambda: app.views.cancel(LOCAL, started["run_id"]))
        house.looked_at(started["run_id"])


async def checked(app: App, document: Any) -> Any:
    return await app.views.validate(LOCAL, document)


@FUZZ
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")) | JSON.map(
    lambda value: yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace")
))  # fmt: skip
def test_bytes_that_are_no_document_are_refused(house: House, data: bytes) -> None:
    for work in (lambda: checked(house.app, data), lambda: house.app.views.push(LOCAL, data)):
        house.tried(work)


OPS: Final = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "add_node", "connect", "insert_between",
                            "replace_config", "disable", "remove_node", "disconnect", "zzz"])},
    optional={
        "path": st.sampled_from(["/nodes/b", "/nodes/z", "/edges/a-b", "/nodes/-", "", "/", "nodes",
                                 "/nodes/b/config/handler", "/workflow", "/nodes/a", "/edges", "/nodes", "/inputs",
                                 "/nodes/b/body/nodes/x"]),
        "from": st.sampled_from(["/nodes/b", "/nodes/a", "a", "b", "z", "/x", ""]),
        "to": st.sampled_from(["a", "b", "c", "z"]),
        "id": st.sampled_from(["a", "b", "c", "z", "", "a/b", "x" * 70]),
        "node": st.sampled_from(KINDS) | JSON, "value": JSON,
        "config": JSON, "on": st.sampled_from(["success", "failure", "zzz"]), "when": st.text(max_size=5),
    },
)  # fmt: skip


@FUZZ
@given(operations=st.lists(OPS | JSON, max_size=4), body=st.fixed_dictionaries({}, optional={
    "base": JSON, "kind": JSON, "reason": JSON, "id": JSON,
}))  # fmt: skip
def test_a_patch_is_refused_with_its_problems_or_applied(house: House, operations: Any, body: Any) -> None:
    app = house.app

    async def begun() -> str:
        await app.push(
            flow("patched", {"a": {"kind": "wait", "config": {"message": "m"}}, "b": fn(), "c": fn()}, "a>b", "b>c")
        )
        return (await app.start("patched", {"n": 1})).id

    run_id = house.runner.run(begun())
    told = house.tried(lambda: app.views.propose(LOCAL, run_id, {**body, "operations": operations}))
    if not isinstance(told, AobError):
        patch_id = told["patch_id"]
        if told["state"] == "proposed":
            house.tried(lambda: app.views.approve_patch(LOCAL, patch_id))
        house.tried(lambda: app.views.rollback(LOCAL, patch_id))
    house.tried(lambda: app.views.replay(LOCAL, run_id, from_node="a", patches=[operations]))
    house.tried(lambda: app.views.patch_tag(LOCAL, "patched", "main", operations))
    house.looked_at(run_id)
    house.tried(lambda: app.views.message(LOCAL, run_id, "m", payload=1))
    house.looked_at(run_id)
    house.tried(lambda: app.views.cancel(LOCAL, run_id))


NAMES: Final = st.text(max_size=12) | st.sampled_from(
    ["run_", "run_x", "run_../../x", "../../etc/passwd", "workflow/default/w", "keyring/all", "a/b", "\x00", "\ud800",
     "x" * 5_000, "sha256:" + "0" * 64, "0" * 64, "v1.0", "main", "%2e%2e", "ticket_x", "'; drop table head; --"]
)  # fmt: skip


@FUZZ
@given(name=NAMES, value=JSON)
def test_any_id_is_an_answer_or_a_refusal(house: House, name: str, value: Any) -> None:
    views = house.app.views
    works: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: views.run(LOCAL, name), lambda: views.timeline(LOCAL, name), lambda: views.why(LOCAL, name),
        lambda: views.cancel(LOCAL, name, reason=name),
        lambda: views.message(LOCAL, name, name, key=name, payload=value, id=name),
        lambda: views.propose(LOCAL, name, value), lambda: views.patches(LOCAL, name),
        lambda: views.patch(LOCAL, name), lambda: views.approve_patch(LOCAL, name),
        lambda: views.rollback(LOCAL, name), lambda: views.ticket(LOCAL, name),
        lambda: views.answer(LOCAL, name, name, reason=name, values=value, command=name),
        lambda: views.blob(LOCAL, name), lambda: views.workflow(LOCAL, name, name),
        lambda: views.diff(LOCAL, name, name, name), lambda: views.patch_tag(LOCAL, name, name, value),
        lambda: views.start(LOCAL, name, value, key=name, tag=name, run_id=name),
        lambda: views.start_many(LOCAL, [value, {"workflow": name, "inputs": value, "key": name, "labels": value}]),
        lambda: views.runs(LOCAL, status=name, workflow=name, cursor=name, labels={name: name}),
        lambda: views.tickets(LOCAL, role=name), lambda: views.tickets(LOCAL, run_id=name),
        lambda: views.replay(LOCAL, name, from_node=name, assume=value),
        lambda: views.fork(LOCAL, name, from_node=name), lambda: views.create_key(LOCAL, name, [name], name),
        lambda: views.revoke_key(LOCAL, name), lambda: anext(views.follow(LOCAL, run_id=name, position=name)),
        lambda: anext(views.logs(LOCAL, name, node=name)),
        lambda: views.push(LOCAL, {"workflow": name, "nodes": value}, tag=name),
    ]  # fmt: skip
    for work in works:
        house.tried(work)
    assert views.authenticate(name.encode("utf-8", "replace").decode()) is None


TOKENS: Final = (
    "inputs", ".", "a", "[", "]", "(", ")", "1", "+", "-", "*", "/", "%", "'x'", "&&", "||", "!", "?", ":", "==", "<",
    "in", "has", "size", "matches", "timestamp", "duration", "nodes", "output", " ", ",", "{", "}", "now", "null",
    "9223372036854775807", "1e309", "all", "x",
)  # fmt: skip


@FUZZ
@given(text=st.text(max_size=30) | st.lists(st.sampled_from(TOKENS), max_size=14).map("".join), value=JSON)
def test_an_expression_is_refused_with_its_place_or_gives_a_value_or_an_error(text: str, value: Any) -> None:
    refusal = evaluated(text, value)
    assert refusal is None or refusal.strip()


def evaluated(text: str, value: Any) -> str | None:
    """Why it is no expression, or has no value; any other error is a bug."""
    try:
        expression = compile_expression(text, nodes=frozenset({"a"}), names=frozenset({"inputs", "nodes", "now"}))
        expression.eval({"inputs": value, "nodes": {"a": {"output": value}}, "now": None})
    except ExpressionError as error:
        return error.problem.message
    except EvalError as error:
        return str(error)
    return None
