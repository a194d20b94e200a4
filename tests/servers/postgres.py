"""One Postgres server for a whole test run, over all its processes. The first that wants it starts a keeper, which
ends server and data as soon as the run's main process is gone, also after a kill.

It compares texts by ICU's en-US on purpose: what relies on the order of bytes has to say so (`collate "C"`)."""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.servers.ports import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
OWNER: Final = "owner"
READY_S: Final = 60.0
STEP_S: Final = 0.02
OFF: Final = "AOB_TEST_SERVERS"
"""The variable that is `off` when a run is to start no servers (make test FAST=1)."""
RUN: Final = "AOB_TEST_RUN"
"""The variable that names a run by its main process, for all its processes."""
BINARIES: Final = "AOB_POSTGRES_BIN"
"""The variable that names the folder with `postgres` and `initdb`, where they are not found by themselves."""
TUNED: Final = {
    "listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "2GB",
    "checkpoint_timeout": "1h", "max_locks_per_transaction": "512", "log_min_messages": "fatal", "jit": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "autovacuum_naptime": "10min",
}  # fmt: skip


class NoServerError(Exception):
    """No server is installed, or none is wanted; the text says why."""


class BrokenServerError(Exception):
    """A server is installed and does not start: a test fails by it and is not left out. The text is what it said."""


class Account(NamedTuple):
    """The account that a server runs under: it refuses to run as root."""

    user: int
    group: int

    def begin(self, words: Sequence[str], **more: object) -> subprocess.Popen[bytes]:
        """Start a process under this account, in a session of its own: the keys of a terminal do not reach it."""
        other: dict[str, object] = {}
        if os.geteuid() == 0:
            other = {"user": self.user, "group": self.group, "extra_groups": []}
        return subprocess.Popen(words, start_new_session=True, **other, **more)  # type: ignore[call-overload, no-any-return]


def account() -> Account:
    """`postgres` or `nobody` when this is root, else whoever this is."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(found.pw_uid, found.pw_gid)
    raise NoServerError("this is root, and there is no user postgres or nobody to run a server")


def binaries() -> Path:
    """The folder of the newest server that is installed. Raises NoServerError."""
    if os.environ.get(OFF) == "off":
        raise NoServerError(f"no servers in this run ({OFF}=off, as make test FAST=1 sets it)")
    folders = [Path(os.environ[BINARIES])] if os.environ.get(BINARIES) else []
    found = shutil.which("postgres")
    folders += [Path(found).resolve().parent] if found else []
    versions = Path("/usr/lib/postgresql").glob("[0-9]*")
    folders += [each / "bin" for each in sorted(versions, key=lambda path: int(path.name), reverse=True)]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise NoServerError(f"no Postgres server is installed (apt-get install postgresql), and {BINARIES} names none")


class Server:
    """A server on a folder of its own. `settings` are given at start, and may be changed before another."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = {}) -> None:
        self.folder, self.data, self.settings = folder, folder / "data", {**TUNED, **settings}
        self.port, self.password = free_port(), secrets.token_hex(8)
        self._account, self._bin = account(), binaries()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the owner, a superuser."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process of the server."""
        assert self._process is not None
        return self._process.pid

    def make(self) -> None:
        """Make the folder of the data, whatever this process keeps from new files. Raises BrokenServerError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        password = self.folder / "password"
        password.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, password):
                os.chown(path, self._account.user, self._account.group)
        words = [
            str(self._bin / "initdb"), "-D", str(self.data), "-U", OWNER, "--pwfile", str(password), "--no-sync",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu",
            "--icu-locale=en-US", "--no-instructions",
        ]  # fmt: skip
        done = self._account.begin(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder)
        said, _ = done.communicate()
        password.unlink()
        if done.returncode:
            raise BrokenServerError(f"initdb failed: {said.decode(errors='replace')[-500:]}")

    def start(self) -> None:
        """Start it and wait until it listens. Raises BrokenServerError with what it said."""
        words = [str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port), "-k", str(self.folder)]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]
        log = self.folder / "log"
        with log.open("ab") as out:
            self._process = self._account.begin(words, stdout=out, stderr=out, cwd=self.folder)
        until = time.monotonic() + READY_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise BrokenServerError(f"the server did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(STEP_S)

    def _listens(self) -> bool:
        """Whether it takes part in the protocol: it answers the question for TLS with yes or no."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
                one.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
                return one.recv(1) in (b"S", b"N") and (self.data / "postmaster.pid").read_text().count("ready") > 0
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: at once, or with SIGINT in good order. Stopping twice is fine."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
        if self._process is not None:
            self._process.wait()

    def remove(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def server(settings: Mapping[str, str] = {}) -> Iterator[Server]:
    """A server of one's own, for a test that stops it or sets it up badly."""
    one = Server(Path(tempfile.mkdtemp(prefix="aob-pg-")), settings)
    try:
        one.make()
        one.start()
        yield one
    finally:
        one.remove()


def name_run() -> None:
    """Name this run and its main process, for the processes that it starts. The first call of a run counts."""
    os.environ.setdefault(RUN, f"{os.getpid()}-{time.monotonic_ns()}")


def folder_of(env: Mapping[str, str]) -> Path:
    """Where the server of a run lies."""
    return Path(tempfile.gettempdir()) / f"aob-test-{os.getuid()}-{env[RUN]}"


def started_in(env: Mapping[str, str]) -> dict[str, float]:
    """The servers that a run has started, and how many seconds each took."""
    took = folder_of(env) / "took"
    return {"postgres": float(took.read_text())} if RUN in env and took.exists() else {}


def shared() -> str:
    """The URL of the server of this run, started by the first that asks. Raises NoServerError, BrokenServerError."""
    binaries()
    folder = folder_of(os.environ)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # the server's account goes through it, also when this process keeps new folders to itself
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = folder / "url"
        if not told.exists():
            begun = time.monotonic()
            url = begin_keeper(folder, int(os.environ[RUN].partition("-")[0]))
            told.write_text(url if url.startswith("postgresql:") else f"why: {url or 'the keeper ended'}")
            (folder / "took").write_text(f"{time.monotonic() - begun:.1f}")
        url = told.read_text()
    if url.startswith("why: "):
        raise BrokenServerError(url[5:])
    return url


def shared_pid() -> int:
    """The process of the server that `shared` has started."""
    return int((folder_of(os.environ) / "server" / "data" / "postmaster.pid").read_text().split()[0])


def begin_keeper(folder: Path, main: int) -> str:
    """Start a keeper, which outlives this process and holds nothing of it; the URL of its server, or why there is
    none."""
    words = [sys.executable, "-m", "tests.servers.postgres", str(folder), str(main)]
    with (
        (folder / "keeper").open("wb") as told,
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told, start_new_session=True, cwd=ROOT
        ) as keeper,
    ):
        assert keeper.stdout is not None
        url = keeper.stdout.readline().decode().strip()
        keeper.stdout.close()
        keeper.returncode = 0  # nobody waits for it
    return url


def keep(folder: Path, main: int) -> None:
    """Start a server, tell its URL, and end it with everything when the process `main` is gone."""
    born = birth(main)
    one: Server | None = None
    try:
        one = Server(folder / "server")
        one.make()
        one.start()
        print(one.url, flush=True)
        wait_for_end(main, born)
    except (NoServerError, BrokenServerError) as why:
        print(" ".join(str(why).split()), flush=True)
        wait_for_end(main, born)  # why there is none lies in the folder, for all that ask
    finally:
        if one is not None:
            one.remove()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_end(process: int, born: str) -> None:
    """Wait until a process is gone."""
    while birth(process) == born:
        time.sleep(0.1)


def birth(process: int) -> str:
    """When a process began, as a text that no later process of this number has; empty when it is gone."""
    try:
        if Path("/proc/self/stat").exists():
            told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            return "" if told[0] in "ZX" else told[19]  # ended, and not waited for
        os.kill(process, 0)
    except OSError:
        return ""
    return "alive"


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
