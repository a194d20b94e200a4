"""`aob contract`: files of contracts are checked, compared, drawn and tested without a server."""

from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aob.cli.session import run
from aob.server import create_app, serving
from tests.cli.conftest import Terminal
from tests.core.contract.contract_texts import SHOP
from tests.server.fake import SECRET, FakeEngine
from tests.server.fake_metrics import FakeMetrics

ORDERS = "event: order.created\nfields: {id: string}\n---\nmetric: orders\ntype: count\nmoves: [{on: order.created}]\n"


@pytest.fixture
def alone(tmp_path: Path) -> Terminal:
    """A terminal without any server."""
    return Terminal({"AOB_HOME": str(tmp_path / "home")})


@pytest.fixture
def shop(tmp_path: Path) -> str:
    folder = tmp_path / "shop"
    (folder / "more").mkdir(parents=True)
    for name, text in SHOP.items():
        (folder / ("more" if name == "alerts.yaml" else ".") / name).write_text(text)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.yaml").write_text("nothing: 1")
    (folder / "notes.txt").write_text("not a contract")
    return str(folder)


def file_of(tmp_path: Path, text: str, name: str = "x.yaml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


async def test_good_contracts_have_no_problems(alone: Terminal, shop: str) -> None:
    done = await alone("contract", "check", shop)
    assert (done.code, done.out) == (0, "2 events, 5 metrics, 1 alert, 2 objectives: no problems\n")
    assert (await alone("contract", "check", shop, "--json")).json == {"valid": True, "problems": []}


async def test_a_problem_is_told_with_file_line_and_column_and_the_exit_code_says_so(
    alone: Terminal, tmp_path: Path
) -> None:
    path = file_of(tmp_path, ORDERS + "dimensions: [regoin]\n")
    done = await alone("contract", "check", path)
    assert done.code == 1
    assert done.out.splitlines() == [
        f"{path}:7:14: /1/dimensions/0: data has no field regoin (order.created version 1)",
        "  data.regoin",
        "       ^",
        "  hint: it has id",
        "1 problem",
    ]
    assert (await alone("contract", "check", path, "--json")).json["problems"][0]["path"] == f"{path}#/1/dimensions/0"


async def test_an_alert_may_watch_what_every_home_has(alone: Terminal, tmp_path: Path) -> None:
    text = "alert: runs_fail\nmetric: run_success_rate\nwindow: 15m\nwhen: value < 0.9\n"
    assert (await alone("contract", "check", file_of(tmp_path, text))).code == 0


async def test_advice_does_not_fail(alone: Terminal, tmp_path: Path) -> None:
    done = await alone("contract", "check", file_of(tmp_path, "event: idle\nfields: {}\n"))
    assert done.code == 0
    assert done.out.startswith("advice: ")
    assert done.out.endswith("1 event: no problems\n")


@pytest.mark.parametrize("words", [("check",), ("graph",), ("show",), ("diff",), ("test",)])
async def test_what_is_not_there_is_said(alone: Terminal, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert (await alone("contract", *words, str(tmp_path / "gone"))).code == 3
    (tmp_path / "empty").mkdir()
    assert (await alone("contract", *words, str(tmp_path / "empty"))).code == 3


async def test_versions_in_one_folder_are_compared_with_those_before(alone: Terminal, tmp_path: Path) -> None:
    path = file_of(tmp_path, ORDERS + "---\nevent: order.created\nversion: 2\nfields: {id: string, sum: number}\n")
    done = await alone("contract", "diff", path)
    assert (done.code, done.out.splitlines()) == (
        0,
        [
            "event order.created 1 → 2",
            "  + sum is new and required: events without it are refused  (breaking)",
        ],
    )
    assert (await alone("contract", "diff", path, "--strict")).code == 1
    assert (await alone("contract", "diff", path, "--json")).json["breaking"] is True


async def test_two_folders_are_compared(alone: Terminal, tmp_path: Path, shop: str) -> None:
    new = file_of(tmp_path, ORDERS, "new.yaml")
    done = await alone("contract", "diff", shop, new)
    assert "event order.refunded\n  - event order.refunded is gone  (breaking)\n" in done.out
    assert (await alone("contract", "diff", shop, shop)).out == "no difference\n"


async def test_contracts_are_listed_and_one_is_shown_whole(alone: Terminal, shop: str) -> None:
    listed = await alone("contract", "show", shop)
    assert listed.out.splitlines()[0].split() == ["KIND", "NAME", "VERSION", "OWNER", "DESCRIPTION"]
    assert "metric  revenue" in listed.out
    assert (await alone("contract", "show", shop, "orders", "--json")).json["type"] == "count"
    assert '"type": "count"' in (await alone("contract", "show", shop, "orders")).out
    assert (await alone("contract", "show", shop, "nothing")).code == 3
    assert (await alone("contract", "show", shop, "orders", "--version", "2")).code == 3


async def test_the_graph_is_text_json_and_a_picture(alone: Terminal, shop: str, tmp_path: Path) -> None:
    assert (await alone("contract", "graph", shop)).out.startswith("event order.created  (version 1)\n")
    assert "revenue" not in (await alone("contract", "graph", shop, "--metric", "refund_rate")).out
    assert (await alone("contract", "graph", shop, "--json")).json["edges"]
    picture = tmp_path / "graph.svg"
    done = await alone("contract", "graph", shop, "--svg", str(picture))
    assert done.err == f"{picture} written\n"
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
    assert (await alone("contract", "graph", shop, "--metric", "gone")).code == 3


TESTED = (
    ORDERS
    + """tests:
  - name: two orders are two
    given: [{type: order.created, data: {id: a}}, {type: order.created, data: {id: b}}]
    expect: 2
"""
)


async def test_tests_of_metrics_are_run(alone: Terminal, tmp_path: Path) -> None:
    done = await alone("contract", "test", file_of(tmp_path, TESTED))
    assert (done.code, done.out) == (0, "ok    orders  two orders are two\n1 of 1 test passed\n")
    wrong = file_of(tmp_path, TESTED.replace("expect: 2", "expect: 3"))
    done = await alone("contract", "test", wrong)
    assert (done.code, done.out.splitlines()) == (
        1,
        ["FAIL  orders  two orders are two", "      the value is 2, and 3 was expected", "0 of 1 test passed"],
    )
    assert (await alone("contract", "test", wrong, "--json")).json["passed"] is False
    assert "without a test: orders" in (await alone("contract", "test", file_of(tmp_path, ORDERS))).err


async def test_contracts_that_do_not_fit_are_not_tested(alone: Terminal, tmp_path: Path) -> None:
    done = await alone("contract", "test", file_of(tmp_path, TESTED.replace("on: order.created", "on: order.made")))
    assert done.code == 2
    assert "there is no event order.made" in done.err


async def test_the_contracts_of_the_example_keep_their_tests(alone: Terminal) -> None:
    folder = str(Path(__file__).parents[2] / "examples" / "shop" / "contracts")
    assert (await alone("contract", "check", folder)).code == 0
    assert (await alone("contract", "test", folder)).code == 0


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal on a server that takes contracts."""
    async with serving(create_app(FakeEngine(), FakeMetrics())) as url:
        yield Terminal({"AOB_SERVER": url, "AOB_KEY": SECRET, "AOB_HOME": str(tmp_path / "home")})


async def test_contracts_are_pushed_by_their_names_in_the_folder(home: Terminal, tmp_path: Path) -> None:
    (tmp_path / "contracts" / "more").mkdir(parents=True)
    file_of(tmp_path, "event: a\nfields: {}\n", "contracts/a.yaml")
    file_of(tmp_path, "event: b\nfields: {}\n", "contracts/more/b.yaml")
    folder = str(tmp_path / "contracts")
    tried = await home("contract", "push", folder, "--dry-run")
    assert tried.out == "+ event/a  would be new\n+ event/b  would be new\nrevision 0: 2 new, 0 as they were\n"
    assert (await home("contract", "push", folder, "--json")).json["new"] == ["event/a", "event/b"]
    assert (await home("contract", "push", folder)).out == "revision 2: 0 new, 2 as they were\n"
    file_of(tmp_path, "event: b\nfields: {x: string}\n", "contracts/more/b.yaml")
    assert (await home("contract", "push", folder)).code == 5
    assert (await home("contract", "push", folder, "--allow-breaking")).code == 0
    file_of(tmp_path, "hello: 1", "contracts/more/b.yaml")
    refused = await home("contract", "push", folder)
    assert refused.code == 2
    assert "more/b.yaml#" in refused.err


async def test_two_folders_with_one_name_are_not_pushed_together(home: Terminal, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        file_of(tmp_path, "event: a\nfields: {}\n", f"{name}/a.yaml")
    refused = await home("contract", "push", str(tmp_path / "one"), str(tmp_path / "two"))
    assert (refused.code, "two files are called a.yaml" in refused.err) == (2, True)


def test_the_command_is_there_for_people(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["contract", "check", shop]) == 0
    assert "no problems" in capsys.readouterr().out
