"""Rows leave as JSON, CSV, Arrow or Parquet by what the caller accepts, and every value is the same in all of them."""

import csv
import io
import json
from typing import Any

import arro3.io as arrow
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Unavailable
from aob.core.metric_answers import QueryAnswer
from aob.ports.installed import required
from aob.server.http.headers import accepted
from aob.server.routes.live.tables import ARROW, CSV, PARQUET, TABLES, table_answer

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "n": ("BIGINT", [2**63 - 1, None, -(2**63)]),
    "small": ("HUGEINT", [5, None, -5]),
    "large": ("HUGEINT", [2**63, None, -(10**37)]),
    "x": ("DOUBLE", [1, None, 2.5]),
    "price": ("DECIMAL(18,2)", [1.25, None, 3]),
    "yes": ("BOOLEAN", [True, None, False]),
    "text": ("VARCHAR", ['a "quoted", text', None, ""]),
    "day": ("DATE", ["2026-01-02", None, "1969-12-31"]),
    "at": ("TIMESTAMP WITH TIME ZONE", ["2026-01-02T03:04:05.678Z", None, "1969-12-31T23:59:59.999Z"]),
    "local": ("TIMESTAMP", ["2026-01-02T03:04:05.678", None, "2026-07-01T00:00:00.000"]),
    "step": ("TIMESTAMP WITH TIME ZONE", [1_767_323_045_678, None, 0]),
    "data": ("JSON", [{"a": [1, None]}, None, "x"]),
    "list": ("BIGINT[]", [[1, 2], None, []]),
}


def answer(columns: dict[str, tuple[str, list[Any]]] = COLUMNS) -> QueryAnswer:
    rows = [list(row) for row in zip(*(values for _, values in columns.values()), strict=True)]
    types = [type for type, _ in columns.values()]
    return {"columns": list(columns), "types": types, "rows": rows, "truncated": False, "position": "1-0.0",
            "took_ms": 0.1}  # fmt: skip


async def table(media: str, found: QueryAnswer | None = None) -> Any:
    told = await table_answer(found or answer(), media)
    read = arrow.read_ipc_stream if media == ARROW else arrow.read_parquet
    return read(io.BytesIO(told.body)).read_all()


@pytest.mark.parametrize("media", [ARROW, PARQUET])
async def test_a_column_has_the_type_of_its_sql(media: str) -> None:
    read = await table(media)
    types = {field.name: str(field.type).strip() for field in read.schema}
    assert types == {
        name: f"arro3.core.DataType<{kind}>" for name, kind in {
            "n": "Int64", "small": "Int64", "large": "Decimal128(38, 0)", "x": "Float64", "price": "Float64",
            "yes": "Boolean", "text": "Utf8", "day": "Date32", "at": 'Timestamp(ms, "UTC")', "local": "Timestamp(ms)",
            "step": 'Timestamp(ms, "UTC")', "data": "Utf8", "list": "Utf8",
        }.items()
    }  # fmt: skip
    values = {name: read[name].to_pylist() for name in ("n", "small", "x", "yes", "text", "data", "list")}
    assert values["n"] == COLUMNS["n"][1]
    assert values["text"] == COLUMNS["text"][1]
    assert values["data"] == ['{"a":[1,null]}', None, '"x"']
    assert values["list"] == ["[1,2]", None, "[]"]
    assert read["at"].to_pylist()[0].isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert read["step"].to_pylist() == [*read["at"].to_pylist()[:1], None, read["step"].to_pylist()[2]]


@given(
    st.lists(
        st.one_of(st.none(), st.text(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
    )
)
async def test_csv_gives_back_every_text_and_tells_nothing_from_an_empty_one(values: list[Any]) -> None:
    told = await table_answer(answer({"a,b": ("JSON", values), "t": ("VARCHAR", ["x"] * len(values))}), CSV)
    head, *rows = csv.reader(io.StringIO(told.body.decode(), newline=""))
    assert head == ["a,b", "t"]
    assert [row[0] for row in rows] == [
        "" if value is None else value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool)
        else row[0] for value, row in zip(values, rows, strict=True)
    ]  # fmt: skip
    assert [float(row[0]) for row, value in zip(rows, values, strict=True) if type(value) is float] == [
        value for value in values if type(value) is float
    ]
    text = (await table_answer(answer({"a": ("VARCHAR", ["", None])}), CSV)).body
    assert text == b'a\r\n""\r\n\r\n'


@pytest.mark.parametrize("media", TABLES)
async def test_no_rows_are_a_table_with_columns(media: str) -> None:
    empty = answer({name: (type, []) for name, (type, _) in COLUMNS.items()})
    if media == CSV:
        assert (await table_answer(empty, media)).body == ",".join(COLUMNS).encode() + b"\r\n"
    else:
        read = await table(media, empty)
        assert (read.num_rows, read.column_names) == (0, list(COLUMNS))


@pytest.mark.parametrize("media", TABLES)
async def test_a_query_is_answered_in_what_its_caller_accepts(media: str, http: httpx.AsyncClient) -> None:
    told = await http.post("/v1/query", json={"sql": "select 1"}, headers={"accept": f"{media}, */*;q=0.1"})
    assert told.status_code == 200
    assert told.headers["content-type"].partition(";")[0] == media
    assert told.headers["aob-truncated"] == "false"
    assert told.headers["aob-position"]
    plain = await http.post("/v1/query", json={"sql": "select 1"})
    assert plain.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "a/b"), ("", "a/b"), ("*/*", "a/b"), ("x/y", "x/y"), ("x/*", "x/y"), ("a/b;q=0.1, x/y", "x/y"),
        ("*/*;q=0.5, x/y;q=0.6", "x/y"), ("x/y;q=0, */*", "a/b"), ("q/q", "a/b"), ("X/Y", "x/y"),
        ("a/*;q=0, x/*", "x/y"),
    ],
)  # fmt: skip
def test_the_media_that_the_caller_likes_best(accept: str | None, chosen: str) -> None:
    assert accepted(accept, ("a/b", "x/y")) == chosen


def test_a_library_is_missing_when_its_package_is() -> None:
    with pytest.raises(Unavailable) as told:
        required("no_such_package.io", "metrics", "Arrow and Parquet")
    assert told.value.code == "not_installed"
