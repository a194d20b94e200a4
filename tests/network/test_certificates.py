"""Certificates of a cluster: made, renewed, read again while they change; what is wrong with one is one line at either
end."""

import os
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aob.compose.network import Certificates, Member, Peers, PeerServer, init, listed, renew, roles_of
from aob.compose.network.certificates import ends_of
from aob.core.errors import AobError, Conflict, Invalid, NotFound, Unavailable
from aob.core.policy import LOCAL
from tests.network.peers import STREAMS, Shards, until
from tests.servers.certificates import ROLES, certificates, folder

pytestmark = pytest.mark.timeout(30)
NOW = datetime.now(UTC)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    init(tmp_path / "certs", [("api",), ("coordinator",), ("api", "coordinator")], (), NOW)
    return tmp_path / "certs"


def test_an_authority_and_a_certificate_a_role_are_made_for_their_owner_only(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == [
        "api+coordinator.pem", "api.pem", "ca.key", "ca.pem", "coordinator.pem",
    ]  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o600}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    ca, both, api, _ = listed(made)
    assert (ca.roles, both.roles, api.roles) == ((), ("api", "coordinator"), ("api",))
    assert {each.authority for each in (both, api)} == {ca.fingerprint}
    assert timedelta(days=89) < api.ends - NOW < timedelta(days=91)
    assert ca.ends - NOW > timedelta(days=3_000)


def test_nothing_that_is_there_is_replaced_without_being_told(made: Path) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    for roles in ([("api",)], [("worker",)]):
        with pytest.raises(Conflict) as refused:
            init(made, roles, (), NOW)
        assert refused.value.code == "certs_exist"
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    init(made, [("api",)], (), NOW, force=True)
    assert (made / "ca.pem").read_bytes() != before["ca.pem"]


def test_renewed_ones_are_of_the_same_authority_with_new_keys_and_the_names_of_machines_stay(made: Path) -> None:
    renew(made, [("api",)], ["aob.example.com", "10.0.0.1"], NOW)
    before, ca = {each.file: each for each in listed(made)}, (made / "ca.pem").read_bytes()
    later = NOW + timedelta(days=60)
    after = {each.file: each for each in renew(made, (), (), later)}
    assert set(after) == set(before) - {"ca.pem"}
    assert (made / "ca.pem").read_bytes() == ca
    for name, each in after.items():
        assert each.fingerprint != before[name].fingerprint
        assert each.roles == before[name].roles
        assert each.authority == before["ca.pem"].fingerprint
        assert each.ends - later > timedelta(days=89)
    from cryptography import x509

    san = x509.load_pem_x509_certificate((made / "api.pem").read_bytes()).extensions
    names = san.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["aob:api", "aob.example.com", "10.0.0.1"]


def test_without_the_key_of_the_authority_nothing_is_renewed(made: Path) -> None:
    (made / "ca.key").unlink()
    with pytest.raises(NotFound, match=r"has no ca\.key"):
        renew(made, (), (), NOW)
    with pytest.raises(NotFound, match=r"ca\.pem is not there"):
        renew(made / "nowhere", (), (), NOW)
    with pytest.raises(Invalid, match="expired"):
        renew(made, (), (), NOW + timedelta(days=4_000))


@pytest.mark.parametrize(("text", "roles"), [("api", ("api",)), ("worker, api,api", ("api", "worker"))])
def test_roles_are_typed_by_commas(text: str, roles: tuple[str, ...]) -> None:
    assert roles_of(text) == roles


@pytest.mark.parametrize("text", ["", ",", "apo", "API", "api;worker", "../x"])
def test_an_unknown_role_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        roles_of(text)


# -- read by a process ----------------------------------------------------------------------------------------------


def at(days: float) -> Any:
    return lambda: NOW + timedelta(days=days)


def test_a_process_takes_the_certificate_that_names_its_roles_and_fewest_others(made: Path) -> None:
    assert Certificates(made, ["api"])._path.name == "api.pem"
    assert Certificates(made, ["coordinator", "api"])._path.name == "api+coordinator.pem"
    (made / "coordinator.pem").unlink()
    assert Certificates(made, ["coordinator"])._path.name == "api+coordinator.pem"
    with pytest.raises(NotFound, match="no certificate for worker"):
        Certificates(made, ["worker"])


@pytest.mark.parametrize(("days", "code"), [(91, "certs_expired"), (-1, "certs_early"), (4_000, "certs_expired")])
def test_one_that_does_not_count_now_is_refused_at_the_start(made: Path, days: int, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Certificates(made, ["api"], at(days))
    assert refused.value.code == code
    assert refused.value.hint


def test_one_of_another_authority_or_damaged_or_of_another_role_is_refused_at_the_start(made: Path) -> None:
    other = folder("theirs") / "api.pem"
    (made / "api.pem").write_bytes(other.read_bytes())
    for content, code in ((other.read_bytes(), "certs_foreign"), (b"", "certs_damaged"), (b"garbage", "certs_damaged"),
                          ((made / "coordinator.pem").read_bytes(), "certs_foreign")):  # fmt: skip
        (made / "api.pem").write_bytes(content)
        with pytest.raises(AobError) as refused:
            Certificates(made, ["api"])
        assert refused.value.code == code
    (made / "ca.pem").unlink()
    with pytest.raises(NotFound, match=r"no ca\.pem"):
        Certificates(made, ["api"])


def test_new_files_count_from_the_next_connection_and_bad_ones_leave_the_last_good_ones(made: Path) -> None:
    own = Certificates(made, ["api"])
    first, pem = own.server(), own.pem()
    assert own.server() is first
    renew(made, [("api",)], (), NOW)
    assert own.server() is not first
    assert own.pem() != pem
    second, ends = own.client(), own.ends
    (made / "api.pem").write_bytes(b"half a fi")
    assert own.client() is second
    assert own.ends == ends
    (made / "api.pem").unlink()
    assert own.client() is second
    renew(made, [("api",)], (), NOW)
    assert own.client() is not second


def test_a_file_that_is_not_in_order_is_told_once_and_not_at_each_connection(
    made: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = Certificates(made, ["api"])
    (made / "api.pem").write_bytes(b"half a fi")
    for _ in range(3):
        own.client()
    assert "".join(capfd.readouterr()).count("certs_not_read") == 1


def test_every_connection_proves_itself_anew(made: Path) -> None:
    own = Certificates(made, ["api"])
    assert own.server().num_tickets == 0, "none goes on where an earlier one was, whose certificate may be over by now"
    for context in (own.server(), own.client()):
        assert (context.verify_mode, context.minimum_version) == (ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_3)


def test_the_key_and_the_chain_of_a_pem_fit_together(made: Path) -> None:
    key, chain, ca = Certificates(made, ["api"]).pem()
    assert key.startswith(b"-----BEGIN PRIVATE KEY")
    assert chain.startswith(b"-----BEGIN CERTIFICATE")
    assert ca == (made / "ca.pem").read_bytes()


# -- at a connection ------------------------------------------------------------------------------------------------


class Lax(Certificates):
    """Certificates that this process does not check itself, as an older or foreign release might."""

    def _load(self) -> None:
        now, self._now = self._now, lambda: _counts(self._path)
        try:
            super()._load()
        finally:
            self._now = now


def _counts(path: Path) -> datetime:
    from aob.compose.network.authority import read

    return read(path).ends - timedelta(days=1)


async def met(server: Certificates | None, client: Certificates | None, *, role: str = "coordinator",
              as_: str = "api", clusters: tuple[str, str] = ("c", "c")) -> tuple[str, str]:  # fmt: skip
    """What the client says of the server, and the server's log of the client."""
    async with PeerServer(Member(("coordinator",), "s", "1", clusters[0]), Shards(0).find, STREAMS, server) as at_:
        await at_.open("127.0.0.1", 0)
        async with Peers(Member((as_,), "c", "1", clusters[1]), client) as peers:
            peer = peers.of(at_.address, role)
            await peer.tried()
            said = ""
            if peer.up:
                assert await peer.call(0, "run", LOCAL)
            else:
                with pytest.raises(Unavailable) as down:
                    await peer.call(0, "run", LOCAL)
                assert down.value.code == "shard_down"
                said = peer.state
                await until(lambda: bool(at_._lines._said))
    lines = [why for _, why in at_._lines._said]
    return said, lines[0] if lines else ""


async def test_processes_of_one_authority_meet() -> None:
    assert await met(certificates("coordinator"), certificates("api")) == ("", "")
    assert await met(None, None) == ("", "")


async def test_a_certificate_that_expired_or_counts_later_is_named_at_both_ends() -> None:
    for days_ago, words in ((100, "has expired"), (-10, "does not count yet: is one of the two clocks wrong?")):
        bad = folder("ours", days_ago)
        said, logged = await met(certificates("coordinator"), Lax(bad, ["api"]))
        assert words in logged
        assert "our certificate: api, until" in said or "our certificate" in said
        said, logged = await met(Lax(bad, ["coordinator"]), certificates("api"))
        assert words in said
        assert logged


async def test_a_certificate_of_another_authority_is_named_at_both_ends() -> None:
    said, logged = await met(certificates("coordinator"), certificates("api", name="theirs"))
    assert "not of our authority" in said  # the client looks first
    assert logged


@pytest.mark.parametrize("secure", [True, False])
async def test_the_wrong_role_is_named_at_both_ends(secure: bool) -> None:
    own = (lambda *roles: certificates(*roles)) if secure else (lambda *roles: None)
    said, logged = await met(own("coordinator"), own("worker"), as_="worker")
    assert said == logged
    assert "the role worker may ask nothing here" in said
    said, logged = await met(own("coordinator"), own("api"), role="metrics")
    assert "not metrics" in said
    assert "not metrics" in logged or "hung up" in logged
    if secure:
        said, logged = await met(own("coordinator"), own("worker"), as_="api")
        assert said == logged == "it calls itself 'api', and its certificate names worker"
        said, logged = await met(own("api"), own("api"))
        assert "its certificate names api, not coordinator" in said
        assert "its certificate names api, not coordinator" in logged


async def test_plain_text_and_tls_say_what_they_find() -> None:
    said, logged = await met(certificates("coordinator"), None)
    assert said
    assert "TLS" in logged or "hung up" in logged or "version" in logged.lower()
    said, logged = await met(None, certificates("api"))
    assert "speaks no TLS" in said or "hung up" in said
    assert logged == "it speaks TLS, and this end has no certificates"


async def test_a_process_of_another_cluster_is_named_at_both_ends() -> None:
    said, logged = await met(None, None, clusters=("one", "two"))
    assert said == logged == "it belongs to the cluster 'two', and we to 'one': see AOB_STORE"


async def test_plain_text_is_for_loopback_only() -> None:
    for host in ("0.0.0.0", "10.1.2.3", "::", "aob.example.com", ""):
        async with PeerServer(Member(("coordinator",)), Shards(0).find, STREAMS) as server:
            with pytest.raises(Invalid) as refused:
                await server.open(host, 0)
            assert refused.value.code == "certs_required"
    async with Peers(Member(("api",))) as peers:
        peer = peers.of("10.1.2.3:7000")
        await peer.tried()
        assert "plain text is for loopback only" in peer.state


async def test_a_server_takes_new_certificates_without_a_restart_and_its_connections_go_on(tmp_path: Path) -> None:
    init(tmp_path / "a", ROLES, (), NOW)
    own = Certificates(tmp_path / "a", ["coordinator"])
    async with PeerServer(Member(("coordinator",)), Shards(0).find, STREAMS, own) as server:
        await server.open("127.0.0.1", 0)
        async with Peers(Member(("api",)), Certificates(tmp_path / "a", ["api"])) as peers:
            before = peers.of(server.address)
            await before.ready()
            init(tmp_path / "b", ROLES, (), NOW)
            for file in ("ca.pem", "coordinator.pem"):
                os.replace(tmp_path / "b" / file, tmp_path / "a" / file)
            async with Peers(Member(("api",)), _client(tmp_path)) as new:
                after = new.of(server.address)
                await after.ready()
                assert await after.call(0, "run", LOCAL)
            assert await before.call(0, "run", LOCAL)


@pytest.mark.parametrize("end", ["server", "peer"])
async def test_a_connection_ends_with_the_certificate_of_its_other_end_and_is_made_again(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [0.05]
    monkeypatch.setattr(f"aob.compose.network.{end}.left_s", lambda transport: left.pop() if left else 1e6)
    async with PeerServer(Member(("coordinator",)), Shards(0).find, STREAMS, certificates("coordinator")) as server:
        await server.open("127.0.0.1", 0)
        async with Peers(Member(("api",)), certificates("api")) as peers:
            peer = peers.of(server.address)
            await peer.ready()
            first = peer._channel
            assert first is not None
            await first.ended.wait()
            await until(lambda: not peer.up)
            await peer.ready()
            assert await peer.call(0, "run", LOCAL)
            assert peer._channel is not first


def test_the_ends_of_certificates_are_told_and_a_folder_that_is_not_in_order_breaks_nothing(made: Path) -> None:
    told = ends_of(made)
    assert set(told) == {"ca.pem", "api.pem", "coordinator.pem", "api+coordinator.pem"}
    assert abs(told["api.pem"] - (NOW + timedelta(days=90)).timestamp()) < 1
    (made / "api.pem").write_text("x")
    assert ends_of(made) == {}
    assert ends_of(made / "none") == {}


def _client(tmp_path: Path) -> Certificates:
    (tmp_path / "b" / "ca.pem").write_bytes((tmp_path / "a" / "ca.pem").read_bytes())
    return Certificates(tmp_path / "b", ["api"])
