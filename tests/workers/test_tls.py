"""The gRPC port over TLS: with a certificate of `aob certs`, which is renewed while it serves."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

import aob
from aob.compose.network import init, renew
from aob.compose.settings import Settings
from aob.compose.workers.certificate import Followed, files_of
from aob.core.errors import Invalid
from tests.runs.home import chain
from tests.workers.client import Client
from tests.workers.home import HANDLERS, echo, key_of, where


def now() -> datetime:
    return datetime.now(UTC)


def serial(address: str, authority: Path) -> str:
    """Of the certificate that a new connection meets."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)), ca_certs=str(authority), timeout=10)


async def test_a_certificate_that_is_renewed_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    init(folder, [["api"]], ["localhost", "127.0.0.1"], now())
    file = str(folder / "api.pem")
    async with aob.open(tmp_path / "home", grpc_port=0, grpc_cert=file, grpc_key=file) as app:
        address, roots = where(app), (folder / "ca.pem").read_bytes()
        assert app.shared.gateway is not None
        assert app.shared.gateway.health()["workers"] == f"grpcs://{address}"
        async with Client(address, await key_of(app), echo, handlers=HANDLERS, roots=roots) as client:
            await client.attached.wait()
            await app.push(chain("c", "work"))
            assert (await (await app.start("c", 1)).done())["output"] == 1
            before = await asyncio.to_thread(serial, address, folder / "ca.pem")
            renew(folder, [["api"]], [], now())
            after = await asyncio.to_thread(serial, address, folder / "ca.pem")
            assert after != before
            assert (await (await app.start("c", 2)).done())["output"] == 2, "the stream before goes on"
            (folder / "api.pem").write_text("no certificate")
            assert await asyncio.to_thread(serial, address, folder / "ca.pem") == after, "the last good one"


def test_without_files_that_are_named_it_is_one_of_aob_certs_and_only_on_loopback_none(tmp_path: Path) -> None:
    everywhere = "0.0.0.0"
    assert files_of(Settings(grpc_port=0), tmp_path) is None
    with pytest.raises(Invalid) as error:
        files_of(Settings(grpc_port=0, host=everywhere), tmp_path)
    assert error.value.problems[0].code == "worker_needs_tls"
    init(tmp_path / "certs", [["coordinator"]], ["localhost"], now())
    path = tmp_path / "certs" / "coordinator.pem"
    assert files_of(Settings(grpc_port=0, host=everywhere), tmp_path) == (path, path)
    assert Followed(path, path)().chain.startswith(b"-----BEGIN CERTIFICATE")
    with pytest.raises(Invalid, match="half of a certificate"):
        files_of(Settings(grpc_port=0, grpc_cert="x.pem"), tmp_path)
    with pytest.raises(Invalid, match="cannot be read"):
        Followed(tmp_path / "none.pem", tmp_path / "none.pem")
