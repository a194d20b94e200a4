"""A client of a server behind TLS on this machine: whom it trusts is what the environment names, and what does not fit
is told with the line that helps."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aob.cli.gateway import find_target
from aob.client import AsyncClient
from aob.compose.network import init
from aob.core.errors import Invalid, Malformed, Unavailable
from tests.server.fake import SECRET


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    init(tmp_path / "certs", [["api"]], ["localhost"], datetime.now(UTC))
    return tmp_path / "certs"


@asynccontextmanager
async def edge(url: str, certs: Path) -> AsyncIterator[str]:
    """An address that ends TLS before a server, as an edge does."""
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(certs / "api.pem")
    at = urlsplit(url)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(at.hostname, at.port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=secure) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def test_the_file_of_the_environment_says_whom_it_trusts_on_this_machine_too(
    url: str, certs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with edge(url, certs) as outside:
        async with AsyncClient(outside, SECRET) as aob:
            with pytest.raises(Unavailable) as caught:
                await aob.health()
        assert (caught.value.code, "SSL_CERT_FILE" in caught.value.hint) == ("no_server", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certs / "ca.pem"))
        async with AsyncClient(outside, SECRET) as aob:
            assert (await aob.health())["status"] == "ok"


@pytest.mark.parametrize(
    ("host", "days", "says"),
    [("127.0.0.1", 0, "--host 127.0.0.1"), ("localhost", -100, "renew"), ("localhost", 2, "clocks")],
)
async def test_what_else_is_wrong_with_a_certificate_is_not_laid_to_its_authority(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, says: str
) -> None:
    init(tmp_path, [["api"]], ["localhost"], datetime.now(UTC) + timedelta(days=days))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with edge(url, tmp_path) as outside, AsyncClient(outside.replace("localhost", host), SECRET) as aob:
        with pytest.raises(Unavailable) as caught:
            await aob.health()
        assert (says in caught.value.hint, "SSL_CERT_FILE" in caught.value.hint) == (True, False)
        with pytest.raises(Invalid) as refused:
            await find_target(outside.replace("localhost", host), tmp_path, {}, str(tmp_path / "ca.pem"))
        assert (says in refused.value.hint, "authority" in refused.value.detail) == (True, False)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_names_nobody_is_told(content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(Malformed) as caught:
        AsyncClient("https://127.0.0.1:1")
    assert (caught.value.code, str(file) in str(caught.value)) == ("bad_authorities", True)


async def test_the_other_scheme_is_named_where_the_server_speaks_that(url: str, certs: Path) -> None:
    async with AsyncClient(url.replace("http:", "https:"), SECRET) as aob:
        with pytest.raises(Unavailable) as caught:
            await aob.health()
    assert f"http://{urlsplit(url).netloc}" in caught.value.hint
    async with edge(url, certs) as outside, AsyncClient(outside.replace("https:", "http:"), SECRET) as aob:
        with pytest.raises(Unavailable) as caught:
            await aob.health()
    assert f"https://{urlsplit(outside).netloc}" in caught.value.hint
