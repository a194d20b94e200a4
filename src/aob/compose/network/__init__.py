"""The wire between the processes of a cluster: who they are by their certificates, what each may ask, and the way of a
request to the shard's owner. The functions that make certificates are loaded when first used."""

from typing import TYPE_CHECKING, Any

from aob.compose.network.certificates import Certificates
from aob.compose.network.greeting import Member
from aob.compose.network.peer import Peers
from aob.compose.network.remote import RemoteShard, Route, not_owner
from aob.compose.network.server import PeerServer

if TYPE_CHECKING:
    from aob.compose.network.authority import Certificate, init, listed, renew, roles_of

__all__ = [
    "Certificate", "Certificates", "Member", "PeerServer", "Peers", "RemoteShard", "Route", "init",
    "listed", "not_owner", "renew", "roles_of",
]  # fmt: skip

_MADE = frozenset(("Certificate", "init", "listed", "renew", "roles_of"))


def __getattr__(name: str) -> Any:
    if name not in _MADE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aob.compose.network import authority

    return getattr(authority, name)
