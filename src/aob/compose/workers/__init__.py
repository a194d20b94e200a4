"""Workers of other processes for a home: makes the hub, and serves its port. A setting in, a listening address out."""

from aob.compose.workers.certificate import certificate_of
from aob.compose.workers.gateway import Gateway, make_gateway, not_installed, verbs_of

__all__ = ["Gateway", "certificate_of", "make_gateway", "not_installed", "verbs_of"]
