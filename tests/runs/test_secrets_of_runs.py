"""A secret of a run: its node's request has it, and no file of the home, no view and no log ever does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose import App
from aob.work.secrets import Vault
from tests.runs.home import finished, flow
from tests.work.peers import Peer, peer

VALUE = "t0ken-of-the-shop-1234"


@pytest.fixture
async def shop() -> AsyncIterator[Peer]:
    async with peer() as it:
        yield it


@pytest.fixture
async def kept(tmp_path: Path, shop: Peer) -> AsyncIterator[App]:
    Vault(tmp_path / "h" / "secrets", {}).set("SHOP", VALUE, ("127.0.0.1",))
    targets = {"targets": {"desk": shop.url + "/hooks/{secret:SHOP}"}}
    egress = {"private": [f"127.0.0.1:{shop.port}"]}
    async with aob.open(tmp_path / "h", egress=egress, notify=targets) as app:
        yield app


def asks(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "config": {"url": url, "headers": {"Authorization": "Bearer {secret:SHOP}"}, **more}}


async def test_no_file_and_no_view_has_the_value(kept: App, shop: Peer, tmp_path: Path) -> None:
    shop.answer("/ok", f'{{"echo": "Bearer {VALUE}"}}'.encode(), content_type="application/json")
    shop.answer("/no", f"unknown token {VALUE}".encode(), "403 Forbidden")
    shop.answer(f"/hooks/{VALUE}", VALUE.encode(), "400 Bad Request")
    nodes = {
        "a": asks(shop.url + "/ok"),
        "b": {**asks(shop.url + "/no"), "on_failure": "skip"},
        "c": {"kind": "notify", "config": {"to": "webhook:desk", "text": "hi"}, "on_failure": "skip"},
    }
    await kept.push(flow("secret", nodes, "a>b", "a>c"))
    run = await kept.start("secret")
    told = await finished(kept, run.id)
    assert shop.requests[0].headers["authorization"] == f"Bearer {VALUE}"
    assert f"/hooks/{VALUE}" in shop.paths()
    timeline = await kept.views.timeline(kept.who, run.id)
    assert VALUE not in repr((told, timeline, await kept.views.workflow(kept.who, "secret")))
    assert "{secret:SHOP}" in repr(told["nodes"]["a"]["output"])
    await kept.views.core.journal.settled(kept.views.core.journal.streams[run.id])
    files = [path for path in (tmp_path / "h").rglob("*") if path.is_file() and path.parent.name != "secrets"]
    assert not [path.name for path in files if VALUE.encode() in path.read_bytes()]


async def test_a_node_that_a_patch_has_changed_needs_a_bound_secret(kept: App, shop: Peer, tmp_path: Path) -> None:
    Vault(tmp_path / "h" / "secrets", {}).set("SHOP", VALUE)
    shop.answer("/ok", b"fine")
    nodes = {"w": {"kind": "wait", "config": {"message": "go"}}, "a": asks(shop.url + "/ok")}
    await kept.push(flow("patched", nodes, "w>a"))
    run = await kept.start("patched")
    replaced = {"op": "replace_config", "id": "a", "config": asks(shop.url + "/ok?x=1")["config"]}
    told = await kept.views.propose(kept.who, run.id, {"operations": [replaced]})
    if told["state"] == "proposed":
        await kept.views.approve_patch(kept.who, told["patch_id"])
    await kept.views.message(kept.who, run.id, "go")
    ended = await finished(kept, run.id)
    assert ended["error"]["code"] == "secret_refused"
    assert not shop.requests
