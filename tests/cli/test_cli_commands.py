"""Commands: what a person types reaches the server, and what is printed says what happened."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec
import pytest

from aob import compose
from aob.cli import main
from aob.cli.picture import run_row, visit_rows
from aob.core.policy import LOCAL
from tests.cli.conftest import Terminal
from tests.house.tree import ROOT
from tests.server.fake import FakeEngine

ORDER = "workflow: order\nnodes:\n  fetch: {kind: http}\n"


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "order.yaml"
    path.write_text(ORDER)
    return str(path)


@pytest.fixture
def longer(tmp_path: Path) -> str:
    path = tmp_path / "longer.yaml"
    path.write_text(ORDER + "  more: {kind: timer}\n")
    return str(path)


# -- workflow


async def test_a_workflow_is_pushed_listed_shown_and_compared(aob: Terminal, document: str, longer: str) -> None:
    pushed = await aob("workflow", "push", document)
    assert pushed.code == 0
    assert pushed.out.startswith("order v1.0 is main  ")
    assert "(known already)" in (await aob("workflow", "push", document, "--tag", "main")).out
    listed = await aob("workflow", "list", "--json")
    assert listed.json[0]["workflow"] == "order"
    assert '"fetch"' in (await aob("workflow", "show", "order")).out
    assert (await aob("workflow", "push", longer, "--tag", "next", "--json")).json["created"] is True
    assert "more" in (await aob("workflow", "diff", "order", "main", "next")).out


async def test_a_wrong_document_is_told_with_file_line_and_hint(aob: Terminal, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("workflow: wrong\n")
    for words in (("workflow", "push"), ("run", "start")):
        refused = await aob(*words, str(wrong))
        assert refused.code == 2
        assert f"  {wrong}:1:1: /nodes: a workflow needs nodes\n    hint: add one\n" in refused.err
    found = await aob("workflow", "validate", str(wrong), str(wrong))
    assert found.code == 1
    assert found.out.count(f"{wrong}:1:1: /: `nodes` is missing") == 2
    verdicts = await aob("workflow", "validate", str(wrong), "--json")
    assert (verdicts.code, verdicts.json[0]["valid"]) == (1, False)


async def test_a_file_that_cannot_be_read_is_named_and_the_others_are_looked_at(tmp_path: Path) -> None:
    wrong, good, none = tmp_path / "wrong.yaml", tmp_path / "good.yaml", tmp_path / "none.yaml"
    wrong.write_text("a: 1\n'b")
    good.write_text("nodes:\n  a: {kind: timer, config: {for: 1s}}\n")
    found = await Terminal({"AOB_HOME": str(none)})("workflow", "validate", *map(str, (wrong, none, tmp_path, good)))
    assert found.code == 1
    assert f"{wrong}:2:" in found.out
    assert f"{none}: /: there is no file {none}" in found.out
    assert f"{tmp_path}: /: {tmp_path} cannot be read" in found.out
    assert f"{good}: no problems" in found.out


async def test_many_things_of_one_kind_are_told_in_a_few_lines(
    aob: Terminal, engine: FakeEngine, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def why(who: object, run_id: str) -> dict[str, object]:
        says = [{"says": f"lines[{n}]/check is running"} for n in range(100)]
        return {"run_id": run_id, "status": "RUNNING", "sentence": "many", "details": says}

    monkeypatch.setattr(engine, "why", why)
    told = (await aob("why", run_id)).out.splitlines()
    assert len(told) == 14
    assert told[-1] == "  and 88 more like these: --json lists them"
    assert len((await aob("why", run_id, "--json")).json["details"]) == 100
    visits = [{"visit": f"each[{n}]/a", "how": "recorded", "on": "failure" if n == 7 else "success"} for n in range(99)]
    rows = list(visit_rows({"visits": [*visits, {"visit": "end", "how": "computed"}]}))
    assert rows == [
        ("each[*]/a x 98", "recorded", "success"), ("each[7]/a", "recorded", "failure"), ("end", "computed", ""),
    ]  # fmt: skip
    assert len(run_row({"run_id": "r", "workflow": "w", "status": "FAILED", "reason": "x" * 200})[2]) < 80  # type: ignore[typeddict-item]


async def test_a_good_document_validates_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text("nodes:\n  a: {kind: function, config: {handler: nobody}}\n")
    aob = Terminal({"AOB_HOME": str(tmp_path / "none")})
    found = await aob("workflow", "validate", str(file))
    assert (found.code, found.out) == (0, f"{file}: no problems\n")
    app = str(ROOT / "examples" / "order" / "handlers.py")
    checked = await aob("workflow", "validate", str(file), "--app", app)
    assert checked.code == 1
    assert "there is no handler `nobody`" in checked.out


async def test_a_document_without_a_name_takes_that_of_its_file(aob: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text("nodes:\n  a: {kind: timer, config: {for: 1s}}\n")
    assert (await aob("workflow", "push", str(file), "--json")).json["workflow"] == "hello"
    file.write_text("workflow: named\nnodes:\n  a: {kind: timer, config: {for: 1s}}\n")
    assert (await aob("workflow", "push", str(file), "--json")).json["workflow"] == "named"


# -- run


async def test_a_start_takes_inputs_from_everywhere(aob: Terminal, engine: FakeEngine, tmp_path: Path) -> None:
    file = tmp_path / "inputs.json"
    file.write_text('{"a": 1, "b": 2}')
    words = ("--input", "b=three", "--input", 'c={"d": [1]}', "--input", "e=x=y", "--label", "team=sales")
    started = await aob("run", "start", "order", "--inputs", str(file), *words)
    assert started.code == 0
    state = engine.states[started.out.split()[0]]
    assert state["inputs"] == {"a": 1, "b": "three", "c": {"d": [1]}, "e": "x=y"}
    assert state["labels"] == {"team": "sales"}
    again = await aob("run", "start", "order", "--inputs", '{"a": 2}', "--key", "k", "--json")
    assert engine.states[again.json["run_id"]]["inputs"] == {"a": 2}
    assert "started it before" in (await aob("run", "start", "order", "--inputs", '{"a": 2}', "--key", "k")).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--input", "nameless"), "name=value"),
        (("--inputs", "[1]"), "no JSON object"),
        (("--inputs", "{"), "holds no JSON"),
        (("--inputs", "none.json"), "no file"),
        (("--label", "x"), "name=value"),
    ],
)
async def test_wrong_inputs_say_how_to_write_them(words: tuple[str, ...], says: str, aob: Terminal) -> None:
    refused = await aob("run", "start", "order", *words)
    assert refused.code in (2, 3)
    assert says in refused.err
    assert "hint: " in refused.err


async def test_a_document_is_pushed_and_started_at_once(aob: Terminal, document: str, engine: FakeEngine) -> None:
    started = await aob("run", "start", document, "--input", "a=1")
    assert "order v1.0 is main" in started.err
    assert engine.states[started.out.split()[0]]["workflow"] == "order"


@pytest.mark.parametrize(("status", "code"), [("COMPLETED", 0), ("FAILED", 1)])
async def test_waiting_ends_with_the_run_and_says_how(
    status: str, code: int, aob: Terminal, engine: FakeEngine
) -> None:
    waiting = asyncio.create_task(aob("run", "start", "order", "--wait"))
    await engine.followed.wait()
    (run_id,) = engine.states
    engine.states[run_id] |= {"output": {"x": 1}, "ended_at": 1_767_225_602_000}
    engine.states[run_id]["nodes"]["fetch"] = {"state": "failed", "error": {"message": "no shop"}, "attempt": 3}
    engine.finish(run_id, status)
    done = await waiting
    assert done.code == code
    assert f"{run_id}  order v1.0 (main)  {status}  took 2.0 s" in done.out
    assert ("no shop" in done.out) is True
    assert ('output  {"x":1}' in done.out) is (status == "COMPLETED")


async def test_waiting_no_longer_than_told_says_that_the_run_goes_on(aob: Terminal, engine: FakeEngine) -> None:
    done = await aob("run", "start", "order", "--wait", "--timeout", "20ms")
    (run_id,) = engine.states
    assert done.code == 7
    assert f"{run_id}  order v1.0 (main)  RUNNING" in done.out
    assert f"aob run wait {run_id}" in done.err
    assert (await aob("run", "wait", run_id, "--timeout", "0.02", "--json")).code == 7


async def test_following_prints_events_as_they_come(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    engine.record(run_id, "node_completed", visit="fetch", attempt=2, on="success", hash="ab", due_ms=1_767_225_600_000)
    engine.finish(run_id)
    told = await aob("run", "wait", run_id, "--follow")
    lines = told.out.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["run_started", "node_completed", "run_finished"]
    assert "fetch #2" in lines[1]
    assert "hash" not in lines[1]
    assert "due=" in lines[1]
    rows = (await aob("run", "timeline", run_id, "--json")).rows
    assert [row["seq"] for row in rows] == [0, 1, 2]
    assert (await aob("run", "timeline", run_id, "--follow", "--json")).rows == rows


async def test_runs_are_listed_by_page(aob: Terminal) -> None:
    for n in range(3):
        await aob("run", "start", "order", "--input", f"n={n}", "--label", f"n={n}")
    page = await aob("run", "list", "--limit", "2")
    assert len(page.out.splitlines()) == 3
    assert page.out.startswith("RUN ")
    assert "more: --cursor 2" in page.err
    rest = await aob("run", "list", "--limit", "2", "--cursor", "2", "--json")
    assert len(rest.json["runs"]) == 1
    one = await aob("run", "list", "--label", "n=1", "--status", "running", "--json")
    assert len(one.json["runs"]) == 1
    assert (await aob("run", "list", "--workflow", "other")).out == "no runs: aob run start\n"


async def test_a_run_is_shown_with_its_nodes_and_what_it_waits_for(
    aob: Terminal, engine: FakeEngine, run_id: str
) -> None:
    engine.states[run_id] |= {
        "graph": {"nodes": {"fetch": {"kind": "http"}, "ship": {"kind": "function"}}},
        "nodes": {"fetch": {"state": "completed", "attempt": 2, "kind": "http", "memo": "hit"}},
        "tickets": ["ticket_1"],
        "patches": [{"patch_id": "patch_1", "state": "applied", "reason": "more"}],
    }
    shown = await aob("run", "show", run_id)
    assert f"{run_id}  order v1.0 (main)  RUNNING" in shown.out
    assert "fetch  completed  2        http      from memory" in shown.out
    assert "ship   not begun           function" in shown.out
    assert "aob approve ticket_1 approve|reject" in shown.out
    assert "patch_1  applied  more" in shown.out
    assert (await aob("run", "show", run_id, "--json")).json["run_id"] == run_id


async def test_reading_commands_take_the_end_of_an_id(aob: Terminal, run_id: str) -> None:
    for words in (("run", "show"), ("run", "timeline"), ("patch", "list")):
        assert (await aob(*words, run_id[-7:])).code == 0
    assert (await aob("why", run_id.removeprefix("run_")[:8])).out == "waiting for a test\n"


async def test_an_end_that_fits_several_runs_is_a_conflict_also_for_what_acts(
    aob: Terminal, engine: FakeEngine
) -> None:
    await engine.start(LOCAL, "order", {}, run_id="run_1zz")
    await engine.start(LOCAL, "order", {}, run_id="run_2zz")
    refused = await aob("run", "show", "zz")
    assert refused.code == 5
    assert "run_1zz" in refused.err
    assert (await aob("run", "cancel", "zz")).code == 5
    assert {state["status"] for state in engine.states.values()} == {"RUNNING"}
    assert (await aob("run", "cancel", "1zz")).out == "run_1zz  CANCELLED\n"
    assert engine.states["run_2zz"]["status"] == "RUNNING"


async def test_ids_of_tickets_and_patches_may_be_cut_short_too(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    ticket = engine.ask(run_id)
    assert ticket in (await aob("approve", ticket[-6:])).out
    assert ticket in (await aob("approve", f"ticket_{ticket[7:12]}")).out
    assert "approve, reject" in (await aob("approve")).out
    operations = '[{"op":"remove","path":"/nodes/x"}]'
    told = await aob("patch", "propose", run_id[-6:], operations, "--reason", "ask", "--json")
    proposed = told.json["patch_id"]
    assert proposed in (await aob("patch", "show", proposed[-6:])).out
    assert (await aob("approve", proposed[-6:], "approve")).code == 5, "the ticket has the same end"
    assert (await aob("approve", f"patch_{proposed[-6:]}", "approve")).out == f"{proposed}  applied\n"
    assert (await aob("approve", f"ticket_{ticket[-6:]}", "approve")).out == f"{ticket}  approve\n"
    assert (await aob("approve", "ticket_zz", "approve")).code == 3


async def test_a_run_is_cancelled_messaged_forked_and_replayed(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    sent = await aob("run", "message", run_id, "paid", "--key", "o-1", "--payload", '{"sum": 3}', "--id", "m")
    assert sent.code == 0
    assert engine.commands[-1] == ("message", ("paid", "o-1", {"sum": 3}, "m"))
    forked = await aob("run", "fork", run_id, "--from", "fetch")
    assert forked.out.strip() in engine.states
    assert (await aob("replay", run_id, "--from", "ship", "--fork")).out.strip() in engine.states
    report = await aob("replay", run_id, "--from", "fetch", "--assume", "a=1", "--json")
    assert report.json["assumed"] == {"a": 1}
    assert f"{run_id} from fetch: COMPLETED" in (await aob("replay", run_id, "--from", "fetch")).out
    assert (await aob("run", "cancel", run_id, "--reason", "enough")).out == f"{run_id}  CANCELLED\n"


# -- people


async def test_tickets_are_listed_shown_and_decided(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    assert (await aob("approve")).out == "nothing waits for a person\n"
    ticket_id = engine.ask(run_id, form={"n": "number"}, shown={"order": 7}, due=4_102_444_800_000)
    listed = await aob("approve", "--role", "finance")
    assert ticket_id in listed.out
    assert "Ship <order>?" in listed.out
    shown = await aob("approve", ticket_id)
    assert '"order": 7' in shown.out
    assert "--value n=...  (number)" in shown.out
    assert f"decide: aob approve {ticket_id} approve|reject" in shown.out
    decided = await aob("approve", ticket_id, "approve", "--reason", "fine", "--value", "n=4")
    assert decided.out == f"{ticket_id}  approve\n"
    assert engine.open_tickets[ticket_id]["answer"]["values"] == {"n": 4}
    again = await aob("approve", ticket_id, "reject")
    assert again.code == 5


async def test_the_ticket_of_a_patch_shows_its_lines_and_as_json_the_whole(
    aob: Terminal, engine: FakeEngine, run_id: str
) -> None:
    await aob("patch", "propose", run_id, '[{"op":"remove","path":"/nodes/x"}]', "--reason", "ask")
    (patch_id,) = engine.proposals
    ticket_id = engine.ask(run_id, subject="patch", patch_id=patch_id, shown={"nodes": {"added": ["email"]}})
    shown = await aob("approve", ticket_id)
    assert "+ node email (notify)" in shown.out
    assert '"added"' not in shown.out
    assert '"added"' in (await aob("approve", ticket_id, "--json")).out


async def test_a_link_is_printed_for_somebody_without_a_key(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    ticket_id = engine.ask(run_id)
    printed = await aob("approve", ticket_id, "reject", "--link", "--to", "ada@example.org", "--expires", "2h")
    assert printed.out.startswith(f"{aob.env['AOB_SERVER']}/v1/links/")
    assert "may decide until" in printed.err
    assert engine.open_tickets[ticket_id]["state"] == "open"
    async with httpx.AsyncClient() as guest:
        url = printed.out.strip()
        assert (await guest.post(url, data={"choice": "approve"})).status_code == 422
        assert (await guest.post(url, data={"choice": "reject"})).status_code == 200
    assert engine.open_tickets[ticket_id]["answer"]["by"] == "link:ada@example.org"
    assert (await aob("approve", ticket_id, "--link", "--json")).code == 5


async def test_a_tag_is_patched_for_later_runs(
    aob: Terminal, engine: FakeEngine, document: str, tmp_path: Path
) -> None:
    await aob("workflow", "push", document)
    file = tmp_path / "patch.json"
    file.write_text('[{"op": "disable", "id": "fetch"}]')
    patched = await aob("workflow", "patch", "order", str(file), "--reason", "pause", "--id", "p1")
    assert patched.out == "order v1.1 is main\n+ node email (notify)\n- edge e1: a → b\n~ node a\n"
    asked = ("order", "main", [{"op": "disable", "id": "fetch"}], "pause", "", "person", "p1")
    assert engine.commands == [("patch_tag", asked)]
    body = '{"operations": [{"op": "disable", "id": "a"}], "base": "b"}'
    assert (await aob("workflow", "patch", "order", body, "--json")).json["version"] == "v1.1"
    assert engine.commands[-1][1][4] == "b"
    assert (await aob("workflow", "patch", "order", body, "--tag", "none")).code == 3
    assert (await aob("workflow", "patch", "order", "{}")).code == 2


async def test_a_patch_is_proposed_and_decided_by_its_own_id(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    proposed = await aob("patch", "propose", run_id, '[{"op":"remove","path":"/nodes/x"}]', "--reason", "ask")
    assert proposed.code == 0
    (patch_id,) = engine.proposals
    assert proposed.out.startswith(f"{patch_id}  proposed  v1.1\n+ node email")
    assert patch_id in (await aob("patch", "list", run_id)).out
    assert "+ node email" in (await aob("approve", patch_id)).out
    assert (await aob("approve", patch_id, "approve")).out == f"{patch_id}  applied\n"
    for verb, state in (("reject", "rejected"), ("approve", "applied"), ("rollback", "rolled_back")):
        assert f"{patch_id}  {state}" in (await aob("patch", verb, patch_id)).out
    assert "ask" in (await aob("patch", "show", patch_id)).out
    assert (await aob("patch", "propose", run_id, "{}")).code == 2


async def test_logs_are_streamed_for_people_and_programs(aob: Terminal, engine: FakeEngine, run_id: str) -> None:
    engine.lines[run_id] = ['{"at":"12:00","visit":"a","message":"hello","n":1}', '{"visit":"b","message":"bye"}']
    assert (await aob("logs", "stream", run_id, "--no-follow")).out == "12:00  a  hello  n=1\nb  bye\n"
    assert (await aob("logs", "stream", run_id, "--no-follow", "--node", "b", "--json")).rows[0]["visit"] == "b"
    engine.finish(run_id)
    assert len((await aob("logs", "stream", run_id)).out.splitlines()) == 2


async def test_a_key_is_made_listed_and_revoked(aob: Terminal, engine: FakeEngine) -> None:
    made = await aob("key", "create", "ci", "--role", "view", "--role", "run")
    secret = made.out.strip()
    assert engine.authenticate(secret) is not None
    assert secret not in made.err
    listed = await aob("key", "list")
    assert "run view" in listed.out
    assert secret not in listed.out
    assert (await aob("key", "revoke", "key_1")).out == "key_1 is revoked\n"
    assert engine.authenticate(secret) is None


async def test_a_blob_is_written_to_a_file(aob: Terminal, engine: FakeEngine, tmp_path: Path) -> None:
    engine.blobs["a" * 64] = b"\0\1"
    target = tmp_path / "blob"
    assert (await aob("blob", "get", "a" * 64, "-o", str(target))).out == f"{target}  2 bytes\n"
    assert target.read_bytes() == b"\0\1"
    assert (await aob("blob", "get", "b" * 64)).code == 3
    assert (await aob("blob", "get", "a" * 64, "-o", str(tmp_path))).code == 2


async def test_a_terminal_sees_colours_and_nothing_that_moves_it(
    engine: FakeEngine, aob: Terminal, run_id: str
) -> None:
    aob.colour = True
    engine.states[run_id]["nodes"] = {"fetch": {"state": "failed", "error": {"message": "\x1b[2Jgone [red]x[/]"}}}
    shown = await aob("run", "show", run_id)
    assert "\x1b[" in shown.out
    assert "\x1b[2J" not in shown.out
    assert "[red]x[/]" in shown.out
    proposed = await aob("patch", "propose", run_id, '[{"op":"remove","path":"/nodes/x"}]')
    assert "\x1b[32m+ node email" in proposed.out


async def test_json_on_a_terminal_is_indented(aob: Terminal, run_id: str) -> None:
    aob.colour = True
    shown = await aob("why", run_id, "--json")
    assert shown.out.startswith('{\n  "run_id"')
    assert msgspec.json.decode(shown.out)["run_id"] == run_id


# -- secret


async def test_a_secret_is_kept_listed_without_its_value_and_removed(
    aob: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the-value-itself\n"))
    kept = await aob("secret", "set", "SHOP", "--host", "api.shop.example", "--host", "*.shop.example")
    assert (kept.code, kept.out) == (0, "{secret:SHOP} goes to api.shop.example, *.shop.example\n")
    listed = await aob("secret", "list")
    assert "SHOP" in listed.out
    assert "*.shop.example" in listed.out
    assert "the-value" not in listed.out
    assert (await aob("secret", "rm", "SHOP")).code == 0
    assert (await aob("secret", "rm", "SHOP")).code == 3
    assert "keeps no secrets" in (await aob("secret", "list")).out


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        ("control-plane", ["api", "coordinator"]), ("data-plane", ["metrics", "fanout"]),
        ("control-plane,metrics", ["api", "coordinator", "metrics"]), ("metrics,", ["metrics"]),
    ],
)  # fmt: skip
def test_a_name_for_several_roles_stands_for_them_also_beside_others(
    words: str, roles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Sequence[str]] = []

    def roles_up(home: Path, roles: Sequence[str], **places: object) -> int:
        served.append(roles)
        return 0

    monkeypatch.setattr(compose, "roles_up", roles_up)
    assert main(["serve", words, "--home", str(tmp_path), "--peers", "127.0.0.1:9"]) == 0
    assert served == [roles]
