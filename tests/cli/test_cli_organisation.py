"""`aob topic`, `aob agent` and `aob org` at a real home, as a newcomer types them."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aob
from aob.server import create_app, serving
from tests.cli.conftest import Terminal

TRIAGE = {"consumes": ["acme.support.tickets"], "capabilities": ["sorts tickets by topic"], "handler": "triage"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Terminal]:
    async with aob.open(tmp_path / "home") as app:
        key = (await app.views.create_key(app.who, "ann", ("admin",)))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url:
            yield Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")})


async def test_a_topic_is_declared_changed_and_let_go(desk: Terminal) -> None:
    assert (await desk("topic", "list")).out == "no topics: aob topic create NAME\n"
    made = await desk("topic", "create", "acme.support.tickets", "--expires", "7d", "--config", "retention.hours=24")
    assert made.out == "acme.support.tickets is declared\n"
    again = await desk("topic", "create", "acme.support.tickets", "--expires", "7d", "--config", "retention.hours=24")
    assert again.out == "acme.support.tickets is declared so already\n"
    other = await desk("topic", "create", "acme.support.tickets")
    assert (other.code, "topic update" in other.err) == (5, True)
    assert (await desk("topic", "create", "a..b")).code == 2
    changed = await desk("topic", "update", "acme.support.tickets", "--purpose", "what customers write", "--json")
    assert (changed.json["purpose"], changed.json["retention"]["ms"]) == ("what customers write", 86_400_000)
    shown = await desk("topic", "show", "acme.support.tickets")
    assert "what customers write" in shown.out
    assert "1 d 0 h" in shown.out
    assert "drains until" in (await desk("topic", "delete", "acme.support.tickets")).out
    assert "draining" in (await desk("topic", "list")).out
    assert "active" in (await desk("topic", "undelete", "acme.support.tickets")).out
    gone = await desk("topic", "delete", "acme.support.tickets", "--drain", "0s", "--keep", "0s")
    assert gone.out == "acme.support.tickets is deleted\n"
    assert (await desk("topic", "show", "acme.support.tickets")).code == 3


async def test_an_agent_is_registered_deployed_and_retired(desk: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "triage.json"
    file.write_text(json.dumps(TRIAGE))
    refused = await desk("agent", "register", "triage", str(file))
    assert (refused.code, "aob topic create acme.support.tickets" in refused.err) == (2, True)
    await desk("topic", "create", "acme.support.tickets", "--export", "default")
    assert (await desk("agent", "register", "triage", str(file))).out == "this is version 1 of triage; 1: 100 %\n"
    assert "was already version 1" in (await desk("agent", "register", "triage", str(file))).out
    file.write_text(json.dumps({**TRIAGE, "handler": "better"}))
    assert "this is version 2" in (await desk("agent", "register", "triage", str(file))).out
    wrong = await desk("agent", "register", "triage", '{"consume": []}')
    assert (wrong.code, "consume" in wrong.err) == (2, True)
    assert (await desk("agent", "register", "triage", "[]")).code == 2
    deployed = await desk("agent", "deploy", "triage", "--percent", "10")
    assert deployed.out == "triage is active: 2: 10 %, 1: 90 %; 1 instance\n"
    ranged = await desk("agent", "deploy", "triage", "--from-key", "vip", "--to-key", "viq", "--json")
    assert ranged.json["ranges"] == [{"version": 2, "first": "vip", "end": "viq"}]
    assert "version 2\n" in (await desk("agent", "show", "triage", "--key", "vip-1")).out
    await desk("agent", "rollback", "triage")
    assert (await desk("agent", "rollback", "triage")).out == "triage is active: 1: 100 %; 1 instance\n"
    assert (await desk("agent", "rollback", "triage")).code == 5
    assert "3 instances" in (await desk("agent", "scale", "triage", "3")).out
    assert "paused (why)" in (await desk("agent", "pause", "triage", "--reason", "why")).out
    assert "active" in (await desk("agent", "resume", "triage")).out
    assert "triage" in (await desk("agent", "find", "sort", "tickets")).out
    assert "retired" in (await desk("agent", "retire", "triage")).out
    assert (await desk("agent", "find", "sort", "tickets")).out == "none can do that\n"
    assert "retired" in (await desk("agent", "list")).out


async def test_the_organisation_is_shown_as_it_is_and_was(desk: Terminal) -> None:
    assert "after 0 changes\n" in (await desk("org", "show")).out
    await desk("topic", "create", "acme.support.tickets", "--export", "default")
    before = (await desk("org", "show", "--json")).json
    await desk("agent", "register", "triage", json.dumps(TRIAGE))
    await desk("agent", "deploy", "triage", "--percent", "100")
    shown = (await desk("org", "show")).out
    assert "triage" in shown
    assert "1 of 1,000" in shown
    assert "triage" not in (await desk("org", "show", "--as-of", before["position"])).out
    differs = await desk("org", "diff", "--as-of", before["position"])
    assert differs.out == "+ agent triage\n"
    assert (
        await desk("org", "diff", "--as-of", before["position"], "--to", before["position"])
    ).out == "no difference\n"
    history = await desk("org", "history", "--limit", "2")
    assert "agent deployed" in history.out
    assert "more: --before" in history.err
    assert "topic created" in (await desk("org", "history", "acme.support.tickets")).out
    quota = await desk("org", "namespace", "acme.support", "--topics", "1", "--json")
    assert quota.json[0]["topics"] == {"used": 1, "quota": 1}
    assert (await desk("topic", "create", "acme.support.more")).code == 2
    assert "1 of 1" in (await desk("org", "namespace", "acme.support")).out
    assert (await desk("org", "show", "--as-of", "soon")).code == 2


async def test_changes_are_followed_from_a_position_on(desk: Terminal) -> None:
    await desk("topic", "create", "first")
    begin = (await desk("org", "show", "--json")).json["position"]
    await desk("topic", "create", "second")
    await desk("topic", "delete", "second")
    told = (await desk("org", "follow", "--position", begin, "--count", "2", "--json")).rows
    assert [(row["type"], row["name"]) for row in told] == [("topic_created", "second"), ("topic_draining", "second")]
    assert "topic created  second" in (await desk("org", "follow", "--position", begin, "--count", "1")).out
    assert (await desk("org", "follow", "--position", "soon")).code == 2


async def test_the_doctor_names_what_belongs_to_nobody(desk: Terminal) -> None:
    await desk("topic", "create", "alone")
    (found,) = [row for row in (await desk("doctor", "--json")).json if row["what"] == "organisation"]
    assert (found["how"], found["seen"]) == (
        "note",
        "topic alone: no agent consumes it or produces into it, no group reads it",
    )


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "topics.md"


async def test_the_commands_of_the_page_about_topics_run_in_their_order(desk: Terminal) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    told = [await desk(*words[1:]) for words in commands if words]
    assert [each.err for each in told if each.code] == []
    assert len(told) > 10


async def test_records_are_appended_read_and_read_again_by_a_group(desk: Terminal, tmp_path: Path) -> None:
    unknown = await desk("topic", "produce", "orders", "--type", "t")
    assert (unknown.code, "aob topic create" in unknown.err) == (3, True)
    await desk("topic", "create", "orders")
    lines = tmp_path / "lines"
    lines.write_text('{"n": 1}\n\n{"n": 2}\n')
    assert (await desk("topic", "produce", "orders", "--type", "t", "--lines", str(lines))).out == (
        "2 records appended to orders\n"
    )  # fmt: skip
    one = "topic", "produce", "orders", "--type", "t", "--subject", "s", "--id", "x", "--data", "said"
    assert [("appended" in each.out, "there before" in each.out) for each in (await desk(*one), await desk(*one))] == [
        (True, False), (False, True),
    ]  # fmt: skip
    read = await desk("topic", "consume", "orders", "--group", "g", "--commit", "--json")
    assert sorted(str(json.loads(line)["data"]) for line in read.out.splitlines()) == ["said", "{'n': 1}", "{'n': 2}"]
    assert (await desk("topic", "consume", "orders", "--group", "g", "--json")).out == ""
    preview = await desk("group", "reset", "g", "orders", "--to", "begin")
    assert ("3 records again" in preview.out, "--yes" in preview.err + preview.out) == (True, True)
    assert (await desk("topic", "consume", "orders", "--group", "g", "--json")).out == ""
    assert "is set" in (await desk("group", "reset", "g", "orders", "--to", "begin", "--yes")).out
    assert len((await desk("topic", "consume", "orders", "--group", "g", "--json")).out.splitlines()) == 3
    assert "3 behind" in (await desk("group", "show", "g")).out
    assert (await desk("topic", "consume", "orders", "--commit")).code == 2
    for words in (("--data", "1", "--lines", "-"), ("--id", "x", "--lines", str(lines))):
        assert (await desk("topic", "produce", "orders", "--type", "t", *words)).code == 2
    lines.write_text("{\n")
    assert "1:1" in (await desk("topic", "produce", "orders", "--type", "t", "--lines", str(lines))).err
