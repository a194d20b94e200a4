"""The table of the processes of a cluster. In: how many of each, the folder with its ports and keys. Out: a row a
process, in the order in which they may begin; whatever is begun waits by itself for what it needs."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.servers.postgres import TUNED, account, binaries
from tools.cluster.folder import Folder
from tools.cluster.process import Spec

ROOT: Final = Path(__file__).resolve().parents[2]
APP: Final = ROOT / "examples" / "order" / "handlers.py"
EDGE: Final = ROOT / "deploy" / "edge" / "haproxy.cfg"
EDGE_STARTS: Final = 100_000
"""Starts of one workflow in 10 s: this edge has one user."""
READS: Final = 100_000
SETTINGS: Final = "settings"
"""The folder whose files every home of the cluster gets: `aob.toml`, `scripts/`."""
SCHEMA: Final = "aob"
SERVICE: Final = "aob"
LOOPBACK: Final = "127.0.0.1"
COMMAND: Final = (sys.executable, "-m", "aob.cli")
POSTGRES: Final = {
    **TUNED, "log_min_messages": "warning", "checkpoint_timeout": "5min", "autovacuum_naptime": "1min",
    "max_connections": "300",
}  # fmt: skip


class Wishes(NamedTuple):
    """How many of each role, and the handlers of the workers."""

    coordinators: int = 2
    workers: int = 2
    apis: int = 2
    metrics: bool = True
    fanouts: int = 1
    shards: int = 16
    lease_s: float = 10
    """After so long the shards of a member that was killed are taken by others."""
    app: Path = APP
    edge: bool = True
    more: Mapping[str, str] = {}
    """Further variables of every process."""
    command: tuple[str, ...] = COMMAND
    """What `aob` is."""
    executors: int = 1
    """Who perform the built-in kinds."""
    agents: int = 0
    """Who handle the records of the agents of `agents_app`, which the members know then."""
    agents_app: Path | None = None


TWO_OF_EACH: Final = Wishes()


class Plan:
    """The rows of one cluster. `database` is where its processes find Postgres: a proxy may stand there."""

    def __init__(self, folder: Folder, wishes: Wishes) -> None:
        self.folder, self.wishes = folder, wishes
        self.database = f"{LOOPBACK}:{folder.port('postgres')}"
        self.haproxy = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        self.database_of: dict[str, str] = {}
        """The address of Postgres for a process, by its name, where it is another one."""
        self.gateway_of: dict[str, int] = {}
        """The port where a worker attaches, by its name, where it is another one."""

    @property
    def owner_url(self) -> str:
        """The URL of the owner of the database, at the server itself."""
        password = self.folder.state.owner_password
        return f"postgresql://owner:{password}@{LOOPBACK}:{self.folder.port('postgres')}/postgres?schema={SCHEMA}"

    @property
    def url(self) -> str:
        """Where people come in: the edge, else the first API."""
        return f"https://localhost:{self.folder.port('edge')}" if self._has_edge() else self.api_url(1)

    def api_url(self, number: int) -> str:
        """The address of an API process."""
        return self.front_url(f"api-{number}")

    def front_url(self, name: str) -> str:
        """The address of a process that callers come to."""
        return f"http://{LOOPBACK}:{self.folder.port(name)}"

    def postgres(self) -> Spec:
        """The server of the database. Raises NoServerError when there is none on this machine."""
        who, port = account(), self.folder.port("postgres")
        data = self.folder.database(who) / "data"
        words = [str(binaries() / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data.parent)]
        for name, value in POSTGRES.items():
            words += ["-c", f"{name}={value}"]
        return Spec(
            "postgres", "database", tuple(words), _bare(), f"{data / 'postmaster.pid'}|ready",
            f"{LOOPBACK}:{port}", signal.SIGINT, who,
        )  # fmt: skip

    def names(self) -> list[str]:
        """The names of all processes but the server of the database."""
        return [spec.name for spec in self.rows()]

    def opens_database(self, name: str) -> bool:
        """Whether a process of this name opens the database."""
        return name in self.members()

    def gateway_port(self, name: str) -> int:
        """The port where a worker of this name attaches; 0 for what is no worker."""
        role, _, number = name.partition("-")
        worker = role in ("worker", "executor", "agents")
        return self.folder.port(f"api-{(int(number) - 1) % self.wishes.apis + 1}-grpc") if worker else 0

    def rows(self) -> Iterator[Spec]:
        """Every process but the server of the database."""
        for name in self.members():
            yield self._member(name)
        for number in range(1, self.wishes.apis + 1):
            yield self._front("api", number)
        for number in range(1, self.wishes.fanouts + 1):
            yield self._front("fanout", number)
        for number in range(1, self.wishes.workers + 1):
            yield self._worker(number)
        for number in range(1, self.wishes.executors + 1):
            yield self._executor(number)
        for number in range(1, self.wishes.agents + 1):
            yield self._agents(number)
        if self._has_edge():
            yield self._edge()

    def home(self, name: str) -> Path:
        """The folder of a process with the settings of the cluster; larger blobs lie in one folder for all."""
        home, blobs = self.folder.path / name, self.folder.path / "blobs"
        home.mkdir(mode=0o700, exist_ok=True)
        blobs.mkdir(mode=0o700, exist_ok=True)
        if not (home / "blobs").is_symlink():
            (home / "blobs").symlink_to(blobs)
        if (self.folder.path / SETTINGS).is_dir():
            shutil.copytree(self.folder.path / SETTINGS, home, dirs_exist_ok=True)
        return home

    def _has_edge(self) -> bool:
        return self.wishes.edge and self.haproxy is not None

    def bare(self, name: str) -> dict[str, str]:
        """The variables of any process of the platform: what was wished for, and what it is called."""
        return {**_bare(), **self.wishes.more, "CLUSTER_PROCESS": name}

    def env(self, name: str) -> dict[str, str]:
        """The variables of a process that may open the database."""
        state = self.folder.state
        keys = f"admin:{state.admin_key}:admin,worker:{state.worker_key}:work"
        keys += f",executor:{state.executor_key}:work+execute"
        database = self.database_of.get(name, self.database)
        return {
            **self.bare(name), "AOB_STORE": f"postgresql://{SERVICE}@{database}/postgres?schema={SCHEMA}",
            "AOB_STORE_PASSWORD": state.service_password, "AOB_API_KEYS": keys, "AOB_MASTER_KEY": state.master_key,
            "AOB_CERTS": str(self.folder.path / "certs"), "AOB_PUBLIC_URL": self.url,
            "AOB_RATE_LIMIT_RPM": str(READS), "AOB_TENANT_RATE_LIMIT_RPM": str(READS),
        }  # fmt: skip

    def members(self) -> list[str]:
        """The names of those that own shards."""
        names = [f"coordinator-{number}" for number in range(1, self.wishes.coordinators + 1)]
        return names + ["metrics-1"] * self.wishes.metrics

    def _member(self, name: str) -> Spec:
        role, peers = name.partition("-")[0], f"{LOOPBACK}:{self.folder.port(name)}"
        port, grpc = self.folder.port(f"{name}-http"), self.folder.port(f"{name}-grpc")
        words = ["serve", role, "--home", str(self.home(name)), "--port", str(port), "--peers", peers]
        if self.wishes.agents_app is not None:
            words += ["--app", str(self.wishes.agents_app)]
        env = {**self.env(name), "AOB_GRPC_PORT": str(grpc), "AOB_LEASE_S": str(self.wishes.lease_s)}
        return Spec(
            name, role, (*self.wishes.command, *words), env, f"http://{LOOPBACK}:{port}/health/ready", peers
        )  # fmt: skip

    def _front(self, role: str, number: int) -> Spec:
        name = f"{role}-{number}"
        words = ["serve", role, "--home", str(self.home(name)), "--port", str(self.folder.port(name))]
        for member in self.members():
            words += ["--coordinator", f"{LOOPBACK}:{self.folder.port(member)}"]
        env = {each: value for each, value in self.env(name).items() if not each.startswith("AOB_STORE")}
        if role == "api":
            env["AOB_GRPC_PORT"] = str(self.folder.port(f"{name}-grpc"))
        url = self.front_url(name)
        return Spec(name, role, (*self.wishes.command, *words), env, f"{url}/health/ready", url)

    def _worker(self, number: int) -> Spec:
        name = f"worker-{number}"
        url = f"grpc://{LOOPBACK}:{self.gateway_of.get(name) or self.gateway_port(name)}"
        words = ("worker", str(self.wishes.app), "--url", url, "--name", name, "--json")
        env = {**self.bare(name), "AOB_API_KEY": self.folder.state.worker_key}
        return Spec(name, "worker", (*self.wishes.command, *words), env, '"event":"connected"', "")

    def _executor(self, number: int) -> Spec:
        name = f"executor-{number}"
        url = f"grpc://{LOOPBACK}:{self.gateway_of.get(name) or self.gateway_port(name)}"
        words = ("serve", "worker", "--url", url, "--home", str(self.home(name)), "--name", name, "--json")
        reads = ("AOB_STORE", "AOB_STORE_PASSWORD", "AOB_MASTER_KEY")
        stored = {each: value for each, value in self.env(name).items() if each in reads}
        env = {**self.bare(name), **stored, "AOB_API_KEY": self.folder.state.executor_key}
        return Spec(name, "executor", (*self.wishes.command, *words), env, '"event":"connected"', "")

    def _agents(self, number: int) -> Spec:
        name = f"agents-{number}"
        url = f"grpc://{LOOPBACK}:{self.gateway_of.get(name) or self.gateway_port(name)}"
        words = ("serve", "agents", str(self.wishes.agents_app), "--url", url, "--name", name, "--json")
        env = {**self.bare(name), "AOB_API_KEY": self.folder.state.worker_key}
        return Spec(name, "agents", (*self.wishes.command, *words), env, '"event":"connected"', "")

    def _edge(self) -> Spec:
        fronts = {"api": self.wishes.apis, "fanout": self.wishes.fanouts}
        behind = {
            f"AOB_{role.upper()}_{number}": self.front_url(f"{role}-{number}").removeprefix("http://")
            for role, count in fronts.items() for number in range(1, count + 1)
        }  # fmt: skip
        env = {
            **_bare(), **behind, "AOB_EDGE_BIND": f"{LOOPBACK}:{self.folder.port('edge')}",
            "AOB_EDGE_CERT": str(self.folder.path / "certs" / "api.pem"), "AOB_EDGE_STARTS": str(EDGE_STARTS),
        }  # fmt: skip
        words = (self.haproxy or "", "-db", "-f", str(EDGE))
        return Spec("edge", "edge", words, env, f"tcp:{self.folder.port('edge')}", self.url)


def _bare() -> dict[str, str]:
    """The variables of this process without those of AOB and of Postgres: they are of whoever typed the command."""
    return {
        name: value for name, value in os.environ.items()
        if not name.startswith(("AOB_", "AGENTFLOW_", "PG")) or name == "AOB_POSTGRES_BIN"
    }  # fmt: skip
