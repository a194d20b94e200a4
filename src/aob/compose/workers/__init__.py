"""Workers of other processes for a home: makes the hub, and serves its port. A setting in, a listening address out."""

from aob.compose.workers.gateway import Gateway, make_gateway

__all__ = ["Gateway", "make_gateway"]
