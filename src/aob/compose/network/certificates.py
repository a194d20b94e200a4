"""The certificates of this process: one that names its roles, and the authority by which those of others are checked.
They are read again when their files change; a file that is not in order leaves the last good one in use."""

import ssl
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aob.core.errors import AobError, Invalid, NotFound
from aob.ports.logger import Logger

SOON_S: Final = 14 * 86_400  # so long before it expires a certificate is named
log: Final = Logger("aob.network")

Seen = tuple[tuple[str, int, int, int], ...]


def now_utc() -> datetime:
    """The time by which certificates count."""
    return datetime.now(UTC)


class Certificates:
    """The certificates of the roles of this process. Raises what is wrong with them, in one line: NotFound
    `certs_missing`, Malformed `certs_damaged`, Invalid `certs_expired`, `certs_early`, `certs_foreign`."""

    def __init__(self, folder: Path, roles: Collection[str], now: Callable[[], datetime] = now_utc) -> None:
        self.folder, self.roles, self._now = folder, frozenset(roles), now
        self._path = self._chosen()
        self._seen = self._files()
        self._load()

    @property
    def path(self) -> Path:
        """The file of the certificate and its key."""
        return self._path

    def server(self) -> ssl.SSLContext:
        """For connections that come."""
        self._refresh()
        return self._server

    def client(self) -> ssl.SSLContext:
        """For connections to others."""
        self._refresh()
        return self._client

    def pem(self) -> tuple[bytes, bytes, bytes]:
        """The private key, the certificate and the authority, as other libraries want them."""
        self._refresh()
        return self._pem

    def left_s(self) -> float:
        """How long the certificate still counts, in seconds."""
        return (self.ends - self._now()).total_seconds()

    def _chosen(self) -> Path:
        """The file that names all our roles and fewest others."""
        from aob.compose.network.authority import CA, file_of, listed

        if not (self.folder / CA).is_file():
            raise NotFound(f"{self.folder} has no {CA}", code="certs_missing",
                           hint="aob certs init makes it; elsewhere copy ca.pem and the role's file")  # fmt: skip
        exact = self.folder / file_of(self.roles)
        if exact.is_file():
            return exact
        fitting = [each for each in listed(self.folder) if self.roles <= set(each.roles)]
        if not fitting:
            names = ",".join(sorted(self.roles))
            raise NotFound(f"{self.folder} has no certificate for {names}", code="certs_missing",
                           hint=f"aob certs renew --role {names}")  # fmt: skip
        return self.folder / min(fitting, key=lambda each: len(each.roles)).file

    def _files(self) -> Seen:
        from aob.compose.network.authority import CA

        found = []
        for path in (self._path, self.folder / CA):
            status = path.stat()
            found.append((path.name, status.st_mtime_ns, status.st_ino, status.st_size))
        return tuple(found)

    def _refresh(self) -> None:
        try:
            seen = self._files()
            if seen == self._seen:
                return
            self._seen = seen
            self._load()
        except (AobError, OSError) as error:
            log.error("certs_not_read", file=str(self._path), why=str(error))
        else:
            log.info("certs_read", file=str(self._path), ends=self.ends.isoformat())

    def _load(self) -> None:
        from aob.compose.network.authority import CA, read

        own, now = read(self._path), self._now()
        for found in (own, read(self.folder / CA)):
            if found.ends <= now:
                raise Invalid(f"{self.folder / found.file} expired on {found.ends:%Y-%m-%d %H:%M} UTC",
                              code="certs_expired", hint="aob certs renew")  # fmt: skip
            if found.begins > now:
                raise Invalid(
                    f"{self.folder / found.file} counts from {found.begins:%Y-%m-%d %H:%M} UTC, and it is "
                    f"{now:%Y-%m-%d %H:%M} here", code="certs_early", hint="set the clock of this machine",
                )  # fmt: skip
        if not own.authority:
            raise Invalid(f"{self._path} is not of the authority {CA} beside it", code="certs_foreign",
                          hint="copy both from one place, or: aob certs renew")  # fmt: skip
        if missing := self.roles - set(own.roles):
            raise Invalid(f"{self._path} does not name {', '.join(sorted(missing))}", code="certs_foreign",
                          hint=f"aob certs renew --role {','.join(sorted(self.roles))}")  # fmt: skip
        contexts = []
        for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
            context = ssl.SSLContext(side)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.check_hostname = False  # the role is the identity, wherever it runs
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(self._path)
            context.load_verify_locations(self.folder / CA)
            contexts.append(context)
        contexts[0].num_tickets = 0  # every connection proves itself anew
        text = self._path.read_bytes()
        begin = text.index(b"-----BEGIN CERTIFICATE")
        self._pem = text[:begin], text[begin:], (self.folder / CA).read_bytes()
        self._server, self._client = contexts
        self.ends = own.ends
        if self.left_s() < SOON_S:
            log.warning("certs_expire_soon", file=str(self._path), ends=own.ends.isoformat())


def ends_of(folder: Path) -> dict[str, float]:
    """When each certificate of a folder ends, in seconds since 1970; nothing of a folder that is not there, or not in
    order."""
    if not folder.is_dir():
        return {}
    try:
        from aob.compose.network.authority import listed

        return {each.file: each.ends.timestamp() for each in listed(folder)}
    except (AobError, OSError):
        return {}
