"""The gRPC server of workers: its port, its certificate, its limits."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio

from aob.core.errors import Unavailable
from aob.rpc import BYTES_MAX, METHOD
from aob.server.serve import connections_max
from aob.server.workers.stream import Door

STREAMS_MAX: Final = 10_000
STOP_S: Final = 2.0
OPTIONS: Final = (
    ("grpc.max_receive_message_length", BYTES_MAX),
    ("grpc.max_send_message_length", BYTES_MAX),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),
)
"""Whoever connects speaks HTTP/2 soon, and opens a stream or is hung up on: what a connection holds before a key was
seen is some megabytes at worst, so their number has a bound too, below that of open files."""
FILES_SHARE: Final = 0.25


class Pem(NamedTuple):
    """A certificate: its key, its chain, and the authority that workers' certificates are from (empty: any)."""

    key: bytes
    chain: bytes
    authority: bytes = b""


class Listening(NamedTuple):
    """A server that listens."""

    address: str
    port: int


@asynccontextmanager
async def listening(
    door: Door[Any], host: str, port: int, pem: Callable[[], Pem] | None = None, others: Sequence[Any] = ()
) -> AsyncIterator[Listening]:
    """Serve workers, and the handlers of `others`, until it is left. `pem` is asked at each handshake, from another
    thread: a renewed certificate counts from the next connection on. Raises Unavailable `port_taken`."""
    most = ("grpc.max_allowed_incoming_connections", connections_max(STREAMS_MAX, FILES_SHARE))
    server = grpc.aio.server(options=(*OPTIONS, most), maximum_concurrent_rpcs=STREAMS_MAX)
    service, _, method = METHOD.removeprefix("/").rpartition("/")
    handler: Any = grpc.stream_stream_rpc_method_handler(door.attach)  # bytes in, bytes out: the door parses
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}), *others))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if pem is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, _credentials(pem))
    except RuntimeError as error:
        bound = 0
        taken = error
    else:
        taken = RuntimeError(address)
    if not bound:
        hint = "choose another grpc_port"
        raise Unavailable(f"cannot listen for workers on {address}", code="port_taken", hint=hint) from taken
    await server.start()
    try:
        yield Listening(f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}", bound)
    finally:
        await server.stop(STOP_S)


def _credentials(pem: Callable[[], Pem]) -> Any:
    """Credentials that follow a certificate."""
    used = pem()

    def made(now: Pem) -> Any:
        return grpc.ssl_server_certificate_configuration([(now.key, now.chain)], now.authority or None)

    def fetch() -> Any:
        nonlocal used
        now = pem()
        if now == used:
            return None  # that of before
        used = now
        return made(now)

    return grpc.dynamic_ssl_server_credentials(made(used), fetch, False)
