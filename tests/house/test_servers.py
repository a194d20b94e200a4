"""The server of a test run: one for all its processes, and gone with the run, however that ends."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.house.tree import ROOT
from tests.servers.fixtures import dropped, made_schema
from tests.servers.postgres import RUN, NoServerError, Server, account, binaries, name_run

RUNS = """
import sys
from tests.servers.postgres import name_run, shared
name_run()
print(shared(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def with_a_server() -> None:
    try:
        binaries()
    except NoServerError as why:
        pytest.skip(str(why))


@pytest.fixture
def run() -> Iterator[subprocess.Popen[str]]:
    """The main process of a run, which has asked for the server."""
    env = {name: value for name, value in os.environ.items() if name != RUN}
    with subprocess.Popen(
        [sys.executable, "-c", RUNS], cwd=ROOT, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5):
            return True
    except OSError:
        return False


def test_it_ends_with_the_main_process_also_when_that_is_killed(run: subprocess.Popen[str]) -> None:
    assert run.stdout is not None
    url = run.stdout.readline().strip()
    assert listens(url)
    (keeper,) = keepers(run.pid)
    folder = Path(keeper.read_bytes().split(b"\0")[3].decode())
    assert folder.is_dir()
    run.kill()
    run.wait()
    while listens(url) or (keeper.exists() and keeper.read_bytes()):
        pass
    assert not folder.exists()


def keepers(main: int) -> list[Path]:
    """The command lines, as files, of the keepers for a process."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"tests.servers.postgres" in words and str(main).encode() in words:
            found.append(each)
    return found


def test_many_that_ask_at_once_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    name_run()
    asks = "from tests.servers.postgres import shared; print(shared())"

    def ask(_: int) -> str:
        return subprocess.run([sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1


def test_it_is_not_of_root_and_listens_to_this_machine_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert account().user != 0
    assert Server(tmp_path_factory.mktemp("none")).settings["listen_addresses"] == "127.0.0.1"


def test_without_a_server_the_reason_names_what_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(NoServerError, match="apt-get install postgresql"):
        binaries()


FOR_EVERYBODY: Final = re.compile(
    r"pg_terminate_backend\(pid|pg_reload_conf|alter system|alter role \{?(?:SERVICE|service|aob_service)\b"
)
OF_ONE_FILE: Final = re.compile(r"\bown_server\b|\bwith server\(|\bGround\b")


def test_what_changes_a_server_for_everybody_is_done_to_one_of_a_files_own() -> None:
    """On the server that all files share it makes a test of another file fail, at random: its sessions end."""
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    found = {name for name, text in texts.items() if FOR_EVERYBODY.search(text)} - {"tests/house/test_servers.py"}
    assert "tests/crash/test_behind_a_pooler.py" in found
    assert not {name for name in found if not OF_ONE_FILE.search(texts[name])}


def test_a_schema_is_used_again_when_only_its_rows_changed(postgres_url: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    first = made_schema(postgres_url, 3)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        (cluster,) = owner.execute(f"select id from {first.name}.cluster").fetchone()
        owner.execute(f"update {first.name}.shard set epoch = 7")
        dropped(first)
        second = made_schema(postgres_url, 5)
        assert second == first
        found = owner.execute(
            f"select count(*), max(epoch), count(distinct c.id) from {second.name}.shard, {second.name}.cluster c"
        )
        assert found.fetchone() == (5, 0, 1)
        assert owner.execute(f"select id from {second.name}.cluster").fetchone() != (cluster,)
        owner.execute(f"alter table {second.name}.member add column note text")
        dropped(second)
        assert owner.execute("select 1 from pg_namespace where nspname = %s", (second.name,)).fetchone() is None
        assert made_schema(postgres_url).name != second.name


def test_a_schema_that_is_used_again_has_the_rows_of_a_new_one(postgres_url: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    new, used = made_schema(postgres_url), made_schema(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"insert into {used.name}.member values ('m', '', '', 0, '', '', now())")
        dropped(used)
        assert made_schema(postgres_url) == used
        names = owner.execute(
            "select relname from pg_class where relkind in ('r', 'p') and not relispartition "
            "and relnamespace = %s::regnamespace and relname not in ('cluster', 'step', 'made', 'finished')",
            (new.name,),
        ).fetchall()  # fmt: skip
        for (name,) in names:
            rows = [owner.execute(f"select * from {each.name}.{name} order by 1").fetchall() for each in (new, used)]
            assert rows[0] == rows[1], name
