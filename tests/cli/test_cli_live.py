"""Commands of live metrics: what people read, what programs read, and what the exit codes say."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aob.cli.commands.live.event import events_in
from aob.cli.commands.live.rows import instant
from aob.core.errors import Invalid
from tests.cli.conftest import Terminal
from tests.server.fake_metrics import NOW_MS, FakeMetrics


def order(id: str, amount: Any = 10, region: str = "north") -> dict[str, Any]:
    return {"type": "order.created", "source": "shop", "id": id, "data": {"amount": amount, "region": region}}


@pytest.fixture
async def _sent(aob: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in (order("a"), order("b", 2.5, "south"), order("c", None))))
    done = await aob("event", "send", str(file))
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "received 3  accepted 2  duplicate 0  rejected 1"
    assert lines[1] == "  event 3: /data/amount is no number  (aob deadletter show 1)"


@pytest.mark.parametrize(
    ("data", "count"),
    [(b'{"a":\n1}', 1), (b'[{"a":1},{"b":2}]', 2), (b'{"a":1}\n\n{"b":2}\n', 2), (b"", 0), (b"\n", 0)],
)
def test_events_come_as_one_as_an_array_or_as_lines(data: bytes, count: int) -> None:
    assert len(events_in(data)) == count


@pytest.mark.parametrize(("data", "line"), [(b'{"a":1}\n{"b":', 2), (b"7", None), (b"[7]", None), (b'{"a":1}\n7', 2)])
def test_what_is_no_event_is_refused_with_its_line(data: bytes, line: int | None) -> None:
    with pytest.raises(Invalid) as caught:
        events_in(data)
    assert [problem.line for problem in caught.value.problems] == ([line] if line else [])


async def test_events_get_what_they_leave_out(aob: Terminal, tmp_path: Path, metrics: FakeMetrics) -> None:
    file = tmp_path / "one.json"
    file.write_text('{"type": "page.viewed"}')
    done = await aob("event", "send", str(file), "--source", "web", "--json")
    assert (done.code, done.json["accepted"]) == (0, 1)
    (event,) = metrics.tenants["default"].events
    assert (event["source"], event["sequence"]) == ("web", 1)


@pytest.mark.usefixtures("_sent")
async def test_metrics_are_listed_and_read(aob: Terminal) -> None:
    listed = await aob("metric", "list")
    assert "revenue  sum    EUR   region" in listed.out
    shown = await aob("metric", "show", "revenue", "--window", "1h", "--by", "region", "--compare")
    assert shown.out.startswith("revenue  12.5 EUR  (1h)\nbefore    0 EUR\n")
    assert "north   10 EUR" in shown.out
    assert (await aob("metric", "show", "revenue", "--where", "region=south", "--json")).json["value"] == 2.5
    missing = await aob("metric", "show", "none")
    assert (missing.code, "there is no metric none" in missing.err) == (3, True)
    wrong = await aob("metric", "show", "revenue", "--where", "region")
    assert (wrong.code, "--where region=north" in wrong.err) == (2, True)


@pytest.mark.usefixtures("_sent")
async def test_why_a_metric_moved(aob: Terminal) -> None:
    done = await aob("metric", "why", "orders", "--from", "2h", "--to", "2026-01-01T00:00:00Z")
    assert "orders  0 -> 2" in done.out
    assert "order.created  shop/a" in done.out
    assert (await aob("metric", "why", "orders", "--json")).json["moved_by"][0]["count"] == 2


async def test_a_metric_and_events_are_watched(aob: Terminal, metrics: FakeMetrics, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    watching = asyncio.ensure_future(aob("metric", "watch", "revenue", "--count", "2"))
    both = asyncio.ensure_future(aob("event", "watch", "--type", "order.created", "--count", "1", "--json"))
    number = 0
    while not (watching.done() and both.done()):
        file.write_text(json.dumps(order(f"e{number}", 1)))
        number += 1
        await aob("event", "send", str(file))
    assert (await watching).out.count("revenue  ") == 2
    assert (await both).json["data"]["type"] == "order.created"


@pytest.mark.usefixtures("_sent")
async def test_dead_letters_are_grouped_shown_mended_and_set_aside(aob: Terminal, tmp_path: Path) -> None:
    assert "1       " in (await aob("deadletter", "list", "--type", "order.created")).out
    groups = await aob("deadletter", "groups")
    assert "order.created  type    1      1: /data/amount is no number" in groups.out
    shown = await aob("deadletter", "show", "1")
    assert "schema [type]: /data/amount is no number" in shown.out
    assert "aob deadletter replay 1 --event FILE" in shown.out
    dry = await aob("deadletter", "replay", "--reason", "type", "--dry-run")
    assert (dry.code, "would be: matched 1  accepted 0  duplicate 0  rejected 1" in dry.out) == (1, True)
    mended = await aob("deadletter", "replay", "1", "--event", json.dumps({"data": order("c", 3)["data"]}))
    assert (mended.code, "accepted 1" in mended.out) == (0, True)
    assert (await aob("deadletter", "replay")).code == 2
    assert (await aob("deadletter", "replay", "1", "2", "--event", "{}")).code == 2
    assert (await aob("deadletter", "discard", "1", "--note", "done", "--json")).json == {"discarded": 1}
    assert (await aob("deadletter", "list")).out == "nothing was refused\n"
    assert (await aob("deadletter", "list", "--state", "any", "--json")).json["deadletters"][0]["note"] == "done"


@pytest.mark.usefixtures("_sent")
async def test_entities_rows_and_words(aob: Terminal) -> None:
    entity = await aob("entity", "order", "a", "--history", "2")
    assert entity.out.startswith("order a  changed ")
    assert "amount  10" in entity.out
    assert (await aob("entity", "order", "none")).code == 1
    assert (await aob("entity", "order", "a", "--as-of", str(NOW_MS), "--json")).json["as_of"] == NOW_MS
    assert (await aob("query", "--metric", "revenue", "--metric", "orders")).out == "REVENUE  ORDERS\n12.5     2\n"
    assert (await aob("query", "select count(*) from events", "--json")).json["rows"] == [[2]]
    assert (await aob("query", "--entity", "order", "--order=-id")).out == "ID\na\nb\n"
    assert (await aob("query")).code == 2
    assert (await aob("query", "drop table events")).code == 2
    assert "metric  revenue" in (await aob("search", "rev")).out
    assert (await aob("search", "nothing", "at all")).out == "nothing was found\n"


async def test_alerts_are_listed_silenced_and_changed(aob: Terminal) -> None:
    assert "revenue_high      ok     0      value > 100" in (await aob("alert", "list")).out
    quiet = await aob("alert", "silence", "revenue_high", "--for", "2h", "--reason", "known")
    assert "revenue_high is silent until" in quiet.out
    assert [row["name"] for row in (await aob("alert", "list", "--state", "silenced", "--json")).json] == [
        "revenue_high"
    ]
    assert (await aob("alert", "silence", "revenue_high", "--end")).out == "revenue_high speaks again\n"
    assert (await aob("alert", "silence", "revenue_high", "--end", "--for", "1h")).code == 2
    await aob("alert", "put", "low", '{"metric": "orders", "when": "value < 1"}')
    assert "when  value < 1" in (await aob("alert", "show", "low")).out
    assert (await aob("alert", "delete", "low")).out == "low is judged no more\n"
    assert "revenue_fresh  revenue  freshness  99.00%  99.00%  100.00%" in (await aob("slo")).out
    assert (await aob("slo", "revenue_fresh", "--json")).json["state"] == "ok"


async def test_webhooks_are_made_paused_and_sent_again(aob: Terminal) -> None:
    made = await aob("webhook", "create", "https://example.org/x", "--event", "order.created", "--metric", "*")
    assert made.out == "whsec_c2VjcmV0\n"
    assert "shown only now" in made.err
    assert "hook_0   https://example.org/x  order.created *  active" in (await aob("webhook", "list")).out
    assert (await aob("webhook", "pause", "hook_0")).out == "hook_0  paused\n"
    assert (await aob("webhook", "resume", "hook_0", "--json")).json["state"] == "active"
    assert (await aob("webhook", "rotate", "hook_0")).out.startswith("whsec_")
    assert '"url": "https://example.org/x"' in (await aob("webhook", "show", "hook_0")).out
    assert "msg_1" in (await aob("webhook", "deliveries", "hook_0", "--state", "failed")).out
    assert (await aob("webhook", "deliveries", "hook_0", "msg_1", "--json")).json["state"] == "failed"
    assert (await aob("webhook", "redeliver", "hook_0", "msg_1", "--since", "1h")).out == "1 will be sent again\n"
    assert (await aob("webhook", "delete", "hook_0")).out == "hook_0 is ended\n"
    assert (await aob("webhook", "show", "hook_0")).code == 3


def test_instants_are_written_as_they_are_or_as_how_long_ago() -> None:
    assert instant(None) is None
    assert instant("2026-01-01T00:00:00Z") == "2026-01-01T00:00:00Z"
    assert instant("1767225600000") == "1767225600000"
    ago = instant("1h")
    assert isinstance(ago, int)
    later = instant("30m")
    assert isinstance(later, int)
    assert 1_700_000 < later - ago < 1_900_000
