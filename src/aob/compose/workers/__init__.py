"""Workers of other processes for a home: makes the hub, and serves its port. A setting in, a listening address out."""

from aob.compose.workers.gateway import Gateway, checked, make_gateway, pem_of, verbs_of

__all__ = ["Gateway", "checked", "make_gateway", "pem_of", "verbs_of"]
