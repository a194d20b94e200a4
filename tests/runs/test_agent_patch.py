"""An agent that proposes what needs a person holds its own token until it is decided; other branches go on."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.core.errors import Conflict
from tests.runs.home import Deed, finished, flow, fn, kinds, ticket_of, until

SCRIPT = """
rules:
  - when: input.what == "pay"
    answer: {says: pay}
    patch:
      reason: it has to be paid
      operations:
        - {op: add_node, id: pay, node: {kind: function, config: {handler: once}}}
        - {op: connect, from: look, to: pay}
    usage: {tokens_in: 3, tokens_out: 4}
  - when: input.what == "agents"
    steps:
      - &agents
        answer: {says: help}
        patch:
          reason: more heads
          operations:
            - {op: add_node, id: helper, node: {kind: agent, config: {task: help, model: "script:desk"}}}
            - {op: connect, from: look, to: helper}
      - *agents
      - *agents
      - *agents
  - when: input.what == "nonsense"
    steps:
      - &nonsense
        answer: {says: nothing}
        patch: {reason: none, operations: [{op: zzz}]}
      - *nonsense
      - *nonsense
      - *nonsense
  - answer: {says: nothing}
"""


def looks(**node: Any) -> dict[str, Any]:
    """`look` is the agent; `side` goes its own way."""
    agent = {
        "kind": "agent",
        "config": {"task": "look", "model": "script:desk", "patch": True, "output": {"type": "object"}},
        "input": {"what": "inputs.what"}, **node,
    }  # fmt: skip
    return flow("w", {"look": agent, "after": fn(), "side": fn("plain")}, "look>after")


@pytest.fixture
def scripts(tmp_path: Path) -> None:
    (tmp_path / "home" / "scripts").mkdir(parents=True)
    (tmp_path / "home" / "scripts" / "desk.yaml").write_text(SCRIPT)


pytestmark = pytest.mark.usefixtures("scripts")


async def test_its_token_is_held_until_a_person_has_decided(app: App, deed: Deed) -> None:
    await app.push(looks())
    run = await app.start("w", {"what": "pay"})
    ticket = await ticket_of(app, run.id, "patch")
    await until(app, run.id, "node_held", visit="look")
    await until(app, run.id, "node_completed", visit="side")
    waiting = await app.run(run.id)
    why = await app.views.why(app.who, run.id)
    assert (waiting["status"], waiting["nodes"]["look"]["state"]) == ("WAITING", "held")
    assert why["sentence"].startswith(f"waiting for ticket {ticket['ticket_id']} of role approve")
    assert not any(name == "echo" for name, _ in deed.calls)
    await app.answer(ticket["ticket_id"], "approve")
    deed.gate("pay").set()
    ended = await finished(app, run.id)
    assert (ended["status"], ended["nodes"]["pay"]["output"]) == ("COMPLETED", "done")
    assert ended["nodes"]["after"]["state"] == "completed"
    assert ended["nodes"]["look"]["output"]["says"] == "pay"
    assert ended["cost"]["tokens_in"] == 3


async def test_a_rejection_lets_it_go_on_without(app: App) -> None:
    await app.push(looks())
    run = await app.start("w", {"what": "pay"})
    ticket = await ticket_of(app, run.id, "patch")
    await app.answer(ticket["ticket_id"], "reject")
    ended = await finished(app, run.id)
    assert (ended["status"], "pay" in ended["graph"]["nodes"]) == ("COMPLETED", False)
    assert ended["nodes"]["after"]["state"] == "completed"


async def test_without_hold_it_does_not_wait(app: App) -> None:
    await app.push(looks(hold=False))
    run = await app.start("w", {"what": "pay"})
    await until(app, run.id, "node_completed", visit="after")
    ended = await finished(app, run.id)
    assert ended["status"] == "COMPLETED"
    assert "pay" not in ended["nodes"]
    with pytest.raises(Conflict):
        await app.views.approve_patch(app.who, ended["patches"][0]["patch_id"])


async def test_what_it_waits_for_stands_over_a_restart(tmp_path: Path, deed: Deed) -> None:
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        await app.push(looks())
        run = await app.start("w", {"what": "pay"})
        await until(app, run.id, "node_held", visit="look")
    async with aob.open(tmp_path / "home", app=deed.handlers()) as app:
        assert (await app.run(run.id))["nodes"]["look"]["state"] == "held"
        await app.answer((await ticket_of(app, run.id, "patch"))["ticket_id"], "approve")
        deed.gate("pay").set()
        ended = await finished(app, run.id)
        intents = [
            e for e in await app.views.timeline(app.who, run.id) if e["type"] == "intent" and e["visit"] == "look"
        ]
    assert ended["status"] == "COMPLETED"
    assert len(intents) == 1  # the model was asked once


async def test_invalid_patches_end_it_after_three_returns_and_are_kept_for_review(app: App) -> None:
    await app.push(looks())
    run = await finished(app, (await app.start("w", {"what": "nonsense"})).id)
    assert (run["status"], run["error"]["code"]) == ("FAILED", "patch_invalid")
    assert {patch["state"] for patch in run["patches"]} == {"invalid"}


async def test_agents_that_it_adds_count_against_the_budget(app: App) -> None:
    document = {**looks(), "limits": {"agents": 0}}
    await app.push(document)
    run = await finished(app, (await app.start("w", {"what": "agents"})).id)
    assert run["error"]["code"] == "patch_invalid"
    assert {p["code"] for patch in run["patches"] for p in patch["problems"]} == {"agent_budget"}


async def test_a_cancel_ends_the_waiting(app: App) -> None:
    await app.push(looks())
    run = await app.start("w", {"what": "pay"})
    await until(app, run.id, "node_held", visit="look")
    await app.views.cancel(app.who, run.id)
    assert await app.views.tickets(app.who) == []
    assert kinds(await app.views.timeline(app.who, run.id))[-1] == "run_finished"
