"""`aob doctor --role`: what a process of a role would find, from real listeners and real certificates."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import aob
from aob.compose.api import HOME_STREAMS, HomeRoom
from aob.compose.coordinator.directory import HOME
from aob.compose.network import Certificates, Member, PeerServer, not_owner
from aob.compose.status import viewpoint
from aob.ports.cluster import Record
from tests.cli.conftest import Terminal
from tests.servers import certificates
from tests.servers.fixtures import MASTER_KEY, Schema
from tests.servers.ports import free_port

pytestmark = pytest.mark.timeout(90)
Found = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of this process stays as it is: the command sets up that of its own."""
    monkeypatch.setattr(viewpoint, "set_up_log", lambda level, *, pretty: None)


class Engine:
    async def health(self) -> dict[str, str]:
        return {"status": "ok"}


def answering(certs: Path | None, *, acts: bool = True, cluster: str = "") -> PeerServer:
    """A process that holds a home, or not any more."""
    room = HomeRoom(lambda: (Engine(),), list, [b"s" * 32], acts=lambda: acts)
    own = Member(("coordinator",), "here", "1.0", cluster)
    given = Certificates(certs, ["coordinator"]) if certs is not None else None
    return PeerServer(own, lambda shard: room, HOME_STREAMS, given)


async def doctor(home: Path, role: str, *words: str, certs: Path | None = None, **env: str) -> tuple[int, Found]:
    """The exit code, and the findings by what they are about."""
    settings = {"AOB_CERTS": str(certs)} if certs is not None else {}
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    asked = await Terminal(kept | {"AOB_PORT": str(free_port())} | settings | env)(
        "doctor", "--json", "--home", str(home), "--role", role, *words
    )
    assert "Traceback" not in asked.err, asked.err
    assert asked.out, asked.err
    return asked.code, {each["what"]: each for each in asked.json}


async def test_settings_that_differ_from_the_shared_ones_are_told_of_an_api_and_of_a_member(
    tmp_path: Path, postgres_schema: Schema
) -> None:
    (tmp_path / "aob.toml").write_text("[limits]\nrate_limit_rpm = 7\n")
    record = Record("settings", 3, b'{"limits":{"rate_limit_rpm":500}}', "ann", 1)
    room = HomeRoom(lambda: (Engine(),), list, [b"s" * 32], settings=lambda: record)
    member = {"AOB_STORE": postgres_schema.url, "AOB_MASTER_KEY": MASTER_KEY}
    async with aob.open(tmp_path / "home", store=postgres_schema.url) as app:
        await app.shared.storage.records().write(record.name, record.data, 0, record.by)
    async with PeerServer(Member(("coordinator",)), lambda shard: room, HOME_STREAMS) as one:
        await one.open("127.0.0.1", 0)
        (_, api), (_, owner) = await asyncio.gather(
            doctor(tmp_path, "api", "--coordinator", one.address), doctor(tmp_path, "coordinator", **member)
        )
    for found in (api, owner):
        told = found["shared settings"]
        assert (told["how"], "7 here, and 500" in told["seen"]) == ("problem", True)
        assert "aob settings push" in told["mend"]


async def test_an_api_that_would_work(tmp_path: Path) -> None:
    async with answering(certificates.folder()) as server:
        await server.open("127.0.0.1", 0)
        words = ("--coordinator", server.address)
        code, found = await doctor(tmp_path, "api", *words, certs=certificates.folder())
    assert code == 0, found
    assert found[f"peer {server.address}"]["seen"] == "coordinator here, 1.0"
    assert found["home"]["seen"] == f"held by {server.address}, which is ok"
    assert found["certificate of api"]["seen"].startswith("api, until ")


@pytest.mark.parametrize(
    ("mine", "theirs", "what", "seen"),
    [
        ("theirs", "ours", "peer", "not of our authority"),
        ("expired", "ours", "certificate of api", "expired"),
        (None, "ours", "peer", "it hung up|speaks no TLS|did not answer"),
        ("ours", None, "peer", "it speaks no TLS|it hung up"),
    ],
)
async def test_an_api_whose_certificates_do_not_fit(
    tmp_path: Path, mine: str | None, theirs: str | None, what: str, seen: str
) -> None:
    own = certificates.folder("ours", 100) if mine == "expired" else certificates.folder(mine) if mine else None
    async with answering(certificates.folder(theirs) if theirs else None) as server:
        await server.open("127.0.0.1", 0)
        code, found = await doctor(tmp_path, "api", "--coordinator", server.address, certs=own)
    assert code == 1
    finding = found[f"peer {server.address}" if what == "peer" else what]
    assert finding["how"] == "problem"
    assert any(each in finding["seen"] for each in seen.split("|")), finding
    assert finding["mend"]


async def test_an_api_whose_coordinators_are_away_or_hold_nothing(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with answering(None, acts=False) as aside:
        await aside.open("127.0.0.1", 0)
        words = ("--coordinator", nobody, "--coordinator", aside.address, "--coordinator", "nonsense")
        code, found = await doctor(tmp_path, "api", *words)
    assert code == 1
    assert found[f"peer {nobody}"]["seen"] == "nobody listens there"
    assert "--peers" in found[f"peer {nobody}"]["mend"]
    assert found[f"peer {aside.address}"]["how"] == "ok"
    assert found["home"]["how"] == found["peer nonsense"]["how"] == "problem"


class Aside:
    """A member that does not hold the home, and knows who does."""

    number = HOME

    def __init__(self, holder: str) -> None:
        self._holder = holder

    async def call(self, verb: str, who: object, *args: object, **named: object) -> None:
        raise not_owner(HOME, self._holder)


@pytest.mark.parametrize("role", ["api", "fanout"])
async def test_the_holder_of_the_home_is_found_by_the_coordinators_that_are_named(
    role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewpoint, "WAIT_S", 60.0)
    async with answering(None) as holder:
        await holder.open("127.0.0.1", 0)
        aside = Aside(holder.address)
        async with PeerServer(Member(("coordinator",), "one", "1.0"), lambda shard: aside, HOME_STREAMS, None) as one:  # type: ignore[arg-type,return-value]
            await one.open("127.0.0.1", 0)
            found = [each async for each in viewpoint._peers(role, [one.address], None, asks_home=True)]
    assert [(each.what, each.well) for each in found] == [
        (f"peer {one.address}", True), (f"peer {holder.address}", True), ("home", True)
    ]  # fmt: skip
    assert found[-1].says == f"held by {holder.address}, which is ok"


async def test_plain_text_to_another_machine_and_no_coordinator_at_all(tmp_path: Path) -> None:
    code, found = await doctor(tmp_path, "fanout", "--coordinator", "192.0.2.1:9100")
    assert code == 1
    assert "aob certs init" in found["certificate of fanout"]["mend"]
    assert found["port " + found_port(found)]["how"] == "ok"
    code, found = await doctor(tmp_path, "fanout")
    assert code == 1
    assert "--coordinator HOST:PORT" in found["peers"]["mend"]


def found_port(found: Found) -> str:
    return next(name.removeprefix("port ") for name in found if name.startswith("port "))


async def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    async with answering(None) as server:
        await server.open("127.0.0.1", 0)
        port = server.address.rpartition(":")[2]
        code, found = await doctor(tmp_path, "api", "--coordinator", server.address, AOB_PORT=port)
    assert (code, found[f"port {port}"]["how"]) == (1, "problem")


async def test_a_worker_finds_its_gateway_or_not(tmp_path: Path) -> None:
    code, found = await doctor(tmp_path, "worker", "--url", f"grpc://127.0.0.1:{free_port()}")
    assert (code, found["gateway"]["how"]) == (1, "problem")
    assert "AOB_GRPC_PORT" in found["gateway"]["mend"]
    code, found = await doctor(tmp_path, "worker", "--url", "grpc://192.0.2.1:7700")
    assert "TLS only" in found["gateway"]["mend"]
    async with answering(None) as server:
        await server.open("127.0.0.1", 0)
        code, found = await doctor(tmp_path, "worker", "--url", f"grpc://{server.address}")
    assert (code, found["gateway"]["how"]) == (0, "ok")


async def test_an_executor_says_what_it_would_perform_and_where_its_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "aob.toml").write_text('[notify.targets]\ndesk = "https://example.com"\n')
    async with answering(None) as server:
        await server.open("127.0.0.1", 0)
        url = ("--url", f"grpc://{server.address}")
        code, found = await doctor(tmp_path, "executor", *url)
        assert (code, found["gateway"]["how"]) == (0, "ok"), found
        performs = found["performs"]["seen"].split(", ")
        assert {"http", "notify", "object", "agent", "notify/desk", "agent/script"} <= set(performs)
        assert "object/home" not in performs
        assert str(tmp_path) in found["secrets"]["seen"]
        store = "postgresql://aob@127.0.0.1:1/postgres?schema=aob"
        code, found = await doctor(tmp_path, "executor", *url, AOB_STORE=store)
        assert (code, found["AOB_MASTER_KEY"]["how"]) == (1, "problem")
        assert "aob secret key" in found["AOB_MASTER_KEY"]["mend"]
        assert "secrets" not in found
        code, found = await doctor(tmp_path, "executor", *url, AOB_STORE=store, AOB_MASTER_KEY=MASTER_KEY)
        assert found["AOB_MASTER_KEY"]["how"] == "ok"
    code, found = await doctor(tmp_path, "executor", "--url", f"grpc://127.0.0.1:{free_port()}")
    assert (code, found["gateway"]["how"]) == (1, "problem")


async def test_a_coordinator_finds_its_database_its_key_and_the_members(
    tmp_path: Path, postgres_schema: Schema
) -> None:
    import psycopg

    code, found = await doctor(tmp_path, "coordinator")
    assert (code, found["AOB_STORE"]["how"]) == (1, "problem")
    env = {"AOB_STORE": postgres_schema.url, "AOB_MASTER_KEY": MASTER_KEY}
    code, found = await doctor(tmp_path, "coordinator", **(env | {"AOB_MASTER_KEY": ""}))
    assert (code, "aob secret key" in found["AOB_MASTER_KEY"]["mend"]) == (1, True)
    nobody = f"127.0.0.1:{free_port()}"
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        found_id = owner.execute(f"select id from {postgres_schema.name}.cluster".encode()).fetchone()
        assert found_id is not None
        async with answering(None, cluster=found_id[0].hex()) as one, answering(None, cluster="another") as two:
            await one.open("127.0.0.1", 0)
            await two.open("127.0.0.1", 0)
            for name, address in (("a", one.address), ("b", two.address), ("c", nobody), ("d", "http://10.0.0.1:1")):
                owner.execute(
                    f"insert into {postgres_schema.name}.member (id, address, release, rules, roles, until) "
                    f"values ('{name}', '{address}', '1', 1, 'coordinator', now() + interval '1 hour')".encode()
                )
            code, found = await doctor(tmp_path, "coordinator", **env)
    assert code == 1
    assert found["members"]["seen"].startswith("4 in the database, with 0 of 16 shards")
    assert found[f"peer {one.address}"]["how"] == "ok"
    assert "belongs to the cluster" in found[f"peer {two.address}"]["seen"], "a peer of another cluster"
    assert found[f"peer {nobody}"]["how"] == "problem"
    assert "store" in found, "the database is looked at as ever"
