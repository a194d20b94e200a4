"""What a process of a role would find from here, each with the line that helps: its certificates, the processes that it
asks, its database and the members in it, the port that it would listen on. Starts nothing and changes nothing."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import urlopen

import msgspec

from aob.compose.executor import offered
from aob.compose.files import Seen
from aob.compose.live_settings import NAME, LiveSettings, stated
from aob.compose.logging import set_up_log
from aob.compose.network import Certificates, Member, Peers
from aob.compose.network.greeting import Greeting, parted, plain_text
from aob.compose.secrets import check_keys
from aob.compose.settings import Settings
from aob.compose.storage import InDatabase
from aob.core.errors import AobError
from aob.core.policy import Caller
from aob.ports.cluster import Record

OWNING: Final = ("coordinator", "metrics")
"""The roles that own shards, so need the database."""
ASKING: Final = ("api", "fanout")
WORKER: Final = "worker"
EXECUTOR: Final = "executor"
"""`aob serve worker`."""
WAIT_S: Final = 5.0
SKEW_S: Final = 2.0
SOON_S: Final = 14 * 86_400
READ: Final = "docs/how-to/certificates.md: When two processes do not meet"
HOME: Final = -1
NOBODY: Final = Caller("aob", "aob", frozenset())


async def seen_by(
    role: str, home: Path, settings: Settings, addresses: Sequence[str] = (), gateway: str = "", tls: bool = False
) -> AsyncIterator[Seen]:
    """The findings of a role. `addresses` are those of the processes that it is to ask, `gateway` that of a worker.
    From then on the log of this process has errors only."""
    set_up_log("error", pretty=False)  # what connections say is among the findings
    if role in (WORKER, EXECUTOR):
        if role == EXECUTOR:
            for seen in _performs(home, settings):
                yield seen
        if gateway:
            yield await _reached("gateway", gateway, tls=tls)
        return
    certificates, finding = _certificates(role, settings.certs_folder(home), addresses)
    yield finding
    if role in OWNING:
        async for each in _database(role, home, settings, certificates):
            yield each
    elif not addresses:
        yield Seen("peers", False, f"the role {role} asks coordinators, and none is named",
                   "aob doctor --role " + role + " --coordinator HOST:PORT")  # fmt: skip
    if finding.well:
        shares = partial(_shares, home, settings) if role in ASKING else None
        async for each in _peers(role, addresses, certificates, asks_home=role in ASKING, shares=shares):
            yield each
    yield await _port(settings)


def _certificates(role: str, folder: Path, addresses: Sequence[str]) -> tuple[Certificates | None, Seen]:
    """The certificate of the role, or why plain text will do, or will not."""
    if not folder.is_dir():
        try:
            for address in filter(_is_peer, addresses):
                plain_text(parted(address)[0])
        except AobError as error:
            return None, Seen(f"certificate of {role}", False, error.detail, error.hint)
        return None, Seen(f"certificate of {role}", True, f"none in {folder}: plain text, on this machine only")
    try:
        found = Certificates(folder, [role])
    except AobError as error:
        return None, Seen(f"certificate of {role}", False, error.detail, error.hint)
    left_s = found.left_s()
    says = f"{', '.join(sorted(found.roles))}, until {found.ends:%Y-%m-%d}"
    return found, Seen(f"certificate of {role}", left_s > SOON_S, says, "" if left_s > SOON_S else "aob certs renew")


async def _database(
    role: str, home: Path, settings: Settings, certificates: Certificates | None
) -> AsyncIterator[Seen]:  # fmt: skip
    """The key and the database of a member, and the other members that it would meet."""
    if not settings.in_database:
        yield Seen("AOB_STORE", False, f"the role {role} needs a database", "AOB_STORE=postgresql://USER@HOST/DATABASE")
        return
    yield _key(settings)
    try:
        async with InDatabase.opened(home, settings) as storage:
            cluster = storage.cluster.id.hex()
            if storage.cluster.pooler:
                yield Seen(
                    "pooler", True, "one in transaction mode stands before the database: nothing needs a session"
                )
            standing = await storage.leases().standing()
            yield _shares(home, settings, await storage.records().read(NAME))
    except AobError:  # told where the home's database is looked at
        return
    others = sorted({each.address for each in standing.members if not each.leaving})
    held = sum(lease.counts for lease in standing.leases)
    yield Seen("members", True, f"{len(others)} in the database, with {held} of {len(standing.leases)} shards")
    wire = [each for each in others if _is_peer(each)]
    async for each in _peers(role, wire, certificates, asks_home=False, cluster=cluster):
        yield each


def _shares(home: Path, settings: Settings, record: Record | None) -> Seen:
    """Whether this process says the same as the settings that all share, where it says anything of them."""
    try:
        LiveSettings(settings, stated(home, settings, os.environ)).take(record)
    except AobError as error:
        return Seen("shared settings", False, error.detail, error.hint)
    return Seen("shared settings", True, f"version {record.version}" if record is not None else "none are pushed")


def _key(settings: Settings) -> Seen:
    """The master key of a cluster."""
    try:
        check_keys(settings)
    except AobError as error:
        problems = getattr(error, "problems", ())
        says = "; ".join(each.message for each in problems)
        return Seen("AOB_MASTER_KEY", False, says or error.detail, next((each.hint for each in problems), error.hint))
    return Seen("AOB_MASTER_KEY", True, "is set")


def _performs(home: Path, settings: Settings) -> Iterator[Seen]:
    """What a process of built-in kinds would have, and where its secrets are."""
    yield Seen("performs", True, ", ".join(offered(home, settings)))
    if settings.in_database:
        yield _key(settings)
    else:
        yield Seen("secrets", True, f"those of {home} and of AOB_SECRET_NAME: AOB_STORE names no cluster")


def _is_peer(address: str) -> bool:
    """Whether others reach a member there: one that holds the home alone is known by its URL or its machine."""
    try:
        return "://" not in address and bool(parted(address))
    except AobError:
        return False


async def _peers(
    role: str, addresses: Sequence[str], certificates: Certificates | None, *, asks_home: bool, cluster: str = "",
    shares: Callable[[Record | None], Seen] | None = None,
) -> AsyncIterator[Seen]:  # fmt: skip
    """Each process as it answers a process of this role; what the home `shares` is judged by that."""
    holds, shared, looked = list[str](), list[Seen](), list(addresses)
    async with Peers(Member((role,), cluster=cluster), certificates) as peers:
        for address in looked:
            try:
                parted(address)
                peer = peers.of(address)
            except AobError as error:
                yield Seen(f"peer {address}", False, error.detail, error.hint)
                continue
            greeted: Seen | None = None
            try:
                async with asyncio.timeout(WAIT_S):
                    await peer.tried()
                    if peer.up and peer.greeting is not None:
                        greeted = _greeted(address, peer.greeting)  # now: its clock is compared with ours
                    if peer.up and asks_home:
                        told = await peer.call(HOME, "home_health", None)
                        holds.append(f"{address}, which is {told['status']}")
                        if shares is not None:
                            told = await anext(peer.stream(HOME, "shared_settings", NOBODY))
                            records = msgspec.convert(told, list[Record])
                            shared.append(shares(records[0] if records else None))
            except AobError as error:  # it holds the home no more, or not yet: another may, as it says
                if (other := str(error.fields.get("address") or "")) and other not in looked:
                    looked.append(other)
            except TimeoutError:
                pass
            yield greeted or Seen(f"peer {address}", False, peer.state, _mend(peer.state))
    if asks_home and addresses:
        mend = "start one, or name the address of the one that does: aob status"
        yield Seen("home", bool(holds), f"held by {holds[0]}" if holds else "none of these holds it now",
                   "" if holds else mend)  # fmt: skip
    for each in shared[:1]:
        yield each


def _greeted(address: str, greeting: Greeting) -> Seen:
    """A process that takes us: who it is, and whether its clock is ours."""
    skew_s = greeting.now_ms / 1_000 - time.time() if greeting.now_ms else 0.0
    says = f"{', '.join(greeting.roles)} {greeting.name}".rstrip() + (greeting.release and f", {greeting.release}")
    if abs(skew_s) > SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        return Seen(f"peer {address}", False, f"{says}: its clock is {abs(skew_s):.1f} s {way} ours", "NTP on both")
    return Seen(f"peer {address}", True, says)


def _mend(state: str) -> str:
    if "nobody listens" in state:
        return "is it started with --peers, and is the address right?"
    if "hung up" in state:
        return "has it certificates as we have, or none as we? Its log says why: peer_refused"
    return READ if "certificate" in state or "TLS" in state or "authority" in state else "its own log says more"


async def _reached(what: str, address: str, *, tls: bool) -> Seen:
    """A TCP port, with TLS as the system trusts it."""
    host, port = parted(address)
    secure = ssl.create_default_context() if tls else None
    try:
        async with asyncio.timeout(WAIT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=secure)
            writer.close()
    except TimeoutError:
        return Seen(what, False, f"{address} does not answer within {WAIT_S:g} s", "is a firewall between?")
    except ssl.SSLError as error:
        return Seen(what, False, f"{address}: {getattr(error, 'verify_message', '') or error.reason}",
                    "AOB_GRPC_CERT there names a certificate that this machine trusts (SSL_CERT_FILE)")  # fmt: skip
    except OSError as error:
        return Seen(what, False, f"{address} cannot be reached: {error.strerror or error}",
                    "is it started with AOB_GRPC_PORT, and is the address right?")  # fmt: skip
    return Seen(what, True, f"{address} can be reached" + (", by TLS" if tls else ""))


async def _port(settings: Settings) -> Seen:
    """Whether the process could listen, or listens already."""
    host, port = settings.host, settings.port
    what = f"port {port}"
    for each in _bound(host, port):
        return Seen(what, True, each)
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}/health/live"  # noqa: S104  # compared
    try:
        alive = await asyncio.to_thread(_alive, url)
    except (OSError, ValueError):
        alive = False
    if alive:
        return Seen(what, True, "a process of ours listens there")
    return Seen(what, False, f"another program listens on {host}:{port}", "AOB_PORT or --port names another one")


def _bound(host: str, port: int) -> Iterator[str]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
    except OSError:
        return
    yield f"{host} is free" if port else "any free one"


def _alive(url: str) -> bool:
    assert urlsplit(url).scheme == "http"
    with urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310  # http only
        return b'"alive"' in answer.read(1_000)
