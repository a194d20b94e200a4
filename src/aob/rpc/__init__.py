"""gRPC messages, made from spec/*.proto by `python -m tools.make_rpc`, and what both ends of a stream do alike.

Needs the extra `grpc`. Import the modules of messages themselves (`aob.rpc.worker_pb2`)."""

from aob.rpc.frames import (
    BEAT_MS,
    BYTES_MAX,
    CHANNEL_OPTIONS,
    DOC_MAX,
    FLUSH_ITEMS,
    FLUSH_MS,
    LEASE_MS,
    METHOD,
    PROTOCOL,
    VALUE_MAX,
    Outbox,
)

__all__ = [
    "BEAT_MS",
    "BYTES_MAX",
    "CHANNEL_OPTIONS",
    "DOC_MAX",
    "FLUSH_ITEMS",
    "FLUSH_MS",
    "LEASE_MS",
    "METHOD",
    "PROTOCOL",
    "VALUE_MAX",
    "Outbox",
]
