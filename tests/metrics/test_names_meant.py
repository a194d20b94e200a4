"""A name that is wrong by a letter: who says it hears which one was meant, and that nothing will come of it."""

from pathlib import Path

import pytest

import aob
from aob.core.errors import Invalid, NotFound
from aob.server import create_app, serving
from tests.cli.conftest import Terminal

CONTRACTS = """
event: order.paid
fields: {amount: number}
---
metric: revenue
type: sum
moves: [{on: order.paid, value: data.amount}]
windows: [all]
---
alert: revenue_high
metric: revenue
when: value > 1000.0
"""


async def test_each_verb_of_contracts_and_alerts_says_which_name_was_meant(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        ask, who = app.metrics, app.who
        with pytest.raises(NotFound, match="there is no event") as nothing:
            await ask.contract(who, "event", "order.paid")
        assert "aob contract push" in nothing.value.hint
        await app.push_contracts({"c.yaml": CONTRACTS})
        told = []
        for call in (
            ask.default_version(who, "order.piad", 2),
            ask.contract(who, "event", "order.piad"),
            ask.contract(who, "metric", "revnue"),
            ask.lineage(who, event="order.piad"),
            ask.lineage(who, metric="revnue"),
            ask.alert(who, "revenue_hihg"),
        ):
            with pytest.raises(NotFound) as refused:
                await call
            told.append(refused.value.hint)
        assert all("did you mean" in hint for hint in told), told


async def test_a_webhook_that_nothing_will_reach_is_refused_or_told_of(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"c.yaml": CONTRACTS})
        ask, who, url = app.metrics, app.who, "https://example.org/hook"
        for state in ("COMPLETE", "waiting", "done"):
            with pytest.raises(Invalid, match="no webhook is told") as refused:
                await ask.create_webhook(who, url, runs=[state])
            assert refused.value.hint.startswith(("did you mean", "states: "))
        made = await ask.create_webhook(
            who,
            url,
            events=["order.piad", "order.paid", "*"],
            metrics=["revnue"],
            alerts=["revenue_high"],
            runs=["failed"],
        )
        assert made["warnings"] == [
            "no contract speaks of the event order.piad: did you mean `order.paid`?",
            "no contract speaks of the metric revnue: did you mean `revenue`?",
        ]
        assert "warnings" not in await ask.create_webhook(who, url, events=["order.paid"], metrics=["runs_finished"])
        assert len(await ask.webhooks(who)) == 2


async def test_a_file_of_a_type_that_no_contract_declares_is_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("amount\n1\n2\n")
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"c.yaml": CONTRACTS})
        key = (await app.views.create_key(app.who, "t", ["admin", "view", "run"]))["secret"]
        async with serving(create_app(app.views, app.metrics)) as url:
            terminal = Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")})
            done = await terminal("event", "send", str(file), "--type", "order.piad")
            assert (done.code, done.out) == (3, "")
            assert "nothing was sent" in done.err
            assert "did you mean `order.paid`?" in done.err
            assert (await terminal("deadletter", "groups", "--json")).json == []
            made = await terminal("webhook", "create", "https://example.org/hook", "--event", "order.piad")
            assert (made.code, "warning: no contract speaks of the event order.piad" in made.err) == (0, True)


async def test_what_is_put_back_is_a_copy_of_a_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    terminal = Terminal({"AOB_HOME": str(tmp_path / "home")})
    for name in ("none", "file", ""):
        done = await terminal("restore", str(tmp_path / name))
        assert done.code == 3
        assert "is no copy of a home\nhint: name a folder that aob backup has made" in done.err
    assert not (tmp_path / "home").exists()
