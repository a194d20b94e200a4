"""Where a worker attaches: what `--url`, the environment and the home say, and what is refused."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("grpc")

from aob.cli import gateway
from aob.cli.gateway import find_target
from aob.core.errors import AobError


class Health(BaseHTTPRequestHandler):
    """Answers as the health of a home does."""

    body: bytes = b"{}"
    status = 200

    wants = ""

    def do_GET(self) -> None:
        if self.wants and self.headers["X-API-Key"] != self.wants:
            type(self).body = b'{"status":"ok","store":{"status":"ok"}}'
        self.send_response(self.status if self.path == "/v1/health" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@pytest.fixture
def health() -> Iterator[tuple[str, type[Health]]]:
    made = type("Made", (Health,), {})
    server = HTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", made
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_http_address_of_a_home_tells_the_other(health: tuple[str, type[Health]], tmp_path: Path) -> None:
    url, home = health
    home.body = b'{"workers":"127.0.0.1:7700"}'
    target = await find_target(url, tmp_path, {"AOB_API_KEY": "k"})
    assert (target.address, target.tls, target.url, target.key) == ("127.0.0.1:7700", False, url, "k")
    assert "k" not in repr(target).split()
    home.body = b'{"workers":"grpcs://0.0.0.0:7700"}'
    told = await find_target(url, tmp_path, {})
    assert (told.address, told.tls) == ("127.0.0.1:7700", True), "TLS where the home says so, on this machine too"
    home.body = b'{"workers":"0.0.0.0:7700"}'
    assert (await find_target(None, tmp_path, {"AOB_URL": url})).address == "127.0.0.1:7700"
    home.body = b'{"workers":"db.example:7700"}'
    assert (await find_target(url, tmp_path, {})).tls


async def test_a_home_tells_it_to_whom_has_a_key(health: tuple[str, type[Health]], tmp_path: Path) -> None:
    url, home = health
    home.wants, home.body = "secret", b'{"status":"ok","position":"kg","workers":"127.0.0.1:7700"}'
    assert (await find_target(url, tmp_path, {"AOB_API_KEY": "secret"})).address == "127.0.0.1:7700"
    with pytest.raises(AobError) as refused:
        await find_target(url, tmp_path, {"AOB_API_KEY": "another"})
    assert "AOB_API_KEY" in refused.value.hint
    home.wants, home.body = "", b'{"status":"ok","position":"kg"}'  # to a key of another role, or where no port is
    with pytest.raises(AobError) as refused:
        await find_target(url, tmp_path, {"AOB_API_KEY": "secret"})
    assert all(each in refused.value.hint for each in ("--role work", "AOB_GRPC_PORT"))
    home.body = b'{"status":"ok","position":"kg","epoch":1}'  # to an admin
    with pytest.raises(AobError, match="takes no workers") as refused:
        await find_target(url, tmp_path, {"AOB_API_KEY": "secret"})
    assert "--role work" not in refused.value.hint


async def test_a_key_does_not_go_to_another_machine_in_plain_text(
    health: tuple[str, type[Health]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, home = health
    home.wants = "secret"
    monkeypatch.setattr(gateway, "_is_loopback", lambda host: False)
    with pytest.raises(AobError) as refused:
        await find_target(url, tmp_path, {"AOB_API_KEY": "secret"})
    assert "https://" in refused.value.hint


async def test_the_key_of_a_home_is_for_this_machine(health: tuple[str, type[Health]], tmp_path: Path) -> None:
    url, home = health
    home.body = b'{"workers":"127.0.0.1:7700"}'
    (tmp_path / "key").write_text("own\n")
    assert (await find_target("grpc://127.0.0.1:1", tmp_path, {})).key == "own"
    assert (await find_target("grpcs://workers.example:1", tmp_path, {})).key == ""
    (tmp_path / "server.json").write_bytes(msgspec.json.encode({"url": url, "pid": 1}))
    assert (await find_target(None, tmp_path, {})).key == "own"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(200, b"{}", "no_workers_here"), (200, b"hello", "no_workers_here"), (404, b"", "no_workers_here"),
     (503, b"{}", "no_server")],
)  # fmt: skip
async def test_what_takes_no_workers_is_told_from_what_is_not_there_yet(
    health: tuple[str, type[Health]], tmp_path: Path, status: int, body: bytes, code: str
) -> None:
    url, home = health
    home.status, home.body = status, body
    with pytest.raises(AobError) as refused:
        await find_target(url, tmp_path, {})
    assert refused.value.code == code


async def test_a_home_in_trouble_still_tells_where_workers_go(health: tuple[str, type[Health]], tmp_path: Path) -> None:
    url, home = health
    home.status, home.body = 503, b'{"workers":"127.0.0.1:7700"}'
    assert (await find_target(url, tmp_path, {})).address == "127.0.0.1:7700"


@pytest.mark.parametrize("url", ["7700", "grpc://", "http:///x", "grpc://h:99999999", "grpc://example.org:7700"])
async def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(AobError) as refused:
        await find_target(url, tmp_path, {})
    assert refused.value.status == 422
