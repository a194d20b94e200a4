"""`http` nodes: what is sent for an input, what comes of an answer, and that no value leads a request astray."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.node import KINDS
from aob.core.node.template.filling import TemplateError
from aob.ports.workers import Fault, Job
from aob.work import WorkError
from aob.work.egress import Answer, CheckedClient, EgressRules
from aob.work.kinds.http import filled, filled_url, perform, retry_after_ms
from aob.work.outcome import fault_of
from aob.work.tools import Tools
from tests.work.jobs import Asked, job_of, node_of, tools_of
from tests.work.peers import Peer, peer


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/json", b'{"id": 7}', content_type="application/json; charset=utf-8")
        yield it


@pytest.fixture
async def tools(shop: Peer) -> AsyncIterator[Tools]:
    async with CheckedClient(EgressRules((f"127.0.0.1:{shop.port}",))) as client:
        yield tools_of(http=client)


def job(config: dict[str, Any], value: Any = None, **spec: Any) -> Job:
    kind = KINDS["http"].effect(msgspec.convert(config, KINDS["http"].config))
    return job_of(node_of("http", config, **{"effect": kind, **spec}), value)


async def fault(asked: Job, tools: Tools, ctx: Asked | None = None) -> Fault:
    with pytest.raises((WorkError, TemplateError)) as error:
        await perform(asked, ctx or Asked(asked), tools)
    return fault_of(error.value)


async def output(asked: Job, tools: Tools, ctx: Asked | None = None) -> Any:
    return await perform(asked, ctx or Asked(asked), tools)


# -- what is sent


async def test_url_headers_query_and_body_are_filled_from_the_input(shop: Peer, tools: Tools) -> None:
    shop.answer("/orders/a%2Fb%20c", b"", "201 Created")
    config = {
        "url": shop.url + "/orders/{order.id}",
        "method": "POST",
        "headers": {"X-Who": "{who} & co"},
        "query": {"q": "{n}"},
        "body": {"n": "{n}", "text": "order {order.id}", "all": "{order}", "list": ["{who}"]},
    }
    await output(job(config, {"order": {"id": "a/b c"}, "who": "me", "n": 3}), tools)
    (asked,) = shop.requests
    assert asked.target == "/orders/a%2Fb%20c?q=3"
    assert asked.headers["x-who"] == "me & co"
    assert asked.headers["content-type"] == "application/json"
    assert msgspec.json.decode(asked.body) == {
        "n": 3, "text": "order a/b c", "all": {"id": "a/b c"}, "list": ["me"],
    }  # fmt: skip


async def test_a_request_that_is_not_a_get_carries_the_key_of_the_visit(shop: Peer, tools: Tools) -> None:
    for method, more in (("GET", {}), ("POST", {}), ("DELETE", {"key_header": "X-Once"})):
        await output(job({"url": shop.url + "/json", "method": method, **more}), tools)
    keys = [(asked.headers.get("idempotency-key"), asked.headers.get("x-once")) for asked in shop.requests]
    assert keys == [(None, None), ("key-run_1-n", None), (None, "key-run_1-n")]


async def test_a_text_body_is_sent_as_it_is(shop: Peer, tools: Tools) -> None:
    await output(job({"url": shop.url + "/json", "method": "PUT", "body": "hello {name}"}, {"name": "you"}), tools)
    (asked,) = shop.requests
    assert (asked.body, asked.headers["content-type"]) == (b"hello you", "text/plain; charset=utf-8")


async def test_an_input_that_is_no_map_is_reached_as_input(shop: Peer, tools: Tools) -> None:
    assert await output(job({"url": shop.url + "/{input}"}, "json"), tools) == {"id": 7}


async def test_a_whole_url_may_come_from_the_input(shop: Peer, tools: Tools) -> None:
    assert await output(job({"url": "{base}/json"}, {"base": shop.url}), tools) == {"id": 7}


def url(template: str, **values: Any) -> str:
    return filled_url(template, values)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("http://shop/{x}", "a/../../admin", "http://shop/a%2F..%2F..%2Fadmin"),
        ("http://shop/{x}", "?admin=1#x", "http://shop/%3Fadmin%3D1%23x"),
        ("http://shop/?q={x}", "a&b=c", "http://shop/?q=a%26b%3Dc"),
        ("http://{x}/", "shop.internal:80", "http://shop.internal:80/"),
        ("http://{x}.shop/", "eu", "http://eu.shop/"),
        ("{x}/a", "https://other", "https://other/a"),
    ],
)
def test_a_value_stays_in_its_place_of_the_url(template: str, value: str, expected: str) -> None:
    assert url(template, x=value) == expected


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("http://shop/{x}/orders", ".."),
        ("http://shop/{x}{x}/orders", "."),
        ("http://shop/{x}", "."),
        ("http://{x}/", "shop@evil.test"),
        ("http://{x}.shop/", "evil.test/#"),
        ("http://{x}.shop/", "evil.test?"),
        ("http://{x}.shop/", "evil.test\\"),
        ("ftp://shop/{x}", "a"),
        ("shop/{x}", "a"),
    ],
)
def test_a_value_that_would_lead_elsewhere_is_refused(template: str, value: str) -> None:
    with pytest.raises(WorkError) as error:
        url(template, x=value)
    assert (error.value.fault.code, error.value.fault.transient) == ("request_invalid", False)


@given(st.text(max_size=20))
def test_no_value_in_a_path_changes_the_host_or_leaves_the_path(value: str) -> None:
    import httpx

    try:
        text = url("http://shop.test/orders/{x}/items", x=value)
    except (WorkError, UnicodeEncodeError):
        return
    parsed = httpx.URL(text)
    assert (parsed.host, parsed.query, parsed.fragment) == ("shop.test", b"", "")
    raw = parsed.raw_path.decode().split("/")
    assert (len(raw), raw[1], raw[3]) == (4, "orders", "items")


def test_a_header_has_one_line() -> None:
    with pytest.raises(WorkError, match="one line"):
        filled(
            job({"url": "http://x/", "headers": {"A": "{v}"}}).task.config,
            job({"url": "http://x/"}, {"v": "a\r\nB: c"}),
        )


async def test_a_name_without_a_value_is_a_permanent_fault(tools: Tools) -> None:
    missing = await fault(job({"url": "http://shop/{nothing}"}, {"id": 1}), tools)
    assert missing.transient is False
    assert "nothing" in missing.message


# -- what comes back


async def test_the_output_is_the_body_parsed_when_it_is_json(shop: Peer, tools: Tools) -> None:
    shop.answer("/text", "grüße".encode("latin-1"), content_type="text/plain; charset=latin-1")
    shop.answer("/bytes", b"\xff\xfe", content_type="image/png")
    shop.answer("/problem", b'{"a":1}', content_type="application/problem+json")
    shop.answer("/empty", status="204 No Content")
    outputs = [
        await output(job({"url": shop.url + path}), tools)
        for path in ("/json", "/text", "/bytes", "/problem", "/empty")
    ]
    assert outputs == [{"id": 7}, "grüße", {"base64": "//4=", "content_type": "image/png"}, {"a": 1}, None]


async def test_the_whole_response_when_it_is_asked_for(shop: Peer, tools: Tools) -> None:
    shop.answer("/made", b'{"id": 8}', "201 Created", content_type="application/json", X_A="b")
    response = await output(job({"url": shop.url + "/made", "output": "response"}), tools)
    assert (response["status"], response["body"], response["headers"]["x-a"]) == (201, {"id": 8}, "b")


async def test_json_that_is_none_is_a_fault(shop: Peer, tools: Tools) -> None:
    shop.answer("/bad", b"{", content_type="application/json")
    assert (await fault(job({"url": shop.url + "/bad"}), tools)).code == "http_bad_json"


@pytest.mark.parametrize(
    ("status", "transient"),
    [("400 Bad", False), ("404 Not Found", False), ("409 Conflict", False), ("408 Timeout", True), ("425 Early", True),
     ("429 Many", True), ("500 Error", True), ("503 Busy", True), ("304 Not Modified", False)],
)  # fmt: skip
async def test_statuses_say_whether_asking_again_may_help(
    shop: Peer, tools: Tools, status: str, transient: bool
) -> None:
    shop.answer("/status", b"because", status)
    failed = await fault(job({"url": shop.url + "/status"}), tools)
    assert (failed.code, failed.transient, failed.detail["status"]) == ("http_status", transient, int(status[:3]))
    if not status.startswith("304"):
        assert failed.detail["body"] == "because"


async def test_a_status_that_is_expected_is_a_success_and_others_are_not(shop: Peer, tools: Tools) -> None:
    shop.answer("/gone", b"", "404 Not Found")
    config = {"url": shop.url + "/gone", "expect": [404], "output": "response"}
    assert (await output(job(config), tools))["status"] == 404
    assert (await fault(job({"url": shop.url + "/json", "expect": [404]}), tools)).code == "http_status"


async def test_what_the_server_asks_to_wait_stands_in_the_fault(shop: Peer, tools: Tools) -> None:
    shop.answer("/busy", b"", "429 Too Many", retry_after="7")
    assert (await fault(job({"url": shop.url + "/busy"}), tools)).detail["retry_after_ms"] == 7_000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30_000),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 40}, 999_999_999_000),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], expected: int | None) -> None:
    assert retry_after_ms(Answer(429, headers, b"", "")) == expected


# -- once


async def test_a_once_request_is_intended_and_settled(shop: Peer, tools: Tools) -> None:
    asked = job({"url": shop.url + "/json?token=secret", "method": "POST"}, effect="once")
    ctx = Asked(asked)
    await output(asked, tools, ctx)
    assert ctx.asked == [
        ("intend http", {"method": "POST", "url": shop.url + "/json", "node": "n"}),
        ("settle", {"id": 7}),
    ]


@pytest.mark.parametrize(
    ("status", "code"), [("404 Not Found", "http_status"), ("429 Many", "http_status"), ("500 Error", "uncertain")]
)
async def test_a_once_request_that_the_server_refused_did_not_happen_and_one_that_broke_it_may_have(
    shop: Peer, tools: Tools, status: str, code: str
) -> None:
    shop.answer("/pay", b"", status)
    asked = job({"url": shop.url + "/pay", "method": "POST"}, effect="once")
    ctx = Asked(asked)
    assert (await fault(asked, tools, ctx)).code == code
    assert [what for what, _ in ctx.asked] == (["intend http"] if code == "uncertain" else ["intend http", "settle"])


async def test_a_once_request_to_nobody_did_not_happen(shop: Peer) -> None:
    asked = job({"url": shop.url + "/pay", "method": "POST"}, effect="once")
    ctx = Asked(asked)
    async with CheckedClient() as client:
        assert (await fault(asked, tools_of(http=client), ctx)).code == "egress_refused"
    assert ctx.asked[-1] == ("settle", "egress_refused")


async def test_a_request_has_the_time_of_its_node(shop: Peer, tools: Tools) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    shop.answers["/silent"] = silent
    late = await fault(job({"url": shop.url + "/silent"}, timeout={"run_ms": 50}), tools)
    assert late.code == "http_timeout"


async def test_an_answer_has_as_many_bytes_and_redirects_as_the_node_allows(shop: Peer, tools: Tools) -> None:
    shop.redirect("/1", "/2")
    shop.redirect("/2", "/json")
    assert await output(job({"url": shop.url + "/1", "redirects": 2}), tools) == {"id": 7}
    assert (await fault(job({"url": shop.url + "/1", "redirects": 1}), tools)).code == "too_many_redirects"
    assert (await fault(job({"url": shop.url + "/json", "max_bytes": 5}), tools)).transient is False
