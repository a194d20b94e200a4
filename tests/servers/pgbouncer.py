"""A PgBouncer before a server, in a mode of pooling; on a free port of 127.0.0.1, under an account that is not root."""

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.servers.ports import free_port
from tests.servers.postgres import READY_S, STEP_S, BrokenServerError, NoServerError, account

FOUND: Final = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"


@contextlib.contextmanager
def pooler(
    url: str, mode: str = "transaction", size: int = 2, users: tuple[tuple[str, str], ...] = ()
) -> Iterator[str]:
    """The URL that goes through it instead of to the server; its users are those of the URL and `users`."""
    if not Path(FOUND).exists():
        raise NoServerError("no PgBouncer is installed (apt-get install pgbouncer)")
    parts, port, who = urlsplit(url), free_port(), account()
    folder = Path(tempfile.mkdtemp(prefix="aob-pooler-"))
    known = ((parts.username or "", parts.password or ""), *users)
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, password in known))
    (folder / "ini").write_text(f"""
[databases]
* = host={parts.hostname} port={parts.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
logfile = {folder}/log
""")
    if os.geteuid() == 0:
        for path in (folder, folder / "users", folder / "ini"):
            os.chown(path, who.user, who.group)
    process = who.begin([FOUND, "-q", str(folder / "ini")], cwd=folder)
    try:
        until = time.monotonic() + READY_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise BrokenServerError(f"PgBouncer did not start: {(folder / 'log').read_text()[-500:]}")
            time.sleep(STEP_S)
        yield url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
