"""Roles of a cluster that are set up wrongly, with real processes: refused at start with one line and the line that
helps, and nothing is left behind."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.test_cli_bad_setups import (
    Case,
    Ground,
    cluster,
    ground,
    in_use,
    mixed,
    of_another,
    refused,
    setting,
    with_url,
    with_words,
    written,
)
from tests.servers import certificates
from tests.servers.fixtures import PASSWORD
from tests.servers.ports import free_port

__all__ = ["cluster", "ground"]
pytestmark = pytest.mark.timeout(120)
NOWHERE: Final = f"127.0.0.1:{free_port()}"


@contextlib.contextmanager
def with_certificates(ground: Ground, folder: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    shutil.copytree(folder, ground.home / "certs")
    yield [], {}


@contextlib.contextmanager
def of_other_roles(ground: Ground) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Certificates, but none of the roles that are served."""
    shutil.copytree(certificates.folder(), ground.home / "certs")
    for path in (ground.home / "certs").glob("*.pem"):
        if path.name not in ("ca.pem", "worker.pem"):
            path.unlink()
    yield [], {}


def expired(ground: Ground) -> Any:
    return with_certificates(ground, certificates.folder("ours", 100))


def without_peers(made: Any) -> Any:
    """The same ground, with the addresses of the role's own words."""

    @contextlib.contextmanager
    def same(ground: Ground) -> Iterator[tuple[list[str], dict[str, str]]]:
        with made(ground) as (_, env):
            yield [], env

    return same


def with_taken(word: str) -> Any:
    """An address for others, or a port for workers, where somebody listens already."""

    @contextlib.contextmanager
    def made(ground: Ground) -> Iterator[tuple[list[str], dict[str, str]]]:
        with in_use(ground) as ((_, port), _):
            yield ([word, f"127.0.0.1:{port}"], {}) if word.startswith("--") else ([], {word: port})

    return made


COORDINATOR: Final = (
    Case("no database", with_words(AOB_STORE=""), "AOB_STORE", "postgresql://", 2, whole=True),
    Case("a log of its own", with_words(AOB_LOG="sqlite:"), "AOB_LOG", "leave it out", 2, checked=False),
    Case("blobs of its own", with_words(AOB_BLOBS="file:"), "AOB_BLOBS", "leave it out", 2, checked=False),
    Case("no master key", with_words(AOB_MASTER_KEY=""), "AOB_MASTER_KEY", "aob secret key", 2),
    Case("a wrong password", with_url(lambda url, ground: url.replace(PASSWORD, "guessed")), "password", "AOB_STORE"),
    Case("fsync off", lambda ground: setting(ground, "fsync"), "fsync = off", "alter system set fsync = on"),
    Case("a folder of another cluster", of_another, "belongs to", "home", 5),
    Case("an expired certificate", expired, "expired", "aob certs renew", 2),
    Case("a certificate of another authority", without_peers(mixed), "not of the authority", "aob certs renew", 2),
    Case("a certificate of another role", of_other_roles, "coordinator", "aob certs", 3),
    Case("plain text for others", with_words("--peers", f"0.0.0.0:{free_port()}"), "certificates", "aob certs init", 2),
    Case("an address that is none", with_words("--advertise", "nowhere"), "nowhere", "host:port", 2),
    Case("a port in use", in_use, "in use", "port"),
    Case("a port for others in use", with_taken("--peers"), "in use", "--peers"),
    Case("a port for workers in use", with_taken("AOB_GRPC_PORT"), "in use", "grpc_port"),
)
ASKING: Final = (
    Case("an expired certificate", expired, "expired", "aob certs renew", 2, whole=True),
    Case("a certificate of another authority", without_peers(mixed), "not of the authority", "aob certs renew", 2),
    Case("a certificate of another role", of_other_roles, "api", "aob certs", 3),
    Case("plain text to others", with_words("--coordinator", "10.0.0.1:9100"), "certificates", "aob certs init", 2),
    Case("an address that is none", with_words("--coordinator", "nowhere"), "nowhere", "host:port", 2),
    Case("a port in use", in_use, "in use", "port"),
    Case("settings that are unknown", lambda ground: written(ground, "potr = 1\n"), "potr", "port", 2),
)


def begun(ground: Ground, case: Case, *words: str) -> None:
    """It is refused, and leaves nothing."""
    with case.made(ground) as (more, env):
        assert refused(ground, case, [*words, "--home", str(ground.home), "--port", "0", *more], env) <= {"lock"}


@pytest.mark.parametrize("case", COORDINATOR, ids=lambda case: case.name.replace(" ", "-"))
def test_a_coordinator_that_is_set_up_wrongly_does_not_start(ground: Ground, case: Case) -> None:
    begun(ground, case, "serve", "coordinator", "--peers", NOWHERE)


def test_members_of_two_roles_need_a_certificate_that_names_both(ground: Ground) -> None:
    of_each = Case(
        "a certificate for each", lambda ground: with_certificates(ground, certificates.folder()),
        "no certificate for coordinator,metrics", "aob certs renew --role coordinator,metrics", 3,
    )  # fmt: skip
    begun(ground, of_each, "serve", "coordinator,metrics", "--peers", NOWHERE)


@pytest.mark.parametrize("case", ASKING, ids=lambda case: case.name.replace(" ", "-"))
def test_an_api_that_is_set_up_wrongly_does_not_start(ground: Ground, case: Case) -> None:
    begun(ground, case, "serve", "api", "--coordinator", NOWHERE)
