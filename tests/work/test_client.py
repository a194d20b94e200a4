"""The checked client against real servers: addresses, redirects, rebinding, limits, and what it never sends."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aob.ports.workers import Fault
from aob.work import WorkError
from aob.work.egress import CheckedClient, EgressRules
from tests.work.peers import Peer, by_table, peer


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        it.answer("/", b"hello")
        yield it


def allowed(*peers: Peer, **more: Any) -> CheckedClient:
    return CheckedClient(EgressRules(tuple(f"127.0.0.1:{it.port}" for it in peers)), **more)


async def fault(client: CheckedClient, url: str, method: str = "GET", **more: Any) -> Fault:
    async with client:
        with pytest.raises(WorkError) as error:
            await client.request(method, url, **more)
    return error.value.fault


async def test_an_allowed_server_is_asked_and_its_answer_comes_back(shop: Peer) -> None:
    shop.answer("/x", b"made", "201 Created", X_Thing="a")
    async with allowed(shop) as client:
        answer = await client.request(
            "POST", f"{shop.url}/x", headers={"X-Key": "k"}, query={"a": "b c"}, content=b"{}"
        )
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (201, b"made", "a")
    (asked,) = shop.requests
    assert (asked.method, asked.target, asked.body) == ("POST", "/x?a=b+c", b"{}")
    assert (asked.headers["x-key"], asked.headers["user-agent"]) == ("k", "aob")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]",
                                  "[::ffff:127.0.0.1]", "0.0.0.0", "127.0.0.1."])  # fmt: skip
async def test_loopback_is_refused_however_it_is_written(shop: Peer, host: str) -> None:
    refused = await fault(CheckedClient(), f"http://{host}:{shop.port}/")
    assert refused.code in {"egress_refused", "request_invalid", "dns_failed"}
    assert not refused.transient or refused.code == "dns_failed"
    assert shop.connections == 0


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "localhost"])
async def test_numbers_that_the_system_takes_for_an_address_are_refused_as_that_address(shop: Peer, host: str) -> None:
    refused = await fault(CheckedClient(), f"http://{host}:{shop.port}/")
    assert refused.code == "egress_refused"
    assert "loopback" in refused.message


async def test_a_name_that_resolves_to_a_private_address_is_refused(shop: Peer) -> None:
    client = CheckedClient(resolve=by_table({"innocent.test": ["127.0.0.1"]}))
    refused = await fault(client, f"http://innocent.test:{shop.port}/")
    assert (refused.code, refused.detail["host"]) == ("egress_refused", "innocent.test")
    assert shop.connections == 0


async def test_a_refusal_does_not_tell_which_address_a_name_has_inside(shop: Peer) -> None:
    for inside in ("10.20.30.40", "fd12::7", "169.254.169.254"):
        refused = await fault(CheckedClient(resolve=by_table({"db.corp": [inside]})), "http://db.corp:5432/")
        assert refused.code == "egress_refused"
        assert inside not in repr(refused)
        assert 'private = ["db.corp:5432"]' in refused.detail["hint"]


async def test_a_target_is_vetted_without_being_asked(shop: Peer) -> None:
    client = CheckedClient(resolve=by_table({"inside.test": ["127.0.0.1"], "outside.test": ["93.184.216.34"]}))
    local = ("https://localhost/", "https://LOCALHOST./", "https://x.localhost/")
    for url in (shop.url, f"http://inside.test:{shop.port}/", "http://169.254.169.254/", "ftp://outside.test/", *local):
        with pytest.raises(WorkError) as caught:
            await client.vet(url)
        assert caught.value.fault.code == "egress_refused"
    await client.vet("https://outside.test/")
    await client.vet("https://notlocalhost.test/")
    await client.vet("https://not-there-yet.test/")
    await allowed(shop).vet(shop.url)
    assert shop.connections == 0


async def test_one_bad_address_among_good_ones_refuses_them_all(shop: Peer) -> None:
    client = CheckedClient(resolve=by_table({"mixed.test": ["93.184.216.34", "127.0.0.1"]}))
    assert (await fault(client, f"http://mixed.test:{shop.port}/")).code == "egress_refused"
    assert shop.connections == 0


async def test_a_name_that_rebinds_is_connected_to_as_it_was_checked(shop: Peer) -> None:
    async with peer() as inside:
        inside.answer("/", b"secret")
        answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
        asked: list[str] = []

        async def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        async with CheckedClient(EgressRules((f"127.0.0.1:{shop.port}",)), resolve=rebinding) as client:
            answer = await client.request("GET", f"http://rebind.test:{shop.port}/")
            assert answer.body == b"hello"
            assert asked == ["rebind.test"], "resolved once: what was checked is what was connected to"
            with pytest.raises(WorkError) as error:
                await client.request("GET", f"http://rebind.test:{inside.port}/")
        assert error.value.fault.code == "egress_refused"
        assert inside.connections == 0
        assert shop.requests[0].headers["host"] == f"rebind.test:{shop.port}"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_to_a_private_address_is_refused(shop: Peer, status: str) -> None:
    async with peer() as inside:
        inside.answer("/admin", b"secret")
        shop.redirect("/go", f"{inside.url}/admin", status)
        assert (await fault(allowed(shop), f"{shop.url}/go")).code == "egress_refused"
        assert inside.connections == 0


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/_x"])
async def test_a_redirect_to_another_scheme_is_refused(shop: Peer, to: str) -> None:
    shop.redirect("/go", to)
    refused = await fault(allowed(shop), f"{shop.url}/go")
    assert (refused.code, refused.transient) == ("egress_refused", False)


async def test_redirects_are_followed_within_a_bound_and_not_beyond(shop: Peer) -> None:
    shop.redirect("/1", "/2")
    shop.redirect("/2", "/3")
    shop.answer("/3", b"there")
    async with allowed(shop) as client:
        answer = await client.request("GET", f"{shop.url}/1", redirects=2)
        assert (answer.body, answer.url) == (b"there", f"{shop.url}/3")
        assert (await client.request("GET", f"{shop.url}/1", redirects=0)).status == 302
    assert (await fault(allowed(shop), f"{shop.url}/1", redirects=1)).code == "too_many_redirects"


async def test_secrets_do_not_follow_a_redirect_to_another_origin(shop: Peer) -> None:
    async with peer() as other:
        other.answer("/take", b"ok")
        shop.redirect("/go", f"{other.url}/take")
        shop.redirect("/here", "/go")
        secret = {"Authorization": "Bearer s", "X-API-Key": "s", "Idempotency-Key": "k", "Accept": "text/plain"}
        async with allowed(shop, other) as client:
            await client.request("GET", f"{shop.url}/here", headers=secret)
        assert [asked.headers["x-api-key"] for asked in shop.requests] == ["s", "s"]
        (asked,) = other.requests
        assert not {"authorization", "x-api-key", "idempotency-key", "cookie"} & set(asked.headers)
        assert asked.headers["accept"] == "text/plain"


async def test_cookies_of_one_request_are_not_sent_with_the_next(shop: Peer) -> None:
    shop.answer("/set", b"", Set_Cookie="session=tenant-a; Path=/")
    async with allowed(shop) as client:
        await client.request("GET", f"{shop.url}/set")
        await client.request("GET", f"{shop.url}/")
    assert "cookie" not in shop.requests[1].headers
    assert shop.connections == 1, "and the connection was kept"


async def test_proxies_of_the_environment_are_not_used(shop: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with allowed(shop) as client:
            await client.request("GET", f"{shop.url}/")
        assert (proxy.connections, shop.connections) == (0, 1)


async def test_a_list_of_hosts_holds_for_each_hop(shop: Peer) -> None:
    shop.redirect("/go", f"http://other.test:{shop.port}/")
    table = by_table({"shop.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    rules = EgressRules((f"127.0.0.1:{shop.port}",), ("shop.test",))
    refused = await fault(CheckedClient(rules, resolve=table), f"http://shop.test:{shop.port}/go")
    assert refused.detail["rule"] == "egress.hosts"
    assert shop.paths() == ["/go"]


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection"])
async def test_headers_of_the_connection_are_not_the_caller_s(shop: Peer, name: str) -> None:
    refused = await fault(allowed(shop), f"{shop.url}/", headers={name: "x"})
    assert (refused.code, refused.transient, refused.detail["sent"]) == ("request_invalid", False, False)


@pytest.mark.parametrize(
    ("url", "headers"),
    [("http://", {}), ("not a url", {}), ("http://a b/", {}), ("//x/", {}), ("http://x:99999/", {}),
     ("http://shop.test/", {"X": "a\r\nY: b"}), ("http://shop.test/", {"X\n": "a"}),
     ("http://shop.test/", {"X": "ü\u1234"})],
)  # fmt: skip
async def test_what_is_not_a_request_is_a_permanent_fault(url: str, headers: dict[str, str], shop: Peer) -> None:
    table = by_table({"shop.test": ["127.0.0.1"]})
    client = CheckedClient(EgressRules(("127.0.0.1",)), resolve=table)
    refused = await fault(client, url.replace("shop.test", f"shop.test:{shop.port}"), headers=headers)
    assert (refused.code in {"request_invalid", "egress_refused"}, refused.transient) == (True, False), refused
    assert shop.requests == []


# -- limits


async def test_an_answer_over_the_limit_is_refused_while_it_streams(shop: Peer) -> None:
    stopped = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            stopped.set()

    shop.answers["/endless"] = endless
    async with allowed(shop) as client:
        with pytest.raises(WorkError) as error:
            await client.request("GET", f"{shop.url}/endless", max_bytes=100_000)
        async with asyncio.timeout(30):
            await stopped.wait()
    assert (error.value.fault.code, error.value.fault.transient) == ("answer_too_large", False)


async def test_an_answer_of_just_the_limit_is_taken(shop: Peer) -> None:
    shop.answer("/just", b"x" * 1_000)
    async with allowed(shop) as client:
        assert len((await client.request("GET", f"{shop.url}/just", max_bytes=1_000)).body) == 1_000


async def test_a_packed_bomb_is_not_unpacked_beyond_the_limit(shop: Peer) -> None:
    shop.answer("/bomb", gzip.compress(b"\0" * 50_000_000), content_encoding="gzip")
    shop.answer("/small", zlib.compress(b"hello"), content_encoding="deflate")
    shop.answer("/odd", b"hello", content_encoding="br")
    shop.answer("/broken", b"not gzip", content_encoding="gzip")
    async with allowed(shop) as client:
        assert (await client.request("GET", f"{shop.url}/small")).body == b"hello"
        codes = []
        tracemalloc.start()
        for path in ("/bomb", "/odd", "/broken"):
            with pytest.raises(WorkError) as error:
                await client.request("GET", f"{shop.url}{path}")
            codes.append(error.value.fault.code)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert codes == ["answer_too_large", "answer_encoding", "http_broken"]
    assert most < 20_000_000, "no more was unpacked than may be kept"
    assert shop.requests[0].headers["accept-encoding"] == "identity"


async def test_a_server_that_never_answers_is_a_transient_fault_that_may_have_happened(shop: Peer) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    shop.answers["/silent"] = silent
    late = await fault(allowed(shop), f"{shop.url}/silent", "POST", timeout_s=0.05)
    assert (late.code, late.transient, late.detail["sent"]) == ("http_timeout", True, True)


async def test_a_server_that_drips_does_not_outlast_the_whole_time(shop: Peer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0)

    shop.answers["/drip"] = drip
    assert (await fault(allowed(shop), f"{shop.url}/drip", timeout_s=0.1)).code == "http_timeout"


async def test_nobody_there_and_nobody_known_are_certain_and_transient() -> None:
    async with peer() as gone:
        port = gone.port
    client = CheckedClient(EgressRules((f"127.0.0.1:{port}",)))
    missing = await fault(client, f"http://127.0.0.1:{port}/")
    assert (missing.code, missing.transient, missing.detail["sent"]) == ("connect_failed", True, False)
    unknown = await fault(CheckedClient(resolve=by_table({})), "http://nowhere.test/")
    assert (unknown.code, unknown.transient, unknown.detail["sent"]) == ("dns_failed", True, False)


async def test_a_server_that_hangs_up_is_a_transient_fault_that_may_have_happened(shop: Peer) -> None:
    async def hang_up(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def nonsense(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    shop.answers["/up"], shop.answers["/ssh"] = hang_up, nonsense
    for path in ("/up", "/ssh"):
        broken = await fault(allowed(shop), f"{shop.url}{path}")
        assert (broken.code, broken.transient, broken.detail["sent"]) == ("http_broken", True, True)


async def test_a_refusal_is_certain(shop: Peer) -> None:
    assert (await fault(CheckedClient(), f"{shop.url}/")).detail["sent"] is False


@pytest.mark.parametrize("to", ["http://10.0.0.1/", "http://nowhere.invalid./", "file:///x"])
async def test_a_refusal_after_a_redirect_may_have_happened(shop: Peer, to: str) -> None:
    shop.redirect("/go", to)
    client = CheckedClient(
        EgressRules((f"127.0.0.1:{shop.port}",)),
        resolve=by_table({"127.0.0.1": ["127.0.0.1"], "10.0.0.1": ["10.0.0.1"]}),
    )
    assert (await fault(client, f"{shop.url}/go", "POST")).detail["sent"] is True


async def test_passwords_and_queries_do_not_stand_in_answers(shop: Peer) -> None:
    async with allowed(shop) as client:
        answer = await client.request("GET", f"http://me:secret@127.0.0.1:{shop.port}/?token=secret")
    assert answer.url == f"{shop.url}/"


async def test_a_cancelled_first_request_leaves_the_client_usable(shop: Peer) -> None:
    async with allowed(shop) as client:
        first = asyncio.create_task(client.request("GET", f"{shop.url}/"))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await client.request("GET", f"{shop.url}/")).body == b"hello"
    await client.aclose()


async def test_many_requests_at_a_time_share_the_connections(shop: Peer) -> None:
    async with allowed(shop) as client:
        answers = await asyncio.gather(*(client.request("GET", f"{shop.url}/") for _ in range(50)))
    assert {answer.body for answer in answers} == {b"hello"}
    assert shop.connections <= 50
