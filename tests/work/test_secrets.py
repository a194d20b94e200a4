"""Secrets by reference: where they go, where they do not, and that nothing that comes back shows them."""

import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Invalid, NotFound
from aob.core.graph import check
from aob.ports.workers import Fault, Job
from aob.work import WorkError
from aob.work.egress import CheckedClient, EgressRules
from aob.work.kinds.http import perform
from aob.work.outcome import fault_of
from aob.work.secrets import Mask, Vault
from aob.work.tools import Tools
from tests.work.jobs import Asked, job_of, node_of, tools_of
from tests.work.peers import Peer, peer

VALUE = 's3cr3t/+ "é" value'
WITH = {"headers": {"Authorization": "Bearer {secret:SHOP}"}}


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        yield it


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "secrets", {})


@pytest.fixture
async def tools(shop: Peer, vault: Vault) -> AsyncIterator[Tools]:
    async with CheckedClient(EgressRules(("127.0.0.1", "localhost"))) as client:
        yield msgspec.structs.replace(tools_of(http=client), vault=vault)


def job(url: str, value: Any = None, **config: Any) -> Job:
    return job_of(node_of("http", {"url": url, **WITH, **config}, effect="none"), value)


async def ask(asked: Job, tools: Tools) -> Any:
    return await perform(asked, Asked(asked), tools)


async def fault(asked: Job, tools: Tools) -> Fault:
    with pytest.raises(WorkError) as caught:
        await ask(asked, tools)
    return fault_of(caught.value)


async def test_the_value_goes_into_the_header_and_nowhere_else(shop: Peer, tools: Tools, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop", ("127.0.0.1",))
    shop.answer("/", b'{"ok": true}', content_type="application/json")
    asked = job(shop.url + "/")
    ctx = Asked(asked)
    assert await perform(asked, ctx, tools) == {"ok": True}
    assert shop.requests[-1].headers["authorization"] == "Bearer t0ken-of-the-shop"
    assert "t0ken" not in repr(ctx.__dict__)


async def test_what_comes_in_by_a_name_is_never_looked_up(shop: Peer, tools: Tools, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop")
    shop.answer("/", b"")
    await ask(job(shop.url + "/", {"who": "{secret:SHOP}"}, headers={"X-Who": "{who}"}), tools)
    assert shop.requests[-1].headers["x-who"] == "{secret:SHOP}"


async def test_a_value_that_looks_like_a_reference_is_not_expanded_again(
    shop: Peer, tools: Tools, vault: Vault
) -> None:
    vault.set("SHOP", "{secret:OTHER}")
    vault.set("OTHER", "another-secret")
    shop.answer("/", b"")
    await ask(job(shop.url + "/"), tools)
    assert shop.requests[-1].headers["authorization"] == "Bearer {secret:OTHER}"


async def test_a_bound_secret_goes_to_its_hosts_only(shop: Peer, tools: Tools, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop", ("api.example.com", "*.example.org"))
    refused = await fault(job(shop.url + "/"), tools)
    assert (refused.code, refused.transient) == ("secret_refused", False)
    assert "api.example.com" in refused.message
    assert not shop.requests


@pytest.mark.parametrize(
    ("host", "may"),
    [("api.example.com", True), ("API.Example.com.", True), ("a.example.org", True), ("a.b.example.org", True),
     ("example.org", False), ("evilexample.org", False), ("api.example.com.evil.net", False), ("example.com", False),
     ("", False)],
)  # fmt: skip
def test_a_host_is_compared_as_a_whole(host: str, may: bool, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop", ("api.example.com", "*.example.org"))
    assert vault.get("SHOP").may_go_to(host) is may


async def test_a_secret_that_is_not_there_says_how_to_set_it(shop: Peer, tools: Tools) -> None:
    missing = await fault(job(shop.url + "/"), tools)
    assert (missing.code, missing.transient) == ("secret_missing", False)
    assert "aob secret set SHOP" in missing.detail["hint"]
    assert not shop.requests


@pytest.mark.parametrize("header", ["Authorization", "Accept", "User-Agent", "X-Anything"])
async def test_it_follows_no_redirect_to_another_origin(header: str, shop: Peer, tools: Tools, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop")
    async with peer() as elsewhere:
        elsewhere.answer("/there", b"hello")
        shop.answer("/", b"", "302 Found", location=f"http://localhost:{elsewhere.port}/there")
        assert await ask(job(shop.url + "/", headers={header: "{secret:SHOP}"}), tools) == "hello"
        assert "t0ken" in shop.requests[-1].headers[header.lower()]
        assert "t0ken" not in str(elsewhere.requests[-1].headers)


@pytest.mark.parametrize("media", ["application/json", "text/plain", "application/octet-stream"])
async def test_an_echo_shows_the_reference(media: str, shop: Peer, tools: Tools, vault: Vault) -> None:
    value = "to+ken/of \\the\\ shop=="
    vault.set("SHOP", value)
    said = [value, quote(value, safe=""), base64.b64encode(value.encode()).decode(), json.dumps(value)]
    shop.answer("/", json.dumps({value: said, "raw": f"<{value}>"}).encode(), content_type=media, x_echo=value)
    told = json.dumps(await ask(job(shop.url + "/", output="response"), tools))
    assert "{secret:SHOP}" in told
    for form in (value, *said, json.dumps(value)[1:-1]):
        assert form not in told


async def test_an_error_shows_the_reference(shop: Peer, tools: Tools, vault: Vault) -> None:
    vault.set("SHOP", "t0ken-of-the-shop")
    shop.answer("/", b"no: t0ken-of-the-shop", "401 Unauthorized")
    told = await fault(job(shop.url + "/"), tools)
    assert told.code == "http_status"
    assert "t0ken" not in repr(told)
    assert "{secret:SHOP}" in told.detail["body"]


async def test_where_a_patch_has_changed_the_node_a_secret_needs_its_hosts(
    shop: Peer, tools: Tools, vault: Vault
) -> None:
    vault.set("SHOP", "t0ken-of-the-shop")
    patched = job(shop.url + "/")
    patched.pushed = False
    assert (await fault(patched, tools)).code == "secret_refused"
    vault.set("SHOP", "t0ken-of-the-shop", ("127.0.0.1",))
    shop.answer("/", b"fine")
    assert await ask(patched, tools) == "fine"


def test_the_environment_comes_before_the_home(tmp_path: Path) -> None:
    vault = Vault(tmp_path, {"AOB_SECRET_SHOP": "of-the-environment"})
    vault.set("SHOP", "of-the-home", ("a.example",))
    assert (vault.get("SHOP").value, vault.get("SHOP").hosts) == ("of-the-environment", ())
    assert [row[:2] for row in vault.names()] == [("SHOP", "environment")]


def test_a_file_that_holds_the_value_alone_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "MOUNTED").write_text("the-value\n")
    assert Vault(tmp_path, {}).get("MOUNTED").value == "the-value"


def test_a_new_value_counts_at_once_and_nobody_else_may_read_it(vault: Vault, tmp_path: Path) -> None:
    vault.set("SHOP", "first-value")
    assert vault.get("SHOP").value == "first-value"
    Vault(tmp_path / "secrets", {}).set("SHOP", "second-value!")
    assert vault.get("SHOP").value == "second-value!"
    for path in (tmp_path / "secrets").iterdir():
        assert oct(path.stat().st_mode & 0o777) == "0o600"
    vault.remove("SHOP")
    with pytest.raises(NotFound):
        vault.get("SHOP")
    with pytest.raises(NotFound):
        vault.remove("SHOP")


@pytest.mark.parametrize("name", ["", "a b", "../key", "hook_0123456789", "9A", "A" * 65, "key.json", "é"])
def test_no_other_file_is_a_secret(name: str, vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hook_0123456789.json").write_text('{"current": "whsec_x", "value": "whsec_x"}')
    with pytest.raises(Invalid):
        vault.set(name, "value-of-it")
    with pytest.raises(NotFound):
        vault.get(name)
    assert not list(vault.names())


@pytest.mark.parametrize(
    ("value", "hosts"),
    [("abc", ()), ("two\nlines", ()), ("nul\0nul", ()), ("x" * 20_000, ()), ("fine", ("a.example:443",)),
     ("fine", ("https://a.example",)), ("fine", ("*",)), ("fine", ("a/b",))],
)  # fmt: skip
def test_what_cannot_be_a_secret_is_refused(value: str, hosts: tuple[str, ...], vault: Vault) -> None:
    with pytest.raises(Invalid):
        vault.set("SHOP", value, hosts)


def test_a_setting_is_expanded_once_and_its_url_says_the_host(vault: Vault) -> None:
    vault.set("PATH_", "T0/{secret:OTHER}", ("hooks.example",))
    url, mask = vault.expand("https://hooks.example/{secret:PATH_}", url=True)
    assert url == "https://hooks.example/T0/{secret:OTHER}"
    assert mask.text(f"cannot reach {url}") == "cannot reach https://hooks.example/{secret:PATH_}"
    for elsewhere in (
        "https://evil.example/{secret:PATH_}",
        "slack://{secret:PATH_}/x",
        "slack://hooks.example/{secret:PATH_}",
    ):
        with pytest.raises(WorkError, match="bound"):
            vault.expand(elsewhere, url=True)


@given(st.text(min_size=4, max_size=20), st.text(), st.text())
def test_a_mask_leaves_no_value_in_any_text(value: str, before: str, after: str) -> None:
    mask = Mask([("S", value)])
    shown = mask.value({before + value: [value + after, before + quote(value, safe="", errors="replace")]})
    if value not in "{secret:S}" and "{secret:S}" not in value:
        assert value not in repr(mask.text(before + value + after).replace("{secret:S}", "\x01"))
    assert isinstance(shown, dict)


# -- at the door


def document(headers: dict[str, str], **node: Any) -> dict[str, Any]:
    config = {"url": "https://api.example/x", "headers": headers}
    return {"workflow": "w", "nodes": {"a": {"kind": "http", "config": config, **node}}, "edges": {}}


@pytest.mark.parametrize(
    "name", ["Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-Auth-Token", "x-api-key", "Token",
             "X_Api_Key", "apikey"],
)  # fmt: skip
def test_a_secret_that_is_written_out_is_refused_with_the_hint(name: str) -> None:
    (problem,) = check(document({name: "Bearer abc"}), None)
    assert (problem.code, problem.path) == ("secret_in_document", f"/nodes/a/config/headers/{name}")
    assert "aob secret set" in problem.hint
    assert "{secret:" in problem.hint
    assert "Bearer abc" not in str(problem)


@pytest.mark.parametrize(
    "headers",
    [{"Idempotency-Key": "fixed"}, {"Authorization": "Bearer {token}"}, {"Authorization": "Bearer {secret:SHOP}"},
     {"X-Monkey": "banana"}, {"Accept": "text/plain"}, {"X-Api-Key": ""}, {"Cookie": "a={secret:A}; b={b}"}],
)  # fmt: skip
def test_references_templates_and_other_headers_pass(headers: dict[str, str]) -> None:
    assert not check(document(headers, input={"token": "inputs.token", "b": "inputs.b"}), None)


def test_what_was_accepted_before_goes_on() -> None:
    assert not check(document({"Authorization": "Bearer abc"}), None, rules=1)


@pytest.mark.parametrize("place", [{"url": "https://a.example/{secret:A}"}, {"query": {"k": "{secret:A}"}},
                                   {"body": {"k": "{secret:A}"}, "method": "POST"}])  # fmt: skip
def test_a_secret_stands_in_headers_and_nowhere_else(place: dict[str, Any]) -> None:
    nodes = {"a": {"kind": "http", "config": {"url": "https://a.example", **place}}}
    (problem,) = check({"workflow": "w", "nodes": nodes, "edges": {}}, None)
    assert problem.code == "bad_template"
    assert "headers" in problem.hint


def test_nothing_of_the_environment_is_a_secret_without_its_prefix() -> None:
    with pytest.raises(NotFound):
        Vault(Path("/nonexistent"), dict(os.environ)).get("PATH")
