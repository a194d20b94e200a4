"""Settings of the environment: how often a key reads, and keys that open beside those of the home."""

import os
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

import aob
from aob.compose.settings import read_settings
from aob.core.errors import Invalid
from tests.compose.test_shards_up import upped
from tests.runs.home import finished


def test_the_limit_on_reads_is_120_and_may_be_said_otherwise(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).rate_limit_rpm == 120
    assert read_settings(tmp_path, {"AOB_RATE_LIMIT_RPM": "0"}).rate_limit_rpm == 0
    with pytest.raises(Invalid):
        read_settings(tmp_path, {"AOB_RATE_LIMIT_RPM": "many"})


def test_effects_that_are_free_for_patches(tmp_path: Path) -> None:
    (tmp_path / "aob.toml").write_text(
        "[patches]\n"
        'free = [{kind = "object", method = "put"}, {kind = "http", host = "shop.example", method = "POST"}]\n'
    )
    rules = read_settings(tmp_path, {}).patch_rules()
    assert [(each.kind, each.host, each.method) for each in rules.free] == [
        ("object", "", "put"), ("http", "shop.example", "POST")
    ]  # fmt: skip
    assert rules.version != read_settings(tmp_path / "other", {}).patch_rules().version
    (tmp_path / "aob.toml").write_text('[patches]\nfree = [{host = "shop.example"}]\n')
    with pytest.raises(Invalid, match="kind"):
        read_settings(tmp_path, {})


async def test_keys_of_the_environment_open_a_server_and_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "AOB_API_KEYS", "reader:a-secret-of-a-reader:view")
    monkeypatch.setitem(os.environ, "AOB_RATE_LIMIT_RPM", "1")
    async with upped(tmp_path / "home") as (_, client), httpx.AsyncClient(base_url=client.url) as reader:
        reader.headers["x-api-key"] = "a-secret-of-a-reader"
        assert [(await reader.get("/v1/runs")).status_code for _ in range(2)] == [200, 429]
        assert (await reader.put("/v1/workflows/a", json={})).status_code == 403
        for _ in range(3):
            await client.runs()


async def test_a_home_without_a_cache_remembers_nothing(tmp_path: Path) -> None:
    called: list[int] = []

    @aob.node(effect="none", deterministic=True)
    async def double(n: int) -> int:
        called.append(n)
        return n * 2

    document = {"workflow": "w", "nodes": {"double": {"kind": "function", "cache": "read_through"}}}
    for cache, times in (("off", 2), ("memory:", 1)):
        async with aob.open(tmp_path / cache[:3], app=SimpleNamespace(double=double), cache=cache) as app:
            await app.push(document)
            for _ in range(2):
                await finished(app, (await app.start("w", 3)).id)
        assert len(called) == times
        called.clear()


def test_a_file_of_handlers_is_found_beside_the_settings_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    (home / "aob.toml").write_text('app = ["handlers.py", "shop.handlers", "none.py"]')
    (home / "handlers.py").touch()
    monkeypatch.chdir(elsewhere)
    assert read_settings(home, {}).app == (str(home / "handlers.py"), "shop.handlers", "none.py")
    (elsewhere / "handlers.py").touch()  # as before: the current directory first
    assert read_settings(home, {}).app[0] == "handlers.py"


def test_a_text_in_place_of_a_list_is_shown_how_to_write_it(tmp_path: Path) -> None:
    for text, hint in (('app = "h.py"', 'app = ["…"]'), ('[egress]\nprivate = "10.0.0.1"', 'private = ["…"]')):
        (tmp_path / "aob.toml").write_text(text)
        with pytest.raises(Invalid) as caught:
            read_settings(tmp_path, {})
        assert hint in caught.value.problems[0].hint
