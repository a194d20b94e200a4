"""The registry of schemas: registers, looks up, compares and deletes; also in the protocol of Confluent's clients."""

from aob.metrics.registry.protocol import Protocol
from aob.metrics.registry.registry import Registry
from aob.metrics.registry.schemas import Schemas

__all__ = ["Protocol", "Registry", "Schemas"]
