"""What listens on an address where no stream could be opened: found out by a connection of its own, with the few bytes
that a server of gRPC answers, and one of Postgres."""

import socket
import ssl
import struct
from contextlib import closing
from typing import Final, NamedTuple

from aob.core.problem import unproven

PROBE_S: Final = 3.0
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # with empty SETTINGS
SETTINGS: Final = 4
ASKS_TLS: Final = struct.pack("!ii", 8, 80877103)  # the first bytes of a client of Postgres
ALERT: Final = 0x15  # the first byte of what a server with TLS says to one without
ADDRESS_HINT: Final = "give the gRPC address of a home, or its HTTP address: --url http://127.0.0.1:8080"
TRUST_HINT: Final = "--ca FILE names its authority: ca.pem of aob certs init"


class Found(NamedTuple):
    """What listens. `sure`: it will never take a worker; else it only says nothing."""

    what: str
    hint: str = ADDRESS_HINT
    sure: bool = True


def distrusted(address: str, why: str) -> Found | None:
    """What listens on HOST:PORT, where a stream failed with `why`: a server whose certificate gRPC refuses. None: it
    failed for something else."""
    if "CERTIFICATE_VERIFY_FAILED" not in why:
        return None
    return Found(*unproven(address, why, TRUST_HINT))


def listens(address: str, tls: bool = False, authority: str = "") -> Found | None:
    """What listens on HOST:PORT that is no server of gRPC; None: one does, or nothing can be reached there. `tls`: it
    is spoken to by TLS, checked by an `authority` (a file; empty: not checked). Blocks for some seconds at most."""
    try:
        said = _answer(address, PREFACE, SETTINGS, tls, authority)
    except ssl.SSLCertVerificationError as error:
        return Found(*unproven(address, error.verify_message, TRUST_HINT))
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        said = b""
    except ssl.SSLError:
        return Found(f"what listens on {address} speaks no TLS", f"--url grpc://{address}, on this machine only")
    except TimeoutError:
        return Found(f"what listens on {address} says nothing", sure=False)
    except ConnectionError as error:
        if isinstance(error, ConnectionRefusedError):
            return None
        said = b""
    except OSError:
        return None
    if len(said) > SETTINGS - 1 and said[SETTINGS - 1] == SETTINGS:
        return None
    return _named(address, said, tls)


def _named(address: str, said: bytes, tls: bool) -> Found:
    if said.startswith(b"HTTP/"):
        scheme = "https" if tls else "http"
        return Found(f"what listens on {address} speaks HTTP/1, no gRPC",
                     f"is it the HTTP address of a home? --url {scheme}://{address}")  # fmt: skip
    if said[:1] == bytes([ALERT]) and not tls:
        return Found(f"what listens on {address} speaks TLS", f"--url grpcs://{address} --ca ca.pem")
    if said:
        return Found(f"what listens on {address} speaks no gRPC")
    try:
        postgres = _answer(address, ASKS_TLS, 1) in (b"S", b"N")  # TLS, or not
    except OSError:
        postgres = False
    if postgres:
        return Found(f"PostgreSQL listens on {address}")
    return Found(f"what listens on {address} ends each connection", sure=False)


def _answer(address: str, first: bytes, least: int, tls: bool = False, authority: str = "") -> bytes:
    """At least so many bytes of the answer, fewer only where the connection ends. Raises OSError."""
    host, _, port = address.rpartition(":")
    try:
        raw = socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_S)
    except OSError as error:
        raise ConnectionRefusedError(str(error)) from error  # also a machine that is off: nobody is there yet
    with closing(_by_tls(raw, host.strip("[]"), authority) if tls else raw) as sock:
        if isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() != "h2":
            return b"?"
        sock.sendall(first)
        said = b""
        while len(said) < least and (more := sock.recv(64)):
            said += more
        return said


def _by_tls(raw: socket.socket, host: str, authority: str) -> ssl.SSLSocket:
    try:
        context = ssl.create_default_context(cafile=authority or None)
        if not authority:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        return context.wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise
