"""Streams of workers over gRPC: a key in, frames to and from `work.remote`. Needs the extra `grpc`."""

from aob.server.workers.port import Listening, Pem, listening
from aob.server.workers.stream import Door

__all__ = ["Door", "Listening", "Pem", "listening"]
