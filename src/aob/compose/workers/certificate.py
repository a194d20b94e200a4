"""The certificate of the gRPC port: the files that the settings name, else one that `aob certs` has made. Its files are
read again when they change; files that are not in order leave the last good ones in use."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aob.compose.network import Certificates
from aob.compose.settings import Settings, is_loopback
from aob.core.errors import AobError, Invalid, Problem
from aob.ports.logger import Logger

if TYPE_CHECKING:
    from aob.server.workers import Pem

ROLES: Final = ("api", "coordinator")  # a certificate of the first of these that there is one for
log: Final = Logger("aob.server")


def files_of(settings: Settings, home: Path) -> tuple[Path, Path] | None:
    """The files of the key and of the certificate; None: plain text, on loopback only. Raises Invalid for half of a
    certificate, and when keys would travel in plain text."""
    pair = (settings.grpc_key, settings.grpc_cert)
    if all(pair):
        return Path(pair[0]), Path(pair[1])
    if any(pair):
        raise Invalid("half of a certificate", [
            Problem("grpc_cert", "grpc_cert and grpc_key go together", "bad_settings")
        ])  # fmt: skip
    if is_loopback(settings.host):
        return None
    folder, why = settings.certs_folder(home), ""
    for role in ROLES:
        try:
            path = Certificates(folder, [role]).path
        except AobError as error:
            why = error.detail
        else:
            return path, path
    raise Invalid("the keys of workers would travel in plain text", [
        Problem("grpc_port", f"{settings.host} is not loopback, and {why}", "worker_needs_tls",
                hint="aob certs init --host NAME makes a certificate; or set grpc_cert and grpc_key to PEM files, or "
                     "listen on 127.0.0.1")
    ])  # fmt: skip


def told_address(address: str, pem: object) -> str:
    """Where workers come to, as health tells it: with a scheme where it speaks TLS, also on this machine."""
    return address if pem is None else f"grpcs://{address}"


class Followed:
    """The present certificate. Called from several threads."""

    def __init__(self, key: Path, cert: Path) -> None:
        self._key, self._cert = key, cert
        self._seen = self._stamps()
        try:
            self._pem = self._read()
        except (OSError, ValueError) as error:
            raise Invalid("the certificate of the gRPC port cannot be read", [
                Problem("grpc_cert", f"{cert}: {getattr(error, 'strerror', '') or error}", "bad_settings")
            ]) from error  # fmt: skip

    def __call__(self) -> "Pem":
        seen = self._stamps()
        if seen != self._seen:
            self._seen = seen
            try:
                self._pem = self._read()
                log.info("grpc_certificate_read", file=str(self._cert))
            except (OSError, ValueError) as error:
                log.error("grpc_certificate_not_read", file=str(self._cert), why=str(error))
        return self._pem

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in (self._key, self._cert):
            try:
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_ino, status.st_size))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def _read(self) -> "Pem":
        """Raises OSError, also for what is no pair of a key and a certificate; ValueError for one without."""
        from aob.server.workers import Pem

        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._cert, self._key)
        key, chain = self._key.read_bytes(), self._cert.read_bytes()
        return Pem(key, chain[chain.index(b"-----BEGIN CERTIFICATE") :])


def certificate_of(settings: Settings, home: Path) -> Followed | None:
    """The certificate of the gRPC port; None: plain text, on loopback only. Raises Invalid."""
    files = files_of(settings, home)
    return Followed(*files) if files is not None else None
