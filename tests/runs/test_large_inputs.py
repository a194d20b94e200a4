"""A start whose inputs lie beside the record, and whose first decision looks at them: every kind as the entry node."""

import random
from pathlib import Path
from typing import Any, Final

import pytest

import aob
from aob.core.node import KINDS
from aob.runs import values as values_room
from tests.runs.home import Deed, finished, flow, fn, ticket_of

SIZES: Final = (3_000, 5_000, 70_000, 300_000)
ONCE: Final = {"attempts": 1}
BODY: Final = {"nodes": {"in": fn(input={"value": "1"})}}


def entry(kind: str) -> dict[str, Any]:
    """A node of a kind that looks at the inputs in the decision of the start, where it can."""
    configs: dict[str, dict[str, Any]] = {
        "function": fn(input={"value": "size(inputs.text)"}),
        "http": {"config": {"url": "http://127.0.0.1:1/{key}"}, "input": {"key": "inputs.key"}, "retry": ONCE},
        "branch": {"config": {}},
        "join": {"config": {}},
        "timer": {"config": {"until": "timestamp(inputs.at)"}},
        "wait": {"config": {"message": "go", "key": "inputs.key"}},
        "approval": {"config": {"text": "pay {key}?"}},
        "agent": {"config": {"task": "{key}", "model": "script:none"}, "retry": ONCE},
        "notify": {"config": {"to": "mailto:a@localhost", "text": "{key}"}, "retry": ONCE},
        "object": {"config": {"op": "put", "key": "a.json", "value": "{text}"}},
        "map": {"config": {"items": "inputs.list"}, "body": BODY},
        "loop": {"config": {"max": 2, "while": "size(inputs.text) > 3"}, "body": BODY},
        "emit": {"config": {"topic": "t", "type": "a", "data": {"text": "{text}"}}},
        "metric": {"config": {"metric": "aob.run.started"}},
    }  # fmt: skip
    return {"kind": kind, **configs[kind]}


def document(kind: str) -> dict[str, Any]:
    if kind == "join":  # the one kind that is never an entry
        return flow("of-join", {"x": fn(), "y": fn(), "a": entry(kind)}, "x>a", "y>a")
    if kind != "branch":
        return flow(f"of-{kind}", {"a": entry(kind)})
    made = flow("of-branch", {"a": entry(kind), "yes": fn(), "no": fn()}, "a>yes", "a>no")
    made["edges"]["a-yes"]["when"] = "size(inputs.text) > 3"
    made["edges"]["a-no"]["else"] = True
    return made


def random_inputs(size: int) -> dict[str, Any]:
    """Never stored before: other bytes each time."""
    dice = random.Random(f"{size}")
    text = dice.randbytes(size // 2).hex()
    return {"text": text, "key": "k1", "at": "2020-01-01T00:00:00Z", "list": [1, 2, 3], "n": dice.random()}


def test_no_kind_is_left_out() -> None:
    for kind in KINDS:
        assert entry(kind)


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_start_of_any_size_is_decided_by_what_it_brings(tmp_path: Path, kind: str) -> None:
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(document(kind))
        for size in SIZES:
            inputs = random_inputs(size)
            run = await app.start(f"of-{kind}", inputs)
            if kind == "wait":
                await app.views.message(app.who, run.id, "go", key="k1", payload=1)
            elif kind == "approval":
                ticket = await ticket_of(app, run.id, "approval")
                assert (ticket["text"], ticket["shown"]) == ("pay k1?", inputs)
                await app.answer(ticket["ticket_id"], "approve")
            told = await finished(app, run.id)
            assert told["inputs"] == inputs
            if kind in ("http", "agent", "notify", "metric"):  # their world is not here; they were given their inputs
                assert "blob" not in str(told["error"])
                continue
            assert told["status"] == "COMPLETED", told["error"]
            if kind == "branch":
                assert told["nodes"]["yes"]["state"] == "completed"
            if kind == "function":
                assert told["output"] == len(inputs["text"])


async def test_values_at_hand_may_be_fewer_than_those_of_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache of one value: each decision still finds what came with its own command, or waits for its commit."""
    monkeypatch.setattr(values_room, "CACHE_BYTES", 10)
    async with aob.open(tmp_path / "home", app=Deed().handlers()) as app:
        await app.push(document("branch"))
        nodes = {"a": fn("sized", input={"n": "50000"}), "b": {"kind": "branch"}, "c": fn(), "d": fn()}
        made = flow("out", nodes, "a>b", "b>c", "b>d")
        made["edges"]["b-c"]["when"] = "size(nodes.a.output) == 50000"
        made["edges"]["b-d"]["else"] = True
        await app.push(made)
        starts = [{"workflow": "of-branch", "inputs": {"text": "x" * 6_000 + str(n)}} for n in range(30)]
        for verdict in await app.views.start_many(app.who, [*starts, *[{"workflow": "out"}] * 20]):
            told = await finished(app, verdict["run_id"])
            assert told["status"] == "COMPLETED", told["error"]
