"""The secrets of a cluster: encrypted in its store by a master key, the same for all its processes; another key opens
nothing, and a new key takes over without a moment in which a process that has both cannot read."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.backends.postgres.database import Database
from aob.backends.postgres.members import PostgresRecords
from aob.compose.files.link_secret import link_secret
from aob.compose.secrets import new_master_key
from aob.compose.secrets import stored as storing
from aob.compose.secrets.master_key import MasterKey, MasterKeys, check_master_key, master_keys
from aob.compose.secrets.stored import HOOK, MASTER_KEY, SECRET, StoredSecrets, rekeyed, settled
from aob.core.errors import AobError, Conflict, Invalid, Unavailable
from aob.core.policy import Link, open_link, sign_link
from tests.cli.conftest import Terminal
from tests.runs.home import Deed, chain
from tests.servers.fixtures import Schema, dropped, made_schema
from tests.worker.polling import until

KEY, NEW, CLUSTER = new_master_key(), new_master_key(), b"c" * 16
LINK = Link("default", "ticket_1", ("approve",), 1 << 50)


Typed = Callable[[str], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """What the next command reads from standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n"))


@pytest.fixture
def store(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schema]:
    made = made_schema(postgres_url, 1)
    monkeypatch.setenv("AOB_STORE", made.url)
    monkeypatch.setenv("AOB_MASTER_KEY", KEY)
    yield made
    dropped(made)


def test_what_is_sealed_opens_by_its_key_under_its_name_in_its_cluster_and_whole() -> None:
    key = master_keys(KEY, "", CLUSTER).now
    sealed = key.seal("secret/A", b"value-of-a")
    assert b"value" not in sealed
    assert sealed != key.seal("secret/A", b"value-of-a"), "the same value is not seen to be the same"
    assert MasterKeys(key).open("secret/A", sealed) == b"value-of-a"
    others = [MasterKeys(MasterKey(check_master_key("", KEY), b"d" * 16)), master_keys(NEW, "", CLUSTER)]
    for keys in others:
        with pytest.raises(Unavailable) as told:
            keys.open("secret/A", sealed)
        assert told.value.code == "other_master_key"
    wrong = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    wrong += [sealed[:cut] for cut in range(len(sealed))]
    for data in wrong:
        with pytest.raises(Unavailable):
            MasterKeys(key).open("secret/A", data)
    with pytest.raises(Unavailable):
        MasterKeys(key).open("secret/B", sealed)
    assert master_keys(NEW, KEY, CLUSTER).open("secret/A", sealed) == b"value-of-a"


def test_a_key_is_shown_nowhere_and_a_wrong_one_is_named_without_it() -> None:
    assert KEY not in f"{master_keys(KEY, NEW, CLUSTER)!r}"
    assert check_master_key("", KEY.rstrip("=")) == check_master_key("", f" {KEY}\n") == check_master_key("", KEY)
    for wrong in ("short", KEY[:-5], KEY + KEY, "ä" * 44, "!" * 44):
        with pytest.raises(Invalid) as told:
            master_keys(wrong, "", CLUSTER)
        assert told.value.problems[0].code == "bad_master_key"
        assert wrong not in str(told.value)


async def refused(home: Path, **settings: Any) -> AobError:
    with pytest.raises(AobError) as told:
        async with aob.open(home, **settings):
            pass
    return told.value


async def test_a_home_on_postgres_needs_the_key_and_one_in_files_does_not(
    tmp_path: Path, store: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aob.open(tmp_path / "one"):
        pass
    monkeypatch.setenv("AOB_MASTER_KEY", NEW)
    other = await refused(tmp_path / "two")
    assert other.code == "other_master_key"
    assert KEY not in f"{other} {other.hint}"
    monkeypatch.delenv("AOB_MASTER_KEY")
    missing = await refused(tmp_path / "two")
    assert isinstance(missing, Invalid)
    assert (missing.problems[0].code, "aob secret key" in missing.problems[0].hint) == ("master_key_missing", True)
    monkeypatch.setenv("AOB_MASTER_KEY", KEY)
    async with aob.open(tmp_path / "two"):
        pass
    monkeypatch.delenv("AOB_MASTER_KEY")
    monkeypatch.delenv("AOB_STORE")
    async with aob.open(tmp_path / "files"):
        assert (tmp_path / "files" / "link.secret").is_file()


async def test_a_secret_that_one_machine_sets_a_running_home_on_another_uses(
    tmp_path: Path, store: Schema, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    monkeypatch.setattr("aob.compose.storage.following.LOOK_S", 0.02)
    desk = Terminal({**os.environ, "AOB_HOME": str(tmp_path / "desk")})
    home = tmp_path / "home"
    async with aob.open(home) as app:
        vault = app.shared.secrets.vault
        typed("first!")
        assert (await desk("secret", "set", "SHOP", "--host", "a.example")).code == 0
        await until(lambda: "SHOP" in {name for name, _, _ in vault.names()})
        assert list(vault.names()) == [("SHOP", "cluster", ("a.example",))]
        assert vault.value("SHOP", "a.example") == "first!"
        typed("second!")
        await desk("secret", "set", "SHOP")
        await until(lambda: vault.value("SHOP", "a.example") == "second!")
    assert not (home / "secrets").exists()
    assert not (tmp_path / "desk" / "secrets").exists()
    assert (await desk("secret", "rm", "SHOP")).code == 0
    assert (await desk("secret", "rm", "SHOP")).code != 0
    database = await Database.open(store.url)
    try:
        past = await PostgresRecords(database).past("secret/SHOP")
        assert [record.data for record in past] == [b""], "no value of before can be read from the store"
    finally:
        await database.close()


async def test_webhooks_sign_and_links_hold_in_whichever_process_has_the_home(tmp_path: Path, store: Schema) -> None:
    deed = Deed()
    async with aob.open(tmp_path / "one", app=deed.handlers(), egress={"private": ["127.0.0.1:9"]}) as app:
        await app.push(chain("w", "echo"))
        hook = await app.metrics.create_webhook(app.who, url="http://127.0.0.1:9/x", events=["run.completed"])
        signed = (await app.shared.secrets.webhooks.get(hook["id"])).current
        token = sign_link(app.shared.secrets.links[0], LINK)
    async with aob.open(tmp_path / "two", app=deed.handlers()) as app:
        assert (await app.shared.secrets.webhooks.get(hook["id"])).current == signed == hook["secret"]
        assert open_link(app.shared.secrets.links, token, now_ms=0) == LINK
        await app.metrics.delete_webhook(app.who, hook["id"])
        with pytest.raises(Unavailable):
            await app.shared.secrets.webhooks.get(hook["id"])
    for name in ("one", "two"):
        assert not (tmp_path / name / "secrets").exists()
        assert not (tmp_path / name / "link.secret").exists()


async def test_a_new_key_takes_over_step_by_step(
    tmp_path: Path, store: Schema, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    desk = Terminal({**os.environ, "AOB_HOME": str(tmp_path / "desk")})
    typed("the-value")
    await desk("secret", "set", "SHOP")
    async with aob.open(tmp_path / "home") as app:
        before = sign_link(app.shared.secrets.links[0], LINK)
    monkeypatch.setenv("AOB_MASTER_KEY", NEW)
    assert (await refused(tmp_path / "home")).code == "other_master_key"
    monkeypatch.setenv("AOB_MASTER_KEY_OLD", KEY)
    async with aob.open(tmp_path / "home") as app:
        assert app.shared.secrets.vault.get("SHOP").value == "the-value"
        assert sign_link(app.shared.secrets.links[0], LINK) == before, "until all processes have both keys"
        new_desk = Terminal({**os.environ, "AOB_HOME": str(tmp_path / "desk")})
        assert (await new_desk("secret", "rekey")).code == 0
        assert app.shared.secrets.vault.get("SHOP").value == "the-value"
    async with aob.open(tmp_path / "home") as app:
        after = sign_link(app.shared.secrets.links[0], LINK)
        assert after != before
        for token in (before, after):
            assert open_link(app.shared.secrets.links, token, now_ms=0) == LINK
    monkeypatch.delenv("AOB_MASTER_KEY_OLD")
    async with aob.open(tmp_path / "home") as app:
        assert app.shared.secrets.vault.get("SHOP").value == "the-value"
    monkeypatch.setenv("AOB_MASTER_KEY", KEY)
    assert (await refused(tmp_path / "home")).code == "other_master_key"


async def test_a_change_of_keys_that_is_cut_off_anywhere_is_finished_by_the_next(
    store: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after each of its writes: whoever has both keys reads all, whoever has one is refused or reads all."""
    database = await Database.open(store.url)
    records = PostgresRecords(database)
    old, both, new = (master_keys(*given, CLUSTER) for given in ((KEY, ""), (NEW, KEY), (NEW, "")))
    names = [f"{SECRET}{n}" for n in range(3)] + [f"{HOOK}hook_{n}" for n in range(2)]
    try:
        for cut in range(len(names) + 2):
            for name in (*names, MASTER_KEY):
                await storing.written(records, name, old.now.seal(name, name.encode()), "test")
            await storing.written(records, MASTER_KEY, old.now.fingerprint, "test")
            with monkeypatch.context() as patched:
                left = [cut]

                async def write(
                    *given: Any, records: PostgresRecords = records, left: list[int] = left, **named: Any
                ) -> Any:
                    if not left[0]:
                        raise Unavailable("cut", code="store_away")
                    left[0] -= 1
                    return await PostgresRecords.write(records, *given, **named)

                patched.setattr(records, "write", write)
                with suppress(Unavailable):
                    await rekeyed(records, both, "test")
            for record in [*await records.every(SECRET), *await records.every(HOOK)]:
                assert both.open(record.name, record.data) == record.name.encode()
            for keys in (old, new):
                with suppress(Conflict):  # it does not start
                    await settled(records, keys, "test")
                    await storing.check_readable(records, keys)
                    for record in await records.every(SECRET):
                        keys.open(record.name, record.data)
            await rekeyed(records, both, "test")
            await settled(records, new, "test")
            await storing.check_readable(records, new)
    finally:
        await database.close()


async def test_processes_that_start_at_once_agree_on_one_key(store: Schema) -> None:
    database = await Database.open(store.url)
    records = PostgresRecords(database)
    try:
        keys = [master_keys(new_master_key(), "", CLUSTER) for _ in range(6)]
        told = await asyncio.gather(*(settled(records, each, "test") for each in keys), return_exceptions=True)
        won = [each for each in told if isinstance(each, MasterKey)]
        assert len(won) == 1
        assert {getattr(each, "code", "") for each in told if each not in won} == {"other_master_key"}
        present = await records.read(MASTER_KEY)
        assert present is not None
        assert present.data == won[0].fingerprint
        stored = StoredSecrets(records, next(each for each in keys if each.now is won[0]))
        with pytest.raises(Invalid):
            await stored.set("no name", "value", (), "test")
    finally:
        await database.close()


def test_the_secret_of_links_of_files_stays(tmp_path: Path) -> None:
    first = link_secret(tmp_path)
    assert link_secret(tmp_path) == first
