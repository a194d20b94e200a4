"""`aob db`: the database of a cluster is made, looked at, brought forward; a person sees what to do next."""

import asyncio
import subprocess
import sys

import psycopg
import pytest

from aob.backends.postgres.address import read_address
from tests.cli.conftest import Done, Terminal
from tests.servers.fixtures import Schema


@pytest.fixture
def aob() -> Terminal:
    return Terminal({})


async def test_a_new_database_is_used_in_three_lines(postgres_url: str, aob: Terminal) -> None:
    made = await aob("db", "init", f"{postgres_url}?schema=t_cli", "--service", "t_cli_role", "--partitions", "128")
    assert (made.code, made.err) == (0, "")
    assert "16 shards, 128 partitions of the event log, role t_cli_role" in made.out
    (line,) = [line for line in made.out.splitlines() if line.startswith("AOB_STORE=")]
    service = Terminal({"AOB_STORE": line.removeprefix("AOB_STORE=")})
    checked = await service("db", "check")
    assert (checked.code, checked.err) == (0, "")
    assert "schema: step 7, whole" in checked.out
    again = await aob("db", "init", f"{postgres_url}?schema=t_cli", "--service", "t_cli_role")
    assert (again.code, "is there already" in again.out, "AOB_STORE=" in again.out) == (0, True, False)
    upgraded = await aob("db", "upgrade", f"{postgres_url}?schema=t_cli")
    assert (upgraded.code, "nothing to do" in upgraded.out) == (0, True)


async def test_numbers_that_are_none_and_an_owner_that_is_missing(
    aob: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--shards", "0"), ("--shards", "-3"), ("--partitions", "0"), ("--store", "0"), ("--store", "x")):
        with pytest.raises(SystemExit):
            await aob("db", "init", "postgresql://u@127.0.0.1:1/db", *words)
        assert "is no number above 0" in capsys.readouterr().err, words
    for word in ("init", "upgrade"):
        refused = await aob("db", word)
        assert (refused.code, "postgresql://owner" in refused.err) == (2, True)


async def test_what_the_services_will_use_is_made_as_their_setting_says(postgres_url: str) -> None:
    owner = read_address(postgres_url)
    store = f"postgresql://t_cli_two:own-word@127.0.0.1:{owner.port}/postgres?schema=t_cli_two"
    terminal = Terminal({"AOB_STORE": store, "AOB_STORE_OWNER": postgres_url})
    made = await terminal("db", "init", "--shards", "2", "--json")
    assert made.json["service"] == "t_cli_two"
    assert (made.json["schema"], made.json["shards"], made.json["store"]) == ("t_cli_two", 2, "")
    apart = Terminal({"AOB_STORE": store.replace(":own-word", ""), "AOB_STORE_PASSWORD": "own-word"})
    assert (await apart("db", "check")).code == 0
    found = {each["what"]: each for each in (await terminal("db", "check", "--json")).json}
    assert found["cluster"]["says"].startswith(made.json["cluster"])
    assert "own-word" not in made.out


async def test_a_service_that_owns_the_schema_is_a_problem(postgres_schema: Schema, aob: Terminal) -> None:
    checked = await aob("db", "check", postgres_schema.owner_url)
    assert checked.code == 1
    assert "problem  rights: this user owns the schema" in checked.out


async def test_rows_that_missed_their_day_are_a_problem(postgres_schema: Schema, aob: Terminal) -> None:
    name = postgres_schema.name
    with psycopg.connect(postgres_schema.owner_url.partition("?")[0], autocommit=True) as owner:
        owner.execute(f"""
            create table {name}.late (day int not null) partition by range (day);
            create table {name}.late_default partition of {name}.late default;
            insert into {name}.daily values ('late'); insert into {name}.late values (1);
        """.encode())  # fmt: skip
    checked = await aob("db", "check", postgres_schema.url)
    assert checked.code == 1
    assert "problem  table late: partitions for 0 days after today, and rows that missed theirs" in checked.out


async def test_sql_is_printed_without_a_server_and_without_a_password(postgres_url: str) -> None:
    terminal = Terminal({"AOB_STORE": "postgresql://t_sql:own-word@db.invalid/shop?schema=t_sql"})
    printed = await terminal("db", "init", "--print-sql")
    assert (printed.code, "own-word" in printed.out) == (0, False)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(printed.out.encode())
        owner.execute("alter role t_sql password 'own-word'")
    service = postgres_url.replace(read_address(postgres_url).password, "own-word").replace("//owner", "//t_sql")
    assert (await terminal("db", "check", f"{service}?schema=t_sql")).code == 0


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("init",), 2, "AOB_STORE_OWNER"),
        (("check",), 2, "aob db check postgresql://"),
        (("init", "mysql://x/y"), 2, "postgresql://user:password@"),
        (("init", "postgresql://x@127.0.0.1:1/y", "--partitions", "65"), 2, ""),
        (("check", "postgresql://x@127.0.0.1:1/y"), 6, "nothing listens there"),
    ],
)
async def test_what_cannot_be_done_says_how(words: tuple[str, ...], code: int, hint: str, aob: Terminal) -> None:
    done: Done = await aob("db", *words)
    assert (done.code, hint in done.err) == (code, True), done


async def test_the_command_itself_runs(postgres_schema: Schema) -> None:
    words = (sys.executable, "-m", "aob.cli", "db", "check", postgres_schema.url)
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert "ok       server: PostgreSQL" in done.stdout


@pytest.mark.parametrize("command", ["init", "upgrade"])
async def test_a_command_that_needs_an_owner_says_what_to_give_it(command: str, aob: Terminal) -> None:
    refused = await aob("db", command)
    assert (refused.code, "give this command postgresql://" in refused.err, "AOB_STORE_OWNER" in refused.err) == (
        2, True, True
    )  # fmt: skip


async def test_a_url_that_was_typed_is_not_taken_for_that_of_the_setting(aob: Terminal) -> None:
    refused = await aob("db", "check", "nonsense")
    assert (refused.code, "AOB_STORE:" in refused.err, "the URL" in refused.err) == (2, False, True)
