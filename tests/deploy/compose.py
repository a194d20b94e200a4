"""A Compose file held against the code: what it starts, with which words, variables, ports and paths."""

import contextlib
import io
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aob.backends.postgres.address import read_address
from aob.cli.parser import parse
from aob.compose.network.identity import ROLES
from aob.compose.settings import FROM_ENVIRONMENT, VARIABLES
from aob.server.routes.public import HEALTH

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "deploy" / "compose"
EDGE: Final = ROOT / "deploy" / "edge" / "haproxy.cfg"
USED: Final = re.compile(r"\$\{(\w+)(?::[?-][^}]*)?\}")
OURS: Final = frozenset({*VARIABLES, *(name for name in FROM_ENVIRONMENT.values()), "AOB_API_KEYS", "AOB_STORE_OWNER"})
OF_WORKERS: Final = frozenset({"AOB_API_KEY", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"})
OF_EDGES: Final = frozenset(re.findall(r'"\$\{(\w+)\}"', EDGE.read_text()))
OF_POSTGRES: Final = frozenset({"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"})
PROBE: Final = re.compile(r"urlopen\('http://127\.0\.0\.1:(\d+)(/[\w/]+)', timeout=\d\)")

ONCE: Final = re.compile(r"test -f /certs/ca\.pem \|\| exec aob (certs init --certs /certs .*)")
COPIED: Final = frozenset(re.findall(r"^COPY \S+ (/app/\S+)$", (FOLDER / "Dockerfile").read_text(), re.M))
SHARED: Final = ("AOB_CERTS", "AOB_MASTER_KEY", "AOB_API_KEYS", "AOB_PUBLIC_URL")
NEEDED: Final = {
    "worker": tuple(OF_WORKERS), "executor": (*OF_WORKERS, "AOB_STORE", "AOB_STORE_PASSWORD", "AOB_MASTER_KEY"),
    "db": ("AOB_STORE", "AOB_STORE_PASSWORD", "AOB_STORE_OWNER"),
    "coordinator": (*SHARED, "AOB_STORE", "AOB_STORE_PASSWORD", "AOB_GRPC_PORT", "AOB_GRPC_CERT", "AOB_GRPC_KEY"),
    "metrics": (*SHARED, "AOB_STORE", "AOB_STORE_PASSWORD", "AOB_GRPC_PORT", "AOB_GRPC_CERT", "AOB_GRPC_KEY"),
    "api": (*SHARED, "AOB_GRPC_PORT", "AOB_GRPC_CERT", "AOB_GRPC_KEY"), "fanout": SHARED, "certs": (),
}  # fmt: skip
"""The variables that a process of ours cannot do without, by its role."""

Service = Mapping[str, Any]


@cache
def meant(words: tuple[str, ...]) -> Namespace | None:
    """What a command line means, None when it is refused."""
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        return parse(words)
    return None


class Checked:
    """`problems` are what does not fit, each with its service."""

    def __init__(self, document: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self.services: Mapping[str, Service] = document["services"]
        self.volumes = set(document.get("volumes", {}))
        self._values = values
        self.commands = {name: command for name, one in self.services.items() if (command := self._command(one))}
        self.problems = [f"{name}: {said}" for name, one in self.services.items() for said in self._said(name, one)]

    def _command(self, one: Service) -> list[str]:
        """The words of ours that a service is started with."""
        if one["image"] != "aob":
            return []
        if one.get("entrypoint") == ["sh", "-c"]:
            line = re.fullmatch(
                r"test -f /certs/ca\.pem \|\| exec aob (certs init --certs /certs .*)", one["command"][0]
            )
            return shlex.split(line[1]) if line else ["other"]
        return list(one["command"])

    def parsed(self, name: str) -> Namespace | None:
        """What the command line means, None when there is no such command."""
        return meant(tuple(self.commands[name]))

    def _said(self, name: str, one: Service) -> Iterator[str]:
        for other, how in one.get("depends_on", {}).items():
            if other not in self.services:
                yield f"waits for {other}, which is no service"
            elif how["condition"] == "service_healthy" and "healthcheck" not in self.services[other]:
                yield f"waits for the health of {other}, which tells none"
        yield from self._volumes(one)
        env = self.filled(one)
        known = OURS if one["image"] == "aob" else OF_EDGES if "haproxy" in one["image"] else OF_POSTGRES
        words = self.commands.get(name, [""])
        if words[0] == "worker" or words[:2] == ["serve", "worker"]:
            known = OF_WORKERS if words[0] == "worker" else known | OF_WORKERS
        yield from (f"the variable {each} is read by nothing" for each in env if each not in known)
        if name in self.commands:
            yield from self._ours(name, one, env)
        elif "haproxy" in one["image"]:
            yield from self._edge(one, env)
        elif one["healthcheck"]["test"] != ["CMD", "pg_isready", "-U", env["POSTGRES_USER"], "-d", env["POSTGRES_DB"]]:
            yield "its health is not that of its database"

    def filled(self, one: Service) -> dict[str, str]:
        """The variables of a service with the values of the example."""
        given = one.get("environment", {})
        return {key: USED.sub(lambda use: self._values.get(use[1], ""), str(value)) for key, value in given.items()}

    def _volumes(self, one: Service) -> Iterator[str]:
        for each in one.get("volumes", ()):
            source = each.partition(":")[0]
            if source.startswith("."):
                if not (FOLDER / source).resolve().exists():
                    yield f"{source} is not there"
            elif source not in self.volumes:
                yield f"the volume {source} is not declared"

    def _mounted(self, one: Service, path: str) -> bool:
        return any(path.startswith(each.split(":")[1] + "/") for each in one.get("volumes", ()))

    def _ours(self, name: str, one: Service, env: Mapping[str, str]) -> Iterator[str]:
        asked = self.parsed(name)
        if asked is None:
            yield f"there is no command `aob {shlex.join(self.commands[name])}`"
            return
        words = self.commands[name]
        role = "executor" if words[:2] == ["serve", "worker"] else words[1] if words[0] == "serve" else words[0]
        yield from (f"it lacks {each}" for each in NEEDED[role] if not env.get(each))
        if not COPIED.issuperset(getattr(asked, "app", ())):
            yield f"the image has no {asked.app}"
        if unknown := (set(asked.roles) if hasattr(asked, "hosts") else set()) - set(ROLES):
            yield f"there are no roles {unknown}"
        if words[0] == "serve" and role != "executor" and f"{role}.pem" not in self._certificates():
            yield "it has no certificate of its role"
        if not env.get("AOB_GRPC_PORT", "0").isdecimal():
            yield "AOB_GRPC_PORT is no port"
        if "AOB_GRPC_PORT" in env and name not in self._named():
            yield "its certificate has another name"
        port, probes = getattr(asked, "port", None), getattr(asked, "probes", None)
        if port is not None or probes is not None:
            *before, code = one["healthcheck"]["test"]
            probe = PROBE.search(code) if before == ["CMD", "python", "-c"] else None
            if probe is None or probe[1] != str(port or probes) or probe[2] not in {route.path for route in HEALTH}:
                yield "its health is asked for elsewhere than it tells it"
        elif "healthcheck" in one:
            yield "it tells nobody of its health"
        if port is not None and asked.host != "0.0.0.0":  # in a container
            yield "nobody reaches it"
        for address in getattr(asked, "coordinators", ()):
            yield from self._reaches(address, "peers")
        if getattr(asked, "peers", "").partition(":")[0] not in ("", "0.0.0.0"):  # in a container
            yield "no other process reaches it"
        if getattr(asked, "advertise", "") and asked.advertise != f"{name}:{asked.peers.rpartition(':')[2]}":
            yield f"it tells others that it is at {asked.advertise}"
        if url := getattr(asked, "url", None):
            yield from self._reaches(urlsplit(url).netloc, "grpc")
            if urlsplit(url).scheme != "grpcs":
                yield "it speaks plain text to another machine"
        for key in ("AOB_STORE", "AOB_STORE_OWNER"):
            if key in env:
                yield from self._database(key, env[key])
        for key, path in env.items():
            if path.startswith("/certs") and not self._mounted(one, path + "/"):
                yield f"{key} names {path}, where nothing is mounted"
            elif path.startswith("/certs/") and path.removeprefix("/certs/") not in self._certificates():
                yield f"{key} names {path}, which is not made"

    def _database(self, key: str, url: str) -> Iterator[str]:
        address, server = urlsplit(url), self.services.get(urlsplit(url).hostname or "")
        if server is None or address.port != 5432 or address.path != f"/{server['environment'].get('POSTGRES_DB')}":
            yield f"{key} names a database that no service has"
        elif key == "AOB_STORE" and url != self.filled(self.services["db"])["AOB_STORE"]:
            yield f"{key} is another one than the one that is made"
        elif key == "AOB_STORE" and read_address(url).schema != "aob":
            yield f"{key} names another schema than the pages do"
        elif key == "AOB_STORE_OWNER" and address.username != server["environment"]["POSTGRES_USER"]:
            yield f"{key} names another user than the owner"

    def _made(self) -> Namespace:
        found = (self.parsed(name) for name in self.commands)
        return next((one for one in found if one and hasattr(one, "hosts")), Namespace(roles=[], hosts=[]))

    def _certificates(self) -> set[str]:
        return {"ca.pem", *(f"{role}.pem" for role in self._made().roles)}

    def _named(self) -> set[str]:
        return set(self._made().hosts)

    def _reaches(self, address: str, what: str) -> Iterator[str]:
        """A service that listens there."""
        host, _, port = address.rpartition(":")
        asked = self.parsed(host) if host in self.commands else None
        if asked is None:
            yield f"it asks {address}, where no service is"
        elif what == "peers" and getattr(asked, "peers", "").rpartition(":")[2] != port:
            yield f"it asks {address}, where {host} has no peers"
        elif what == "grpc" and self.filled(self.services[host]).get("AOB_GRPC_PORT") != port:
            yield f"it asks {address}, where {host} serves no gRPC"
        elif what == "http" and str(getattr(asked, "port", "")) != port:
            yield f"it asks {address}, where {host} serves nothing"

    def _edge(self, one: Service, env: Mapping[str, str]) -> Iterator[str]:
        for key, value in env.items():
            if re.fullmatch(r"AOB_(API|FANOUT)_\d", key):
                yield from self._reaches(value, "http")
        inner = {each.rpartition(":")[2] for each in one["ports"]}
        if inner != {env["AOB_EDGE_BIND"].rpartition(":")[2]}:
            yield f"it publishes {inner}, where it does not listen"
        if one["command"][-1] not in {each.split(":")[1] for each in one["volumes"]}:
            yield "its configuration is not mounted where it is read"
        if env["AOB_EDGE_CERT"].removeprefix("/certs/") not in self._certificates():
            yield "its certificate is not made"
