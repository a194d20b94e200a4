"""The messages of the worker protocol, and its one method. Made by protoc from `spec/worker.proto`."""

from aob.rpc import worker_pb2 as pb

__all__ = ["pb"]
