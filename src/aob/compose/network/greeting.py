"""What two processes of a cluster tell each other before anything else, and the checks of either end. In plain text,
which counts on loopback only, roles are believed; with TLS they are those of the certificate."""

import os
import socket
import ssl
import time
from collections.abc import Collection
from importlib.metadata import version
from ipaddress import ip_address
from typing import Final

import msgspec

from aob.backends.stream_transport import StreamTransport
from aob.compose.network.identity import RIGHTS, roles_in
from aob.core.errors import Invalid, Refused
from aob.ports.logger import Logger

PROTOCOL: Final = 1
RELEASE: Final = version("agentic-orchestration-builder")
SKEW_MAX_S: Final = 2.0
SAID_S: Final = 30.0  # the same reason of the same address is told once in so long
SAID_MAX: Final = 256

log: Final = Logger("aob.network")


class Greeting(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who speaks: the version of this protocol, roles, name and release of the process, the id of its cluster, its
    clock, and which process it is: its machine and number."""

    protocol: int
    roles: tuple[str, ...]
    name: str = ""
    release: str = ""
    cluster: str = ""
    now_ms: int = 0
    process: str = ""


class Member(msgspec.Struct, frozen=True):
    """This process as others of its cluster see it."""

    roles: tuple[str, ...]
    name: str = ""
    release: str = ""
    cluster: str = ""

    def greeting(self) -> Greeting:
        """What it tells of itself now."""
        now_ms, process = round(time.time() * 1_000), f"{socket.gethostname()} {os.getpid()}"
        return Greeting(PROTOCOL, self.roles, self.name, self.release or RELEASE, self.cluster, now_ms, process)


def fits(own: Member, theirs: Greeting, address: str, proved: Collection[str] | None) -> frozenset[str]:
    """The roles of the other end: those that its certificate proves, if there is one. Raises Refused `peer_refused`."""
    if theirs.protocol != PROTOCOL:
        raise refused(f"it speaks version {theirs.protocol} of the wire, we speak {PROTOCOL}: upgrade the older one")
    if own.cluster and theirs.cluster and own.cluster != theirs.cluster:
        raise refused(f"it belongs to the cluster {theirs.cluster[:64]!r}, and we to {own.cluster!r}: see AOB_STORE")
    roles = frozenset(theirs.roles)
    if proved is not None and (claimed := roles - frozenset(proved)):
        names = ", ".join(sorted(proved)) or "no role"
        raise refused(f"it calls itself {min(claimed)[:64]!r}, and its certificate names {names}")
    skew_s = theirs.now_ms / 1_000 - time.time()
    if theirs.now_ms and abs(skew_s) > SKEW_MAX_S:
        log.warning("clock_skew", peer=address, name=theirs.name, ahead_s=round(skew_s, 1))
    return roles


def may_call(roles: Collection[str]) -> None:
    """Raises Refused `peer_refused` for a process that may ask nothing on this wire."""
    if not any(RIGHTS.get(role) for role in roles):
        raise refused(f"the role {', '.join(sorted(roles))[:64] or 'none'} may ask nothing here: "
                      "workers connect to an api")  # fmt: skip


def proved_by(transport: StreamTransport) -> frozenset[str] | None:
    """The roles of the other end's certificate; None without TLS."""
    return roles_in(transport.told("peercert")) if transport.told("ssl_object") is not None else None


def left_s(transport: StreamTransport) -> float:
    """How long the other end's certificate counts: then it has to come with a new one."""
    told = transport.told("peercert")
    if not told:
        return 365 * 86_400.0
    return max(0.0, ssl.cert_time_to_seconds(told["notAfter"]) - time.time())


def refused(why: str) -> Refused:
    """One end does not take the other."""
    return Refused(why, code="peer_refused")


def plain_text(host: str) -> None:
    """Raises Invalid `certs_required` unless an address is of this machine only."""
    try:
        local = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise Invalid(
            f"{host or '0.0.0.0'} can be reached from other machines, and there are no certificates: plain text "  # noqa: S104  # names it
            "is for loopback only",
            code="certs_required", hint="aob certs init makes them (setting certs, AOB_CERTS); or listen on 127.0.0.1",
        )  # fmt: skip


def parted(address: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[v6]:port`. Raises Invalid."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise Invalid(f"{address[:100]!r} is no address", hint="write host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Lines:
    """Tells of refused connections in the log; the same reason of one address not again and again."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._said: dict[tuple[str, str], float] = {}

    def say(self, address: str, why: str, now_s: float) -> None:
        """Log it, unless it was said a moment ago."""
        key = (address.rpartition(":")[0], why)
        if now_s - self._said.get(key, -SAID_S) < SAID_S:
            return
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said[key] = now_s
        log.warning(self._event, peer=address, why=why)
