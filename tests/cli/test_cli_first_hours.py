"""What a newcomer does wrong in the first hours, at a real home: each answer says where and how to mend it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import aob
from aob.compose import read_settings
from aob.core.errors import Invalid
from aob.server import create_app, serving
from tests.cli.conftest import Terminal

PAY = """workflow: pay
inputs: {type: object, required: [amount], properties: {amount: {type: string}, count: {type: integer}}}
nodes:
  paid: {kind: wait, config: {message: bank, key: inputs.amount}}
"""
CALL = """workflow: call
nodes:
  call: {kind: http, config: {url: "http://127.0.0.1:9/", headers: {Authorization: "Bearer {secret:SHOP}"}}}
"""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Terminal]:
    async with aob.open(tmp_path / "home") as app:
        key = (await app.views.create_key(app.who, "t", ["admin", "view", "run", "deploy", "patch"]))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url:
            terminal = Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")})
            for name, text in (("pay", PAY), ("call", CALL)):
                (tmp_path / f"{name}.yaml").write_text(text)
                assert (await terminal("workflow", "push", str(tmp_path / f"{name}.yaml"))).code == 0
            yield terminal


async def started(desk: Terminal, *words: str) -> str:
    return str((await desk("run", "start", *words, "--json")).json["run_id"])


async def test_a_text_that_looks_like_a_number_says_how_it_is_written(desk: Terminal) -> None:
    refused = await desk("run", "start", "pay", "--input", "amount=5")
    assert refused.code == 2
    assert "hint: a text in quotes: --input 'amount=\"5\"'" in refused.err
    assert (await desk("run", "start", "pay", "--input", 'amount="5"')).code == 0
    other = await desk("run", "start", "pay", "--input", "amount=x", "--input", "count=many")
    assert "in quotes" not in other.err


async def test_why_names_messages_that_nobody_asked_for(desk: Terminal) -> None:
    run = await started(desk, "pay", "--input", "amount=x")
    assert (await desk("why", run)).out == "paid waits for message bank with key x\n"
    for name, key in (("bnak", "x"), ("bank", "y"), ("bank", "y"), ("other", "")):
        assert (await desk("run", "message", run, name, "--key", key, "--payload", "1")).code == 0
    said = (await desk("why", run)).out
    assert "; nobody asked yet for bnak with key x, bank with key y, other\n" in said
    assert (await desk("run", "message", run, "bank", "--key", "x", "--payload", "1")).code == 0
    assert (await desk("run", "wait", run)).code == 0


async def test_why_says_how_to_mend_a_failure(desk: Terminal) -> None:
    run = await started(desk, "call")
    assert (await desk("run", "wait", run)).code == 1
    assert "there is no secret SHOP (aob secret set SHOP, or set AOB_SECRET_SHOP in" in (await desk("why", run)).out


async def test_a_refused_patch_says_what_was_wrong_also_later(desk: Terminal) -> None:
    run = await started(desk, "pay", "--input", "amount=x")
    assert (await desk("patch", "propose", run, '[{"op": "add_nod", "id": "x"}]')).code == 2
    listed = await desk("patch", "list", run)
    assert "'add_nod' is no operation" in listed.out
    patch = (await desk("patch", "list", run, "--json")).json[0]["patch_id"]
    shown = await desk("patch", "show", patch)
    assert "/operations/0/op: 'add_nod' is no operation\n  hint: use one of add, " in shown.out


async def test_the_contracts_of_a_home_are_listed(desk: Terminal, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("event: order.paid\nowner: shop\ndescription: it was paid\nfields: {n: integer}\n")
    assert (await desk("contract", "push", str(tmp_path / "c.yaml"))).code == 0
    assert any(row.split() == ["event", "order.paid", "1", "shop", "it", "was", "paid"]
               for row in (await desk("contract", "list")).out.splitlines())  # fmt: skip
    assert {"event", "metric"} <= {row["kind"] for row in (await desk("contract", "list", "--json")).json}


async def test_a_shop_without_contracts_says_what_is_missing(desk: Terminal) -> None:
    sent = await desk("generate", "--count", "3", "--rate", "1000")
    assert "3 rejected" in sent.out
    assert "all were refused: push their contracts" in sent.err


async def test_a_hint_is_said_once(desk: Terminal) -> None:
    refused = await desk("metric", "show", "runs_started", "--since", "yesterday")
    assert (refused.code, refused.err.count("2026-01-31T12:00:00Z, or ms")) == (2, 1)


async def test_a_file_that_is_not_there_says_which_one_is(desk: Terminal, tmp_path: Path) -> None:
    refused = await desk("workflow", "push", str(tmp_path / "pya.yaml"))
    assert (refused.code, f"hint: did you mean {tmp_path / 'pay.yaml'}?" in refused.err) == (3, True)
    assert "hint: say where it is" in (await desk("workflow", "push", str(tmp_path / "none" / "x.yaml"))).err


@pytest.mark.parametrize(
    ("text", "meant"),
    [("prot = 1", "port"), ('[egress]\nprivat = ["x"]', "private"), ("[patches]\nfour_eye = true", "four_eyes"),
     ('[smtp]\nhost = "x"\nsecurty = "tls"', "security"), ('[stores.a]\nurl = "x"\noption = {}', "options")],
)  # fmt: skip
def test_a_setting_that_there_is_not_says_which_was_meant(text: str, meant: str, tmp_path: Path) -> None:
    (tmp_path / "aob.toml").write_text(text)
    with pytest.raises(Invalid) as refused:
        read_settings(tmp_path, {})
    assert f"did you mean `{meant}`?" in refused.value.problems[0].hint
