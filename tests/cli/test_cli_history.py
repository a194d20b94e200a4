"""History from files: rows become events with a time, an id and the types of their contract, and count once."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob as platform
from aob.cli.commands.live.history import Columns, event_of, rows_in, time_of, value_of
from aob.core.errors import Invalid, NotFound
from aob.server import create_app, serving
from tests.cli.conftest import Terminal
from tests.server.fake_metrics import FakeMetrics

CONTRACTS = """
event: sale
fields: {customer: string, zip: string, amount: number, pieces: integer}
---
metric: taken
type: sum
moves: [{on: sale, value: data.amount}]
windows: [1d, all]
"""
CSV = """customer,zip,amount,pieces,day
7,01234,10.5,2,19970101
8,99999,4,1,1997-01-12
"""


def made(file: Path, columns: Columns, types: dict[str, str] | None = None) -> list[dict[str, Any]]:
    event = event_of(str(file), columns, types or {})
    return [event(number, row) for number, row in rows_in(str(file))]


async def test_a_file_of_sales_is_loaded_into_a_real_home_and_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(CSV)
    async with platform.open(tmp_path / "home") as app:
        await app.push_contracts({"c.yaml": CONTRACTS})
        async with serving(create_app(app.views, app.metrics)) as url:
            key = (await app.views.create_key(app.who, "t", ["admin", "view", "run"]))["secret"]
            aob = Terminal({"AOB_SERVER": url, "AOB_KEY": key, "AOB_HOME": str(tmp_path / "none")})
            words = ("event", "send", str(file), "--type", "sale", "--time", "day", "--subject", "customer")
            first = await aob(*words)
            again = await aob(*words)
        assert (first.code, first.out) == (0, "received 2  accepted 2  duplicate 0  rejected 0\n"), first.err
        assert again.out == "received 2  accepted 0  duplicate 2  rejected 0\n"
        told = await app.metric("taken", window="1d", as_of_ms=852_120_000_000)  # 1997-01-01T16:00Z
        assert told["value"] == 10.5
        assert (await app.metric("taken", window="all"))["value"] == 14.5


async def test_what_is_refused_is_told_by_row(aob: Terminal, tmp_path: Path, metrics: FakeMetrics) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("no,amount,region\n1,10,north\n2,much,south\n")
    done = await aob("event", "send", str(file), "--type", "order.created", "--id", "no")
    assert done.code == 1
    assert done.out.splitlines()[0] == "received 2  accepted 1  duplicate 0  rejected 1"
    assert done.out.splitlines()[1].startswith("  row 2: /data/amount")
    told = await aob("event", "send", str(file), "--type", "order.created", "--id", "no", "--json")
    assert (told.json["duplicate"], told.json["refused"][0]["row"]) == (1, 2)


async def test_rows_need_a_type_and_a_file(aob: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("no\n1\n")
    assert "say of which type" in (await aob("event", "send", str(file))).err
    assert (await aob("event", "send", str(tmp_path / "none.csv"), "--type", "x")).code == 3
    assert "columns: no" in (await aob("event", "send", str(file), "--type", "x", "--time", "at")).err


def test_columns_have_the_types_of_the_contract_or_what_they_plainly_are(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(CSV)
    known = made(file, Columns("sale", "day", "zip"), {"customer": "string", "zip": "string", "amount": "number"})
    assert known[0] == {
        "type": "sale", "id": "01234", "time": "1997-01-01T00:00:00Z",
        "data": {"customer": "7", "zip": "01234", "amount": 10.5, "pieces": 2, "day": 19970101},
    }  # fmt: skip
    assert made(file, Columns("sale"))[1] == {
        "type": "sale", "id": "sales-2",
        "data": {"customer": 8, "zip": 99999, "amount": 4, "pieces": 1, "day": "1997-01-12"},
    }  # fmt: skip
    assert made(file, Columns("sale"))[0]["data"]["zip"] == "01234"


@pytest.mark.parametrize("head", ["a;b", "a\tb", "a|b", "a,b"])
def test_what_parts_the_cells_is_found(head: str, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(f"\ufeff{head}\n1{head[1]}2\n", encoding="utf-8")
    assert list(rows_in(str(file))) == [(1, {"a": "1", "b": "2"})]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.csv", b"a,b\n1,2,3\n", "x.csv:2: this row does not have 2 cells"),
        ("x.csv", b"a,b\n1\n", "x.csv:2: this row does not have 2 cells"),
        ("x.csv", b"a,b\n\xff,1\n", "no CSV in UTF-8"),
        ("x.jsonl", b'{"a": 1}\n[1]\n', "x.jsonl:2"),
        ("x.parquet", b"PAR0", "no Parquet file"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(Invalid, match=words):
        list(rows_in(str(file)))


def test_parquet_and_lines_keep_their_types(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "x.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "copy (select 1 as n, 2.5::decimal(9,2) as d, timestamp '2026-01-02 03:04:05' as t,"
            f" date '2026-01-02' as day, true as b, null as gone) to '{file}' (format parquet)"
        )
    (event,) = made(file, Columns("x", "t"))
    assert event["time"] == "2026-01-02T03:04:05Z"
    assert event["data"] == {"n": 1, "d": 2.5, "t": "2026-01-02T03:04:05Z", "day": "2026-01-02", "b": True}
    lines = tmp_path / "x.jsonl"
    lines.write_text('\ufeff{"n": "1", "at": 86400}\n\n{"n": 2, "at": 86400}\n', encoding="utf-8")
    assert [each["time"] for each in made(lines, Columns("x", "at"))] == ["1970-01-02T00:00:00Z"] * 2


def test_parquet_with_zones_nested_or_not_needs_no_further_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.setitem(sys.modules, "pytz", None)
    file = tmp_path / "x.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        at = "timestamptz '2026-01-02 03:04:05+02:00'"
        connection.execute(f"""copy (select {at} as at, [{at}] as "all ""of"" them", {{'at': {at}}} as one,
            'mug'::enum('mug', 'cup') as what) to '{file}' (format parquet)""")
    (event,) = made(file, Columns("x", "at"))
    assert event["time"] == "2026-01-02T01:04:05Z"
    assert event["data"]['all "of" them'] == [event["data"]["one"]["at"]] == ["2026-01-02T01:04:05Z"]
    assert event["data"]["what"] == "mug"


@given(st.text())
def test_any_cell_is_a_value_and_its_text_is_not_lost(text: str) -> None:
    assert value_of(text, "string") == text
    value = value_of(text, "")
    assert isinstance(value, str | int | float | bool)
    if isinstance(value, int) and not isinstance(value, bool):
        assert str(value) == text.strip() or text.strip() == "-0"


@given(st.text() | st.floats() | st.integers())
def test_any_time_is_an_instant_or_refused(value: Any) -> None:
    try:
        assert time_of(value, "row 1").endswith(("Z", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"))
    except Invalid as refused:
        assert "is no time" in refused.detail  # noqa: PT017


def test_a_missing_file_is_not_found() -> None:
    with pytest.raises(NotFound):
        rows_in("/nowhere/x.csv")
