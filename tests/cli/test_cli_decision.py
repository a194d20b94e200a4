"""`aob decision`, `aob eval` and `aob trace` at a real home, as a person types them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import aob
from aob.server import create_app, serving
from tests.cli.conftest import Terminal
from tests.organisation.test_decisions import KIND, lookup, script

FLOW = {"workflow": "sorting", "nodes": {"sorts": {"kind": "agent", "config": {
    "task": "look at {text}", "model": "script:desk", "output": KIND, "tools": ["lookup"]}}}}  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Terminal, str]]:
    """A terminal at a home, and a run whose agent has called a tool."""
    home = tmp_path / "home"
    script(home)
    (home / "scripts" / "other.yaml").write_text("rules:\n- answer: {kind: other}\n")
    async with aob.open(home, app=SimpleNamespace(lookup=lookup)) as app:
        await app.push(FLOW)
        run = await app.start("sorting", {"text": "plain"})
        assert (await run.done())["status"] == "COMPLETED"
        key = (await app.views.create_key(app.who, "ann", ("admin",)))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url:
            yield Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")}), run.id


async def test_decisions_are_listed_shown_forked_and_compared(desk: tuple[Terminal, str]) -> None:
    aob, run = desk
    listed = await aob("decision", "list", "--run", run)
    assert (listed.out.count("script:desk (scripted)"), "lookup" in listed.out) == (2, True)
    page = (await aob("decision", "list", "--limit", "1", "--json")).json
    begun = (await aob("decision", "list", "--before", page["next"], "--json")).json["decisions"][0]["id"]
    shown = await aob("decision", "show", begun)
    for part in ("chose    tools lookup", "0.5 USD, 7+3 tokens", "look at plain", "tools    lookup "):
        assert part in shown.out
    assert (await aob("decision", "show", "decision_1-0")).code == 3
    same = await aob("decision", "fork", begun)
    assert same.out.endswith("the same choices\n")
    other = await aob("decision", "fork", begun, "--model", "script:other")
    assert "they differ first in step 1, in chosen" in other.out
    assert '+ {"kind":"other"}' in other.out
    assert (await aob("decision", "fork", begun, "--tools", '{"none": {}}')).code == 2
    assert (await aob("decision", "diff", run, begun)).out == "the same choices\n"


async def test_evals_are_made_of_a_run_in_one_command_and_fail_with_an_exit_code(
    desk: tuple[Terminal, str], tmp_path: Path
) -> None:
    aob, run = desk
    file = tmp_path / "evals.json"
    file.write_text((await aob("eval", "make", run)).out)
    [made] = json.loads(file.read_text())["evals"]
    assert made["expect"] == {"tools": ["lookup"], "chosen": "answer", "output": {"kind": "known"}}
    held = await aob("eval", "run", str(file))
    assert (held.code, held.out.endswith("1 of 1 hold\n")) == (0, True)
    failed = await aob("eval", "run", str(file), "--model", "script:other", "--json")
    assert (failed.code, failed.json["failed"]) == (1, 1)
    assert [each[:6] for each in failed.json["evals"][0]["failures"]] == ["tools ", "output"]
    assert (await aob("eval", "run", str(file), "--recorded")).code == 0
    file.write_text(json.dumps({"evals": [{**made, "expect": {"contains": "cake"}}]}))
    assert (await aob("eval", "run", str(file), "--recorded")).code == 1
    file.write_text("{}")
    assert (await aob("eval", "run", str(file))).code == 2


async def test_what_came_of_a_run_is_printed_as_a_tree(desk: tuple[Terminal, str]) -> None:
    aob, run = desk
    told = (await aob("trace", run)).out.splitlines()
    assert told[0] == f"correlation {run}"
    assert told[1] == f"  run  {run}"
    assert [line.startswith("    decision  decision_") for line in told[2:]] == [True, True]
    assert "asked script:desk: lookup" in told[2]
    assert "that is the limit of records" in (await aob("trace", run, "--look-max", "1")).err
    assert (await aob("trace", "nobody")).code == 3
