"""What a worker process is told by the one that keeps it, and what it tells back, as JSON lines."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject

SLOTS: Final = 64
DRAIN_S: Final = 30.0
"""How long running handlers may take after a worker was asked to end; the rest is lost, and performed again."""


class Target(msgspec.Struct, frozen=True):
    """Where a worker attaches: `host:port` of a gateway, whether it speaks TLS, the HTTP server of the home (empty: not
    known), and the key."""

    address: str
    tls: bool
    url: str
    key: str

    def __repr__(self) -> str:
        return f"<gateway {self.address}>"


class Plan(msgspec.Struct, frozen=True):
    """One worker process. `app`: modules or files with its handlers; `path`: where Python finds modules; `address`:
    `host:port` of the gateway; `url`: the HTTP server of the home, if it is known; `name` and `incarnation`: a later
    incarnation of a name says that the earlier one has ended; `build`: the version of its code (empty: the hash of the
    app's files); `slots`: how many jobs it holds at once; `ca`: a PEM file of the authority that the
    server's certificate is from (empty: one that this machine trusts); `home`: the folder with the settings and secrets
    under which it performs built-in kinds (empty: it performs none); `found`: a process before it was welcome there, so
    that whatever answers there now is waited for; `agents`: it must have some."""

    app: tuple[str, ...]
    address: str
    name: str
    incarnation: str
    key: str = ""
    tls: bool = False
    url: str = ""
    build: str = ""
    labels: dict[str, str] = {}
    slots: int = SLOTS
    path: tuple[str, ...] = ()
    ca: str = ""
    home: str = ""
    found: bool = False
    agents: bool = False

    def __repr__(self) -> str:
        return f"<worker {self.name} for {self.address}>"


class Told(msgspec.Struct, frozen=True):
    """An event of a worker process: `loaded`, `connected`, `waits`, `draining`, `counted` or `failed`, with its
    facts."""

    event: str
    facts: JsonObject = {}


DRAIN: Final = b"drain\n"
"""The line that asks a worker process to end."""
