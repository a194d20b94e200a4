"""Bodies as they come: packed, with a byte order mark, with a key twice, and CloudEvents in all three modes."""

import gzip
import json
import random
import sys
import zlib
from importlib import import_module
from types import ModuleType
from typing import Any

import httpx
import pytest

from aob.core.document.json_text import key_twice
from aob.core.errors import Malformed
from aob.server.http.call import BODY_BYTES_MAX
from aob.server.http.coding import Unpacking
from aob.server.routes.live.ingest import event_of
from tests.server.calls import problem
from tests.server.fake_metrics import FakeMetrics

BOM = b"\xef\xbb\xbf"
EVENT: dict[str, Any] = {"id": "1", "source": "s", "type": "order.placed", "data": {"total": 10}}
LINES = b"\n".join(json.dumps({**EVENT, "id": str(number)}).encode() for number in range(200))
NDJSON = {"content-type": "application/x-ndjson"}


async def send(http: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.post("/v1/events", content=body, headers={**NDJSON, **named})


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP", "identity, gzip"])
async def test_a_packed_body_is_unpacked(name: str, http: httpx.AsyncClient) -> None:
    assert (await send(http, gzip.compress(LINES), content_encoding=name)).json()["accepted"] == 200
    parts = gzip.compress(LINES[:1_000]) + gzip.compress(LINES[1_000:])  # members are one body
    assert (await send(http, parts, content_encoding=name)).json()["duplicate"] == 200


async def test_a_json_body_and_streamed_starts_may_be_packed(http: httpx.AsyncClient) -> None:
    start = json.dumps({"workflow": "greet", "inputs": {"name": "Ada"}}).encode()
    for body, media in ((start, "application/json"), (start + b"\n" + start, "application/x-ndjson")):
        headers = {"content-type": media, "content-encoding": "gzip"}
        answer = await http.post("/v1/runs", content=gzip.compress(body), headers=headers)
        assert answer.status_code in (200, 201)
        assert b"run_id" in answer.content


@pytest.mark.parametrize("name", ["br", "deflate", "gzip, gzip", "compress"])
async def test_other_encodings_are_a_415_that_says_what_goes(name: str, http: httpx.AsyncClient) -> None:
    told = problem(await send(http, LINES, content_encoding=name), 415, "unsupported_media_type")
    assert "gzip" in told["hint"]


async def test_zstd_without_a_library_is_a_415_with_a_hint(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    told = problem(await send(http, b"x", content_encoding="zstd"), 415, "unsupported_media_type")
    assert "backports.zstd" in told["hint"]


async def test_zstd_is_unpacked_by_the_library_that_is_there(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ModuleType("compression.zstd")
    library.ZstdDecompressor = lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression.zstd", library)
    assert (await send(http, gzip.compress(LINES), content_encoding="zstd")).json()["accepted"] == 200


def _zstd() -> Any:
    """The library of this Python, or the one that stands in for it."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return pytest.skip("no library for zstd is installed: pip install backports.zstd")


async def test_zstd_is_unpacked_by_the_real_library(http: httpx.AsyncClient) -> None:
    zstd = _zstd()
    assert (await send(http, zstd.compress(LINES), content_encoding="zstd")).json()["accepted"] == 200
    parts = zstd.compress(LINES[:1_000]) + zstd.compress(LINES[1_000:])  # frames are one body
    assert (await send(http, parts, content_encoding="zstd")).json()["duplicate"] == 200
    for bad in (zstd.compress(LINES)[:-1], b"no zstd", b""):
        problem(await send(http, bad, content_encoding="zstd"), 400, "malformed")


async def test_a_bomb_of_zstd_is_refused_in_little_room(http: httpx.AsyncClient) -> None:
    zstd = _zstd()
    packed = zstd.compress(b" " * (40 * BODY_BYTES_MAX))
    assert len(packed) < 100_000
    problem(await send(http, packed, content_encoding="zstd"), 413, "body_too_large")
    assert len(Unpacking("zstd").feed(packed, 1_000)) == 1_001
    # A frame that asks for a window of 128 MiB is refused by its head, before that much is taken.
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    greedy = wide.compress(random.Random(1).randbytes(70_000)) + wide.flush()
    with pytest.raises(Malformed):
        Unpacking("zstd").feed(greedy, BODY_BYTES_MAX)


async def test_what_unpacks_to_more_than_the_limit_is_refused(http: httpx.AsyncClient) -> None:
    packed = gzip.compress(b" " * (BODY_BYTES_MAX + 1))
    assert len(packed) < 20_000
    problem(await send(http, packed, content_encoding="gzip"), 413, "body_too_large")
    assert len(Unpacking("gzip").feed(packed, 1_000)) == 1_001  # no more is made than it takes to know


@pytest.mark.parametrize(
    "body", [b"", b"plain", gzip.compress(LINES, mtime=0)[:-5], gzip.compress(LINES, mtime=0)[:20], b"\x1f\x8b\x08"]
)
async def test_a_broken_packed_body_is_told(body: bytes, http: httpx.AsyncClient) -> None:
    told = problem(await send(http, body, content_encoding="gzip"), 400, "malformed")
    assert "gzip" in told["detail"]


async def test_a_byte_order_mark_is_no_part_of_the_body(http: httpx.AsyncClient) -> None:
    assert (await send(http, BOM + LINES)).json()["accepted"] == 200
    body = BOM + json.dumps({"workflow": "greet", "inputs": {}}).encode()
    for media in ("application/json", "application/x-ndjson"):
        answer = await http.post("/v1/runs", content=body, headers={"content-type": media})
        assert b"run_id" in answer.content


async def test_lines_may_be_called_ldjson(http: httpx.AsyncClient) -> None:
    assert (await send(http, LINES, content_type="application/x-ldjson")).json()["accepted"] == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"workflow": "greet", "workflow": "other"}',
        b'{"workflow": "greet", "inputs": {"n": 1, "n": 2}}',
        b'{"workflow": "greet", "inputs": {"l": [{"a": 1, "a" : 1}]}}',
        b'{"workflow": "greet", "inputs": {"\\u0061": 1, "a": 1}}',
    ],
)
async def test_a_key_that_stands_twice_is_refused(body: bytes, http: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    told = problem(await http.post("/v1/runs", content=body, headers=headers), 422, "invalid")
    assert told["problems"][0]["code"] == "duplicate_key"
    lines = b'{"workflow": "greet", "inputs": {}}\n' + body
    first, second = (await http.post("/v1/runs", content=lines, headers=NDJSON)).text.splitlines()
    assert "run_id" in first
    assert "duplicate_key" in second


def test_only_keys_of_one_object_are_twice() -> None:
    assert key_twice(b'{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}], "c": "\\"a\\": 1, \\"a\\": 2"}') is None
    assert key_twice('{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}') == "c"
    assert key_twice(b"\xff") is None
    assert key_twice("[" * 100_000) is None


def test_a_key_that_stands_twice_among_many_is_found_in_one_pass() -> None:
    many = ",".join(f'"k{n}": 1' for n in range(100_000))  # by the square, this takes minutes
    assert key_twice(f'{{{many}, "k99999": 2}}') == "k99999"


# --- CloudEvents -----------------------------------------------------------------------------------------------------

ATTRIBUTES = {"ce-specversion": "1.0", "ce-type": "order.placed", "ce-source": "s", "ce-id": "1"}


async def test_the_three_modes_of_cloudevents_are_one_event(http: httpx.AsyncClient, metrics: FakeMetrics) -> None:
    cloud = {**EVENT, "specversion": "1.0"}
    for body, headers in (
        (json.dumps(cloud), {"content-type": "application/cloudevents+json; charset=utf-8"}),
        (json.dumps([{**cloud, "id": "2"}]), {"content-type": "application/cloudevents-batch+json"}),
        (json.dumps(EVENT["data"]), {"content-type": "application/json", **ATTRIBUTES, "ce-id": "3"}),
    ):
        answer = await http.post("/v1/events", content=body, headers=headers)
        assert answer.json()["accepted"] == 1, answer.text


def test_attributes_in_headers_are_percent_encoded_text() -> None:
    headers = {name.encode(): value.encode() for name, value in ATTRIBUTES.items()}
    more = {b"ce-subject": b"Z%C3%BCrich %22x%22", b"ce-sequence": b"7", b"ce-aobdepth": b"2", b"content-type": b"x"}
    assert json.loads(event_of({**headers, **more}, b'{"total": 1}')) == {
        "specversion": "1.0", "type": "order.placed", "source": "s", "id": "1", "subject": 'Zürich "x"',
        "sequence": 7, "aobdepth": 2, "data": {"total": 1},
    }  # fmt: skip
    assert "data" not in json.loads(event_of(headers, b""))


async def test_binary_data_that_is_no_json_and_attributes_that_are_no_text_are_refused(http: httpx.AsyncClient) -> None:
    json_media = {"content-type": "application/json", **ATTRIBUTES}
    problem(await http.post("/v1/events", content=b"{oops", headers=json_media), 400, "malformed")
    wrong = {**json_media, "ce-subject": "%FF"}
    problem(await http.post("/v1/events", content=b"{}", headers=wrong), 422, "invalid")
    picture = {**ATTRIBUTES, "content-type": "image/png"}
    problem(await http.post("/v1/events", content=b"x", headers=picture), 415, "unsupported_media_type")
