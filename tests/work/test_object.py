"""`object` nodes against real stores of obstore: round trips, tenants apart, no key that leads out."""

from pathlib import Path
from typing import Any

import pytest

from aob.ports.workers import Fault, Job
from aob.work import WorkError
from aob.work.kinds.object import perform
from aob.work.outcome import fault_of
from aob.work.tools import ObjectStores, StoreSettings, Tools, check_key
from tests.work.jobs import Asked, job_of, node_of, tools_of

pytest.importorskip("obstore", reason="the extra `object` is not installed")


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    stores = {
        "home": StoreSettings(f"file://{tmp_path}/objects"),
        "shared": StoreSettings(f"file://{tmp_path}/shared", per_tenant=False),
        "memory": StoreSettings("memory:///"),
        "odd": StoreSettings("s3://bucket", {"no_such_option": "x"}),
    }
    return tools_of(stores=ObjectStores(stores))


def job(op: str, key: str, given: Any = None, /, *, tenant: str = "acme", effect: str = "keyed", **config: Any) -> Job:
    return job_of(node_of("object", {"op": op, "key": key, **config}, effect=effect), given, tenant=tenant)


async def ask(tools: Tools, op: str, key: str, given: Any = None, /, **more: Any) -> Any:
    asked = job(op, key, given, **more)
    return await perform(asked, Asked(asked), tools)


async def fault(tools: Tools, op: str, key: str, given: Any = None, /, **more: Any) -> Fault:
    with pytest.raises(WorkError) as error:
        await ask(tools, op, key, given, **more)
    return fault_of(error.value)


@pytest.mark.parametrize("store", ["home", "shared", "memory"])
async def test_what_is_put_comes_back(tools: Tools, store: str) -> None:
    put = await ask(tools, "put", "orders/{id}.json", {"id": 42, "total": 1.5}, store=store)
    assert (put["key"], put["size"], len(put["sha256"])) == ("orders/42.json", 21, 64)
    assert await ask(tools, "get", "orders/42.json", store=store) == {"id": 42, "total": 1.5}
    head = await ask(tools, "head", "orders/42.json", store=store)
    assert (head["key"], head["size"], head["etag"]) == ("orders/42.json", 21, put["etag"])
    assert await ask(tools, "delete", "orders/42.json", store=store) == {"key": "orders/42.json", "deleted": True}
    assert (await fault(tools, "get", "orders/42.json", store=store)).code == "object_not_found"


async def test_a_value_of_the_config_is_filled_and_put(tools: Tools) -> None:
    await ask(tools, "put", "a.json", {"id": 1, "all": [1, 2]}, value={"order": "{id}", "items": "{all}"})
    assert await ask(tools, "get", "a.json") == {"order": 1, "items": [1, 2]}


async def test_text_is_put_as_text_and_json_as_json(tools: Tools, tmp_path: Path) -> None:
    await ask(tools, "put", "a.txt", {"name": "you"}, value="hello {name}", content_type="text/plain")
    await ask(tools, "put", "b.json", {"name": "you"}, value="hello {name}")
    assert (tmp_path / "objects" / "acme" / "a.txt").read_text() == "hello you"
    assert (tmp_path / "objects" / "acme" / "b.json").read_text() == '"hello you"'
    assert await ask(tools, "get", "a.txt") == await ask(tools, "get", "b.json") == "hello you"


async def test_bytes_that_are_no_text_come_as_base64(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "objects" / "acme").mkdir(parents=True)
    (tmp_path / "objects" / "acme" / "a.bin").write_bytes(b"\xff\xfe")
    assert await ask(tools, "get", "a.bin") == {"base64": "//4="}


async def test_tenants_see_only_their_own_objects(tools: Tools) -> None:
    await ask(tools, "put", "a.json", 1)
    assert (await fault(tools, "get", "a.json", tenant="other")).code == "object_not_found"
    for tenant in ("Acme", "a/cme", "../acme", "ac=6d=e"):
        await ask(tools, "put", "a.json", tenant, tenant=tenant)
    assert await ask(tools, "get", "a.json") == 1
    assert await ask(tools, "get", "a.json", tenant="../acme") == "../acme"


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", "a/", "~/x", "a\\..\\b", "a\0b", "a\nb", "%2e%2e/x",
     "a/%2E%2E/b", "x" * 1_025],
)  # fmt: skip
async def test_no_key_leads_out_of_the_store(tools: Tools, key: str, tmp_path: Path) -> None:
    for op in ("put", "get", "delete"):
        refused = await fault(tools, op, "{k}", {"k": key})
        assert (refused.code, refused.transient) == ("key_invalid", False)
    assert not (tmp_path / "objects").exists()


def test_ordinary_keys_are_taken() -> None:
    for key in ("a", "a/b.json", "orders/2026-01-01/ä b.json", "a..b/c...d", ".hidden"):
        check_key(key)


async def test_an_unknown_store_and_one_that_cannot_be_opened_are_said(tools: Tools) -> None:
    unknown = await fault(tools, "get", "a", store="nowhere")
    assert (unknown.code, unknown.transient) == ("store_unknown", False)
    assert "home" in unknown.detail["hint"]
    broken = await fault(tools, "get", "a", store="odd")
    assert (broken.code, broken.transient) == ("store_invalid", False)


async def test_a_server_that_does_not_answer_is_a_transient_fault() -> None:
    settings = StoreSettings(
        "s3://bucket",
        {"region": "eu-1", "access_key_id": "a", "secret_access_key": "b", "endpoint": "http://127.0.0.1:1",
         "retry_config": {"max_retries": 0}},
        {"allow_http": True, "timeout": "2s"},
    )  # fmt: skip
    failed = await fault(tools_of(stores=ObjectStores({"home": settings})), "put", "a.json", 1)
    assert (failed.code, failed.transient) == ("store_failed", True)


async def test_a_once_put_is_intended_and_settled(tools: Tools) -> None:
    asked = job("put", "a.json", 1, effect="once")
    ctx = Asked(asked)
    await perform(asked, ctx, tools)
    assert ctx.asked[0] == ("intend object", {"op": "put", "store": "home", "key": "a.json"})
    assert ctx.asked[1][0] == "settle"


async def test_without_the_extra_it_is_named(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    missing = await fault(tools, "get", "a")
    assert (missing.code, missing.transient, "[object]" in missing.detail["hint"]) == ("extra_missing", False, True)
