"""The folder of a cluster: its passwords, keys and ports, which stay from one start to the next; who runs in it; and
where Postgres may keep its data."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tests.servers.postgres import Account, NoServerError, account, birth

STATE: Final = "cluster.json"
PIDS: Final = "pids.json"
LOCK: Final = "lock"
PORTS: Final = range(20_000, 32_000)
"""Below those that connections take for themselves: a port of ours stays free while its process is away."""
LEFT_S_MAX: Final = 5.0


class InUseError(Exception):
    """Another cluster runs in the folder."""


class State(msgspec.Struct):
    """What stays: ports by name, and what is secret."""

    ports: dict[str, int] = {}
    owner_password: str = msgspec.field(default_factory=lambda: secrets.token_hex(12))
    service_password: str = msgspec.field(default_factory=lambda: secrets.token_hex(12))
    admin_key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    worker_key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    executor_key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(24))
    master_key: str = msgspec.field(default_factory=lambda: b64encode(secrets.token_bytes(32)).decode())


class Folder:
    """The folder of one cluster, held while entered by `taken`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.state = State()
        self._given: set[str] = set()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold it. What an earlier holder left running, killed itself, is ended. Raises InUseError."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InUseError(f"another `make cluster` runs in {self.path}: end it with Ctrl-C there") from error
            self._end_left()
            with contextlib.suppress(FileNotFoundError):
                self.state = msgspec.json.decode((self.path / STATE).read_bytes(), type=State)
            yield

    def save(self) -> None:
        """Write what stays, for the owner's eyes only."""
        _written(self.path / STATE, msgspec.json.format(msgspec.json.encode(self.state)))

    def note(self, pids: dict[int, str]) -> None:
        """Write which processes run, with when each began, for whoever comes after a kill."""
        _written(self.path / PIDS, msgspec.json.encode({str(pid): born for pid, born in pids.items()}))

    def port(self, name: str) -> int:
        """The port of this name: the one of last time if it is free when first asked for."""
        known = self.state.ports.get(name, 0)
        if name in self._given:
            return known
        self._given.add(name)
        if not (known and _is_free(known)):
            taken = set(self.state.ports.values())
            first = int(hashlib.sha256(f"{self.path}{name}".encode()).hexdigest()[:8], 16)
            tried = (PORTS[(first + step) % len(PORTS)] for step in range(len(PORTS)))
            known = next(port for port in tried if port not in taken and _is_free(port))
        self.state.ports[name] = known
        return known

    def database(self, account: Account) -> Path:
        """Where the server keeps its data: here, or, where its account cannot come in here, beside other such data."""
        self.path.mkdir(parents=True, exist_ok=True)
        open_to_all = all(each.stat().st_mode & 0o001 for each in (self.path, *self.path.parents))
        if os.geteuid() != 0 or account.user == 0 or open_to_all:
            return self.path / "postgres"
        return Path("/var/tmp") / f"aob-cluster-{hashlib.sha256(str(self.path).encode()).hexdigest()[:12]}"

    def remove(self) -> None:
        """Remove it with the data of the server, wherever that is. Nothing runs in it any more."""
        with contextlib.suppress(NoServerError):
            shutil.rmtree(self.database(account()), ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _end_left(self) -> None:
        try:
            left = msgspec.json.decode((self.path / PIDS).read_bytes(), type=dict[str, str])
        except (FileNotFoundError, msgspec.MsgspecError):
            return
        mine = [int(pid) for pid, born in left.items() if born and birth(int(pid)) == born]
        for how in (signal.SIGTERM, signal.SIGKILL):
            for pid in mine:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, how)
            until = time.monotonic() + LEFT_S_MAX
            while mine and time.monotonic() < until:
                mine = [pid for pid in mine if birth(pid) == left[str(pid)]]
                time.sleep(0.05)


def _written(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
