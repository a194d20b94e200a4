"""An agent in a real run of a home: its calls are in the timeline, its patch is applied, its answer goes on."""

from pathlib import Path
from types import SimpleNamespace

import aob
from aob.work.handlers import node

SCRIPT = """
rules:
  - when: input.id == 7
    steps:
      - tools: [{name: lookup, args: {id: "{id}"}}]
      - answer: {risk: high}
      - answer: {risk: 0.5}
        patch: {reason: too hasty, operations: [{op: add_node, id: alone}]}
      - answer: {risk: 0.5}
        patch:
          reason: wait a little
          operations:
            - {op: add_node, id: pause, node: {kind: timer, config: {for: 10ms}}}
            - {op: connect, from: look, to: pause}
        usage: {tokens_in: 10, tokens_out: 2, cost_usd: 0.01}
"""
DOCUMENT = {
    "workflow": "look",
    "inputs": {"type": "object", "properties": {"id": {"type": "integer"}}},
    "nodes": {
        "look": {
            "kind": "agent",
            "config": {
                "task": "Look at order {id}",
                "model": "script:desk",
                "tools": ["lookup"],
                "patch": True,
                "output": {"type": "object", "properties": {"risk": {"type": "number"}}, "required": ["risk"]},
            },
            "input": {"id": "inputs.id"},
        }
    },
    "edges": {},
}


async def test_from_the_task_to_the_applied_patch(tmp_path: Path) -> None:
    called = []

    @node(effect="none")
    async def lookup(id: int) -> dict[str, int]:
        """Looks an order up."""
        called.append(id)
        return {"total": 120}

    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "desk.yaml").write_text(SCRIPT)
    async with aob.open(tmp_path, app=SimpleNamespace(lookup=lookup)) as app:
        await app.push(DOCUMENT)
        run = await app.start("look", {"id": 7})
        told = await run.done()
        timeline = await app.views.timeline(app.who, run.id)
    look = told["nodes"]["look"]
    assert (told["status"], called) == ("COMPLETED", [7])
    assert look["output"]["risk"] == 0.5
    assert look["output"]["patch"]["state"] == "applied"
    assert look["usage"]["brain"]["label"] == "scripted"
    assert [patch["state"] for patch in told["patches"]] == ["invalid", "applied"]
    assert told["nodes"]["pause"]["state"] == "completed"
    kinds = [event["kind"] for event in timeline if event["type"] == "intent"]
    assert kinds == ["model", "tool", "model", "model", "model"]
    settled = [event for event in timeline if event["type"] == "intent_settled"]
    assert settled[1]["result"] == {"result": {"total": 120}}
    calls = [event["usage"] for n, event in enumerate(settled) if n != 1]
    assert all(usage["brain"]["kind"] == "scripted" for usage in calls)
    assert [usage["decision"]["chosen"] for usage in calls] == ["tools", "answer", "answer", "answer"]
