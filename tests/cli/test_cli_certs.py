"""`aob certs`: what a person types makes certificates, and says where they have to go."""

from pathlib import Path

import pytest

from aob.cli.commands.access import certs
from aob.compose.network.identity import ROLES
from tests.cli.conftest import Terminal


def test_the_roles_of_the_command_are_those_of_the_network() -> None:
    assert certs.ROLES == ROLES


async def test_certificates_are_made_listed_renewed_and_never_replaced_unasked(tmp_path: Path) -> None:
    aob, home = Terminal({}), str(tmp_path)
    made = await aob("certs", "init", "--home", home)
    assert made.code == 0
    assert "ca.key stays here" in made.out + made.err
    assert {path.name for path in (tmp_path / "certs").iterdir()} == {"ca.pem", "ca.key", *(f"{r}.pem" for r in ROLES)}
    again = await aob("certs", "init", "--home", home)
    assert again.code != 0
    assert "aob certs renew" in again.err
    before = (await aob("certs", "list", "--home", home, "--json")).json
    renewed = (await aob("certs", "renew", "--home", home, "--role", "api,worker", "--role", "api", "--json")).json
    assert [row["roles"] for row in renewed] == [["api", "worker"], ["api"]]
    after = {row["file"]: row for row in (await aob("certs", "list", "--home", home, "--json")).json}
    assert len(after) == len(before) + 1
    changed = [row["file"] for row in before if after[row["file"]]["fingerprint"] != row["fingerprint"]]
    assert [Path(name).name for name in changed] == ["api.pem"]
    assert (await aob("certs", "init", "--home", home, "--force", "--role", "api")).code == 0
    (tmp_path / "certs" / "api.pem").write_text("x")
    ill = await aob("certs", "list", "--home", home)
    assert ill.code != 0
    assert "no certificate that can be read" in ill.err


async def test_what_is_no_name_of_a_machine_is_refused_before_anything_is_replaced(tmp_path: Path) -> None:
    aob, home = Terminal({}), str(tmp_path)
    for host in ("*.example.com", "api_1", "10.0.0.7", "::1"):
        assert (await aob("certs", "init", "--home", home, "--force", "--role", "api", "--host", host)).code == 0, host
    before = (tmp_path / "certs" / "ca.pem").read_bytes()
    for host in ("", "a b", "https://a.example", "a.example:443", "ü.example", "a..b", "10.0.0.300", "-" * 300):
        for word in ("init", "renew"):
            more = ("--force",) if word == "init" else ()
            refused = await aob(
                "certs", word, "--home", home, "--role", "api", "--host", "a.example", f"--host={host}", *more
            )
            assert (refused.code, "no name or address" in refused.err) == (2, True), host
    assert (tmp_path / "certs" / "ca.pem").read_bytes() == before


async def test_the_doctor_says_how_long_certificates_count_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    aob, home = Terminal({}), str(tmp_path)
    await aob("certs", "init", "--home", home, "--days", "7")

    async def told() -> list[tuple[str, str]]:
        rows = (await aob("doctor", "--home", home, "--json")).json
        return [(row["how"], row["seen"]) for row in rows if row["what"] == "certs"]

    found = await told()
    assert ("note", "api: 6 days left") in found or ("note", "api: 7 days left") in found
    assert any(how == "ok" and seen.startswith("authority") for how, seen in found)
    (tmp_path / "certs" / "api.pem").chmod(0o644)
    assert any(how == "problem" and "others may read the key" in seen for how, seen in await told())
    await aob("certs", "init", "--home", home, "--role", "api", "--force")
    assert any(how == "problem" and "not of the authority" in seen for how, seen in await told())


@pytest.mark.parametrize("words", [("--days", "0"), ("--role", "boss"), ("--days", "99999")])
async def test_what_cannot_be_made_is_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    assert (await Terminal({})("certs", "init", "--home", str(tmp_path), *words)).code != 0
    assert not (tmp_path / "certs").exists()
