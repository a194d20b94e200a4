"""The URL of a database in the settings: read in one way, and its password is never shown."""

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aob.backends.postgres.address import read_address
from aob.compose.settings import read_settings
from aob.core.errors import Invalid
from aob.core.problem import problem_of

HOME = Path("/nonexistent")
PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=4, max_size=20)
MARK = "Kw9"  # no word of ours


@given(PASSWORDS)
@example("12/34")
@example("pa@ss:w/o?r#d[%]")
def test_a_password_comes_through_and_is_never_shown(told: str) -> None:
    password = told + MARK
    found = read_settings(HOME, {"AOB_STORE": f"postgresql://u:{quote(password, safe='')}@h:5433/db?schema=s"})
    address = read_address(found.database_url())
    assert (address.user, address.password, address.host, address.port) == ("u", password, "h", 5433)
    assert (address.database, address.schema) == ("db", "s")
    assert MARK not in repr(found) + found.store + address.shown
    again = msgspec.convert(msgspec.to_builtins(found), type(found))
    assert again.database_url() == found.database_url(), "the processes of a home get it"


@given(PASSWORDS)
@example("12/34")
@example("12?")
@example("[")
def test_one_that_is_not_escaped_is_never_shown_either(told: str) -> None:
    shown = ""
    try:
        found = read_settings(HOME, {"AOB_STORE": f"postgresql://u:{told}{MARK}@h/db"})
        shown = repr(found) + found.store + read_address(found.database_url()).shown
    except Invalid as error:
        shown = str(error) + repr(problem_of(error))
    assert MARK not in shown


def test_it_comes_from_a_variable_of_its_own_too() -> None:
    env = {"AOB_STORE": "postgresql://u@h/db?sslmode=require", "AOB_STORE_PASSWORD": "p@ss"}
    found = read_settings(HOME, env)
    assert read_address(found.database_url()).password == "p@ss"
    assert "sslmode=require" in found.database_url()
    assert (
        read_address(read_settings(HOME, env | {"AOB_STORE": "postgres://u:old@h/db"}).database_url()).password
        == "p@ss"
    )
    assert read_address(read_settings(HOME, {"AOB_STORE": "postgresql://h/db"}).database_url()).password == ""


def test_a_file_never_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "aob.toml"
    for line in ('store = "postgresql://u:hunter22@h/db"', 'store_password = "hunter22"'):
        file.write_text(line)
        with pytest.raises(Invalid) as told:
            read_settings(tmp_path, {})
        assert "AOB_STORE_PASSWORD" in str(told.value)
        assert "hunter22" not in str(told.value)
    for name in ("master_key", "master_key_old"):
        file.write_text(f'{name} = "hunter22"')
        with pytest.raises(Invalid) as told:
            read_settings(tmp_path, {})
        assert f"AOB_{name.upper()}" in str(told.value)
        assert "hunter22" not in str(told.value)
    env = {"AOB_STORE": "postgresql://u@h/db", "AOB_MASTER_KEY": "hunter22", "AOB_MASTER_KEY_OLD": "hunter33"}
    found = read_settings(HOME, env)
    assert (found.master_key, found.master_key_old) == ("hunter22", "hunter33")
    assert "hunter" not in repr(found)
    file.write_text('store = "postgresql://u@h/db"')
    assert read_settings(tmp_path, {"AOB_STORE_PASSWORD": "x"}).in_database


@pytest.mark.parametrize(
    "url",
    ["postgresql:", "postgresql://", "postgresql://h", "postgresql://h/", "postgresql://h:port/db",
     "postgresql://h:99999/db", "postgresql://h/db?schema=A-b", "postgresql://h/db?schema=pg_x", "postgresql://[/db",
     "postgresql://h/db#x", "postgres", "mysql://h/db"],
)  # fmt: skip
def test_what_is_no_url_says_so(url: str) -> None:
    with pytest.raises(Invalid) as told:
        read_settings(HOME, {"AOB_STORE": url})
    (problem,) = told.value.problems
    assert (problem.path, bool(problem.hint)) == ("AOB_STORE", True)


def test_log_and_blobs_follow_the_store_or_lie_in_the_home() -> None:
    env = {"AOB_STORE": "postgresql://h/db"}
    assert read_settings(HOME, env | {"AOB_LOG": "sqlite:", "AOB_BLOBS": "file:"}).in_database
    for name in ("AOB_LOG", "AOB_BLOBS", "AOB_CACHE"):
        with pytest.raises(Invalid):
            read_settings(HOME, env | {name: "postgresql://h/db"})
    with pytest.raises(Invalid):
        read_settings(HOME, env | {"AOB_PROCESSES": "shard"})
