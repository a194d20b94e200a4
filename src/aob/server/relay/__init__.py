"""Workers at a process that owns no jobs: the stream of each goes on to every gateway of the cluster, and what these
send comes back over it. Needs the extra `grpc`."""

from aob.server.relay.links import Relays, Target
from aob.server.relay.routing import Routing

__all__ = ["Relays", "Routing", "Target"]
