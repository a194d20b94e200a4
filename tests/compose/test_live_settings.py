"""The settings that all processes of a home share: one record, read live; who says otherwise does not start."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob
from aob.client import AsyncClient
from aob.compose import serving
from aob.compose.live_settings import LiveSettings
from aob.compose.live_settings.sections import (
    Shared,
    changes,
    check_stated,
    encoded,
    laid_over,
    over,
    read_sections,
    stated,
    told,
)
from aob.compose.settings import Egress, Settings, read_settings
from aob.core.errors import AobError, Conflict, Invalid, Refused, TooLarge
from aob.core.policy import LOCAL, Caller
from aob.work import WorkError
from tests.cli.conftest import Terminal
from tests.runs.home import Deed, chain, flow
from tests.servers.fixtures import dropped, made_schema
from tests.work.peers import peer
from tests.worker.polling import until

ADD = {"op": "add_node", "id": "x"}

texts = st.lists(st.sampled_from(["a.example", "b.example:80", "*.c.example", "10.0.0.0/8"]), max_size=3, unique=True)
sections = st.fixed_dictionaries({}, optional={
    "egress": st.fixed_dictionaries({}, optional={"private": texts, "hosts": st.none() | texts}),
    "patches": st.fixed_dictionaries({}, optional={"agents_max": st.integers(0, 9), "four_eyes": st.booleans()}),
    "limits": st.fixed_dictionaries({}, optional={
        "rate_limit_rpm": st.integers(0, 900), "tenant_rate_limit_rpm": st.integers(0, 900),
    }),
})  # fmt: skip


@given(sections, sections)
def test_a_push_changes_its_sections_and_no_other_and_says_what(first: Any, second: Any) -> None:
    before = read_sections(first) if first else Shared()
    if not second:
        with pytest.raises(Invalid):
            read_sections(second)
        return
    after = over(before, read_sections(second))
    assert read_sections(msgspec.json.decode(encoded(after))) == after
    found = {each.key: (each.before, each.after) for each in changes(before, after)}
    for name, section in told(after).items():
        was = told(before).get(name, {})
        for key, value in section.items():
            assert (f"{name}.{key}" in found) == (name not in told(before) or was[key] != value)
            assert name in second or was[key] == value
    now = laid_over(Settings(), after)
    assert (now.egress, now.patches) == (after.egress or Settings().egress, after.patches or Settings().patches)
    if after.limits is not None:
        assert (now.rate_limit_rpm, now.tenant_rate_limit_rpm) == msgspec.structs.astuple(after.limits)


@pytest.mark.parametrize(
    ("file", "env", "key"),
    [
        ("[patches]\nagents_max = 4", {}, "patches.agents_max"),
        ("[patches]\nagents_max = 5", {}, "patches.agents_max"),  # the default, and said all the same
        ('[egress]\nhosts = ["b.example"]', {}, "egress.hosts"),
        ("rate_limit_rpm = 120", {}, "limits.rate_limit_rpm"),
        ("[limits]\ntenant_rate_limit_rpm = 1", {}, "limits.tenant_rate_limit_rpm"),
        ("", {"AOB_RATE_LIMIT_RPM": "120"}, "limits.rate_limit_rpm"),
        ("", {"AGENTFLOW_RATE_LIMIT_RPM": "9"}, "limits.rate_limit_rpm"),
    ],
)
def test_a_process_that_says_otherwise_is_told_which_key_and_both_values(
    tmp_path: Path, file: str, env: dict[str, str], key: str
) -> None:
    record = read_sections({
        "patches": {"agents_max": 9}, "egress": {"hosts": ["a.example"]},
        "limits": {"rate_limit_rpm": 7, "tenant_rate_limit_rpm": 8},
    })  # fmt: skip
    (tmp_path / "aob.toml").write_text(file)
    said = stated(tmp_path, read_settings(tmp_path, env), env)
    with pytest.raises(Conflict) as refused:
        check_stated(said, record)
    assert refused.value.code == "settings_differ"
    name, _, field = key.partition(".")
    assert f"{key} is {msgspec.json.encode(said[name][field]).decode()} here" in refused.value.detail
    assert msgspec.json.encode(told(record)[name][field]).decode() in refused.value.detail
    check_stated(said, Shared())


@pytest.mark.parametrize(
    "file",
    [
        "", "[patches]\nagents_max = 9", '[egress]\nhosts = ["a.example"]', "rate_limit_rpm = 7", "[limits]",
        "concurrency = 3\n[models]\ndefault = 'x:y'",
    ],
)  # fmt: skip
def test_a_process_that_says_the_same_or_nothing_starts(tmp_path: Path, file: str) -> None:
    record = read_sections({
        "patches": {"agents_max": 9}, "egress": {"hosts": ["a.example"]}, "limits": {"rate_limit_rpm": 7},
    })  # fmt: skip
    (tmp_path / "aob.toml").write_text(file)
    check_stated(stated(tmp_path, read_settings(tmp_path, {}), {}), record)


def test_limits_may_stand_in_a_table_of_their_own_but_not_twice(tmp_path: Path) -> None:
    file = tmp_path / "aob.toml"
    file.write_text("[limits]\nrate_limit_rpm = 3")
    assert read_settings(tmp_path, {}).rate_limit_rpm == 3
    assert read_settings(tmp_path, {"AOB_RATE_LIMIT_RPM": "4"}).rate_limit_rpm == 4
    for wrong in ("rate_limit_rpm = 3\n[limits]\nrate_limit_rpm = 3", "[limits]\nrate_limit = 3", "limits = 3"):
        file.write_text(wrong)
        with pytest.raises(Invalid, match="limits"):
            read_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, ""), ([], ""), ({"egres": {}}, "/egres"), ({"models": {}}, "/models"), ({"egress": 3}, "/egress"),
        ({"egress": {"host": []}}, "/egress"), ({"patches": {"agents_max": -1}}, "/patches/agents_max"),
        ({"patches": {"forbidden_kinds": ["htp"]}}, "patches.forbidden_kinds"),
        ({"egress": {"private": ["not a host!"]}}, "egress.private"), ({"limits": {"rate_limit_rpm": "7"}}, "/limits"),
    ],
)  # fmt: skip
def test_what_no_process_could_read_is_refused_with_its_place(wrong: Any, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_sections(wrong)
    assert place in f"{refused.value.problems}"


def test_the_record_is_bounded() -> None:
    with pytest.raises(TooLarge):
        read_sections({"egress": {"hosts": [f"host-{n}.example" for n in range(5_000)]}})


@asynccontextmanager
async def served(home: Path, **settings: Any) -> AsyncIterator[tuple[str, Any, AsyncClient]]:
    """`aob up` in this process, and a client with the home's key."""
    ready = asyncio.get_running_loop().create_future()
    parsed = read_settings(home, os.environ, **{"port": 0, **settings})
    serves = serving.serve_home(home, parsed, (), lambda *said: ready.set_result(said), lambda _: None)
    running = asyncio.create_task(serves)
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    try:
        url, app, _ = ready.result() if ready.done() else running.result()
        async with AsyncClient(url, key=(home / "key").read_text().strip()) as client:
            yield url, app, client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def refused_of(asked: Any) -> str:
    with pytest.raises(AobError) as refused:
        await asked
    return refused.value.code


@pytest.fixture(params=["memory", "files", "postgres"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of a home whose record lies there."""
    if request.param == "memory":
        yield {"store": "memory:", "log": "memory:", "blobs": "memory:"}
    elif request.param == "files":
        yield {}
    else:
        schema = made_schema(request.getfixturevalue("postgres_url"), 1)
        monkeypatch.setenv("AOB_STORE", schema.url)
        yield {}
        dropped(schema)


async def test_a_push_counts_at_once_and_for_whoever_starts_later(tmp_path: Path, place: Any) -> None:
    home = tmp_path / "home"
    async with peer() as target, served(home, **place) as (url, app, client):
        probe = app.shared.tools.http
        assert await client.show_settings() == {"version": 0, "by": "", "at": 0, "settings": {}, "history": []}
        allowed = {"egress": {"private": [f"127.0.0.1:{target.port}"]}}
        dry = await client.push_settings(settings=allowed, dry_run=True)
        assert (dry["version"], dry["dry_run"], bool(dry["changes"])) == (0, True, True)
        assert (await client.show_settings())["version"] == 0
        with pytest.raises(WorkError):
            await probe.request("GET", target.url + "/")
        assert (await client.push_settings(settings=allowed, after=0))["version"] == 1
        assert (await probe.request("GET", target.url + "/")).status
        assert (await client.push_settings(settings=allowed))["changes"] == []
        assert (await client.show_settings())["version"] == 1, "a push of the same is none"
        assert await refused_of(client.push_settings(settings={"limits": {}}, after=0)) == "version_differs"
        await client.push_settings(settings={"egress": {}, "limits": {"rate_limit_rpm": 1}})
        with pytest.raises(WorkError, match="loopback"):  # also by the connection that is still open
            await probe.request("GET", target.url + "/")
        other = await client.create_key("ann", ["view", "admin"])
        async with AsyncClient(url, key=other["secret"]) as bounded:
            await bounded.runs()
            assert await refused_of(bounded.runs()) == "rate_limited"
            await client.push_settings(settings={"limits": {"rate_limit_rpm": 0, "tenant_rate_limit_rpm": 0}})
            await bounded.runs()
        shown = await client.show_settings()
        assert [each["version"] for each in shown["history"]] == [3, 2, 1]
        assert shown["history"][0]["changes"][0] == {"key": "limits.rate_limit_rpm", "before": 1, "after": 0}
        assert shown["history"][-1]["by"]
        if place:
            return
    settings = {"egress": {"private": ["127.0.0.1:9"]}}
    with pytest.raises(Conflict) as told_other:
        async with aob.open(home, **settings):
            pass
    assert told_other.value.code == "settings_differ"
    async with aob.open(home) as again:
        assert again.shared.live.now.rate_limit_rpm == 0
        assert again.shared.live.version == 3


async def test_a_running_process_takes_the_first_push_too_whatever_it_has_stated(tmp_path: Path) -> None:
    own: Any = {"egress": {"private": ["127.0.0.1:9"]}, "rate_limit_rpm": 5}
    async with aob.open(tmp_path / "home", **own) as app:
        live = app.shared.live
        pushed = await _room(app).push_settings(LOCAL, {"egress": {"private": [], "hosts": ["a.example"]}})
        assert (pushed["version"], live.version) == (1, 1)
        assert (live.now.egress.private, live.now.egress.hosts) == ((), ("a.example",)), "it is narrower at once"
        assert live.now.rate_limit_rpm == 5, "nobody has pushed this section"
        await _room(app).push_settings(LOCAL, {"limits": {"rate_limit_rpm": 7}})
        assert live.now.rate_limit_rpm == 7
    assert await refused_of(_opened(tmp_path / "home", **own)) == "settings_differ"


async def test_nothing_is_pushed_while_a_process_of_an_older_release_would_not_follow(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        known, pushed = app.views.core.newest_rules, {"limits": {"rate_limit_rpm": 7}}
        app.views.core.newest_rules = lambda: 3
        with pytest.raises(Conflict, match="older release do not follow shared settings") as refused:
            await _room(app).push_settings(LOCAL, pushed)
        assert (refused.value.code, "aob db upgrade --finish" in refused.value.hint) == ("members_differ", True)
        assert (await _room(app).push_settings(LOCAL, pushed, dry_run=True))["version"] == 0
        app.views.core.newest_rules = known
        assert (await _room(app).push_settings(LOCAL, pushed))["version"] == 1


def test_a_worker_that_agreed_with_the_home_at_first_takes_what_it_says_later() -> None:
    own = Settings(egress=Egress(("10.0.0.1",)))
    said = told(Shared(egress=own.egress))
    live = LiveSettings(own, said)
    live.told(0, read_sections(said))
    live.told(1, read_sections({"egress": {"hosts": ["a.example"]}}))
    assert (live.now.egress.private, live.now.egress.hosts) == ((), ("a.example",))
    with pytest.raises(Conflict):
        LiveSettings(own, said).told(0, read_sections({"egress": {}}))


async def _opened(home: Path, **settings: Any) -> None:
    async with aob.open(home, **settings):
        pass


async def test_a_decision_of_a_patch_goes_by_the_rules_of_now_for_a_run_that_lives(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        room, known = _room(app), {"kind": "http", "config": {"url": "https://shop.example/y"}}
        await app.push(flow("w", {"a": {"kind": "wait", "config": {"message": "go"}}, "b": known}, "a>b"))
        run = await app.start("w")
        patch = {"operations": [{**ADD, "node": {"kind": "timer", "config": {"for": "1s"}}}]}
        await room.push_settings(LOCAL, {"patches": {"forbidden_kinds": ["timer"]}})
        with pytest.raises(AobError, match="timer"):
            await app.views.propose(app.who, run.id, patch)
        await room.push_settings(LOCAL, {"patches": {"always_person": True}})
        assert (await app.views.propose(app.who, run.id, patch))["state"] == "proposed"


def _room(app: Any) -> Any:
    from aob.compose.live_settings import SettingsRoom

    return SettingsRoom(app.shared.following, app.shared.live, lambda: app.views.core.newest_rules())


async def test_of_two_pushes_over_one_version_one_is_refused(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        room = _room(app)
        tries = [room.push_settings(LOCAL, {"limits": {"rate_limit_rpm": n}}, after=0) for n in range(1, 6)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        assert [getattr(each, "code", "won") for each in ends].count("version_differs") == 4


async def test_only_an_admin_of_the_home_sees_or_pushes(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        room = _room(app)
        for who in (
            Caller("default", "bob", frozenset({"view", "deploy"})),
            Caller("acme", "eve", frozenset({"admin"})),
        ):
            with pytest.raises(Refused):
                await room.show_settings(who)
            with pytest.raises(Refused):
                await room.push_settings(who, {"limits": {}})


async def test_owner_processes_of_a_home_in_files_follow(tmp_path: Path) -> None:
    """The file is what they read: as `aob up` of three shards writes it."""
    home = tmp_path / "home"
    deed = Deed()
    async with aob.open(home, app=deed.handlers()) as app:
        await app.push(chain("w", "echo"))
        other = await _second_reader(home)
        seen: list[int] = []
        other[1].hear(lambda now: seen.append(now.rate_limit_rpm))
        await _room(app).push_settings(LOCAL, {"limits": {"rate_limit_rpm": 5}})
        await other[0].look()
        await _room(app).push_settings(LOCAL, {"limits": {"rate_limit_rpm": 6}})
        await other[0].look()
        assert seen == [5, 6]


async def _second_reader(home: Path) -> Any:
    from functools import partial

    from aob.backends.file_records import FileRecords
    from aob.compose.live_settings import NAME
    from aob.compose.storage import Following

    following, live = Following(FileRecords(home / "records.json", lambda: 0)), LiveSettings(Settings(), {})

    async def read(following: Following, live: LiveSettings) -> None:
        live.take(await following.records.read(NAME))

    following.hears.append(partial(read, following, live))
    await following.look()
    return following, live


async def test_a_person_pushes_a_file_and_sees_what_changes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with served(home) as (url, app, _):
        desk = Terminal({"AOB_SERVER": url, "AOB_KEY": (home / "key").read_text().strip(), "AOB_HOME": str(home)})
        assert "nothing is shared" in (await desk("settings", "show")).out
        file = tmp_path / "rules.toml"
        file.write_text('rate_limit_rpm = 50\nport = 1\n[egress]\nhosts = ["a.example"]')
        dry = await desk("settings", "push", str(file), "--dry-run")
        assert 'egress.hosts: each process\'s own -> ["a.example"]' in dry.out
        assert "nothing was pushed" in dry.out
        assert (await desk("settings", "push", str(file))).code == 0
        assert app.shared.live.now.egress.hosts == ("a.example",)
        assert (await desk("settings", "show", "--json")).json["settings"]["limits"]["rate_limit_rpm"] == 50
        assert "version 1" in (await desk("settings", "show")).out
        assert "nothing changes" in (await desk("settings", "push", str(file))).out
        for wrong, says in (("[egres]\nhosts = []", "did you mean [egress]"), ("port = 3", "nothing to share")):
            file.write_text(wrong)
            ended = await desk("settings", "push", str(file))
            assert (ended.code != 0, says in ended.err) == (True, True), ended
        assert (await desk("settings", "push", str(tmp_path / "none"))).code != 0


async def test_two_processes_of_a_cluster_follow_one_record(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One has the home; another follows the record in the database, as a coordinator does."""
    from aob.backends.postgres.database import Database
    from aob.backends.postgres.members import PostgresRecords
    from aob.compose.live_settings import NAME
    from aob.compose.live_settings.sections import encoded as as_stored

    monkeypatch.setattr("aob.compose.storage.following.LOOK_S", 0.02)
    schema = made_schema(postgres_url, 1)
    monkeypatch.setenv("AOB_STORE", schema.url)
    database = await Database.open(schema.url)
    try:
        async with aob.open(tmp_path / "home") as app:
            elsewhere = PostgresRecords(database)
            await elsewhere.write(NAME, as_stored(read_sections({"patches": {"agents_max": 2}})), 0, "other")
            await until(lambda: app.views.core.run_law.rules.agents_max == 2)
            assert await refused_of(_room(app).push_settings(LOCAL, {"limits": {}}, after=0)) == "version_differs"
    finally:
        await database.close()
        dropped(schema)


@pytest.mark.parametrize("data", [b"{not", b'{"of a later release": {}}', b"[]"])
async def test_health_names_the_version_that_counts_and_a_record_that_cannot_be_read(
    tmp_path: Path, data: bytes
) -> None:
    async with aob.open(tmp_path / "home") as app:
        following = app.shared.following

        async def said() -> Any:
            return (await app.views.health())["settings"]

        assert await said() == {"version": 0, "status": "ok"}
        good = encoded(read_sections({"limits": {"rate_limit_rpm": 7}}))
        await following.records.write("settings", good, 0, "ann")
        await following.look()
        assert await said() == {"version": 1, "status": "ok"}
        await following.records.write("settings", data, 1, "bob")
        for _ in range(2):
            with pytest.raises(Invalid):
                await following.look()
        told = await said()
        assert (told["version"], told["status"]) == (1, "settings_unread")
        assert "version 2 by bob cannot be read" in told["detail"]
        assert app.shared.live.now.rate_limit_rpm == 7, "what was read last counts"
        await following.records.write("settings", good, 2, "ann")
        await following.look()
        assert await said() == {"version": 3, "status": "ok"}
