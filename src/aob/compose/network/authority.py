"""Makes the certificates of a cluster: an authority, and of it a certificate a role, whose identity is the URI
`aob:ROLE`. A file that exists is replaced only when told to. Needs the extra `tls`."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import msgspec

from aob.compose.network.identity import PREFIX, ROLES
from aob.core.errors import Conflict, Invalid, Malformed, NotFound, Unavailable
from aob.core.hint import meant

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise Unavailable("certificates need the library cryptography", code="not_installed",
                      hint="pip install 'agentic-orchestration-builder[tls]'") from error  # fmt: skip

CA: Final = "ca.pem"
CA_KEY: Final = "ca.key"
DAYS: Final = 90
CA_DAYS: Final = 3_650
BEFORE: Final = timedelta(hours=1)  # a certificate counts from so long ago: clocks differ
HOST: Final = re.compile(r"(?=.{1,253}\Z)(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
HOSTS: Final = ("localhost", "127.0.0.1", "::1")


class Certificate(msgspec.Struct, frozen=True):
    """What a certificate says: its file, its roles (none: the authority), from when to when, its fingerprint."""

    file: str
    roles: tuple[str, ...]
    begins: datetime
    ends: datetime
    fingerprint: str
    authority: str = ""
    """The fingerprint of the authority in the same folder, if that signed it; empty if another one did."""


def file_of(roles: Iterable[str]) -> str:
    """The file of a certificate with its key."""
    return f"{'+'.join(sorted(roles))}.pem"


def roles_of(text: str) -> tuple[str, ...]:
    """Roles as typed, by commas. Raises Invalid."""
    names = tuple(sorted({each.strip() for each in text.split(",") if each.strip()}))
    for name in names:
        if name not in ROLES:
            raise Invalid(f"there is no role {name[:64]!r}", hint=meant(name, ROLES, "roles"))
    if not names:
        raise Invalid("no role is named", hint=f"one of {', '.join(ROLES)}")
    return names


def init(folder: Path, roles: Sequence[Sequence[str]], hosts: Sequence[str], now: datetime, *, force: bool = False,
         days: int = DAYS) -> list[Certificate]:  # fmt: skip
    """Make an authority, and certificates for these combinations of roles. Raises Conflict `certs_exist`, Invalid."""
    _names(hosts)  # before anything is replaced
    names = [CA, CA_KEY, *map(file_of, roles)]
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        raise Conflict(
            f"{folder} has {', '.join(there)} already", code="certs_exist",
            hint="aob certs renew makes new certificates of the same authority; --force replaces all of it",
        )  # fmt: skip
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AOB cluster")])
    made = _builder(name, name, key.public_key(), now, CA_DAYS)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_usage(signs=True), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    signed = made.sign(key, SHA256())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / CA_KEY, _private(key))
    _write(folder / CA, signed.public_bytes(serialization.Encoding.PEM))
    return [read(folder / CA), *renew(folder, roles, hosts, now, days=days)]


def renew(folder: Path, roles: Sequence[Sequence[str]], hosts: Sequence[str], now: datetime, *,
          days: int = DAYS) -> list[Certificate]:  # fmt: skip
    """New certificates, with new keys, of the authority in the folder: for these combinations of roles, or for all that
    it has. `hosts`, if any, replaces the names of machines. Raises NotFound `certs_missing` without an authority."""
    authority = read(folder / CA)
    if authority.ends <= now:
        raise Invalid(f"the authority expired on {authority.ends:%Y-%m-%d}", code="certs_expired",
                      hint="aob certs init --force makes a new one; every machine needs its files")  # fmt: skip
    try:
        signing = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    except FileNotFoundError:
        raise NotFound(f"{folder} has no {CA_KEY}: it is kept where the certificates are made", code="certs_missing",
                       hint="run this where aob certs init was run") from None  # fmt: skip
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise Malformed(f"{folder / CA_KEY} is no key of ours", code="certs_damaged", hint="aob certs init made it")
    issuer = x509.load_pem_x509_certificate((folder / CA).read_bytes())
    made = list[Certificate]()
    for each in roles or [list(found.roles) for found in listed(folder) if found.roles]:
        path = folder / file_of(each)
        names = _names(hosts or HOSTS)
        if not hosts and path.exists():
            names = [name for name in _san(path) if not isinstance(name, x509.UniformResourceIdentifier)]
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"AOB {', '.join(sorted(each))}")])
        cert = _builder(subject, issuer.subject, key.public_key(), now, days)
        uris = [x509.UniformResourceIdentifier(PREFIX + role) for role in sorted(each)]
        cert = cert.add_extension(x509.SubjectAlternativeName([*uris, *names]), critical=False)
        cert = cert.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        cert = cert.add_extension(_usage(signs=False), critical=True)
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        cert = cert.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        signed = cert.add_extension(known, critical=False).sign(signing, SHA256())
        _write(path, _private(key) + signed.public_bytes(serialization.Encoding.PEM))
        made.append(read(path))
    return made


def read(path: Path) -> Certificate:
    """What a file's certificate says. Raises NotFound `certs_missing`, Malformed `certs_damaged`."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        san = [name.value for name in _san(path) if isinstance(name, x509.UniformResourceIdentifier)]
    except FileNotFoundError:
        raise NotFound(f"{path} is not there", code="certs_missing",
                       hint="aob certs init makes it; elsewhere copy ca.pem and the role's file") from None  # fmt: skip
    except (ValueError, OSError) as error:
        raise Malformed(f"{path} holds no certificate that can be read: {error}", code="certs_damaged",
                        hint="aob certs renew makes it again") from error  # fmt: skip
    roles = tuple(sorted(uri.removeprefix(PREFIX) for uri in san if uri.startswith(PREFIX)))
    print_ = found.fingerprint(SHA256()).hex()[:32]
    return Certificate(path.name, roles, found.not_valid_before_utc, found.not_valid_after_utc, print_,
                       _signed_here(path, found))  # fmt: skip


def listed(folder: Path) -> list[Certificate]:
    """The authority and the certificates of a folder. Raises as `read` does."""
    return [read(folder / CA), *(read(path) for path in sorted(folder.glob("*.pem")) if path.name != CA)]


def _signed_here(path: Path, found: x509.Certificate) -> str:
    with suppress(Exception):
        for authority in x509.load_pem_x509_certificates((path.parent / CA).read_bytes()):
            with suppress(Exception):
                found.verify_directly_issued_by(authority)
                return str(authority.fingerprint(SHA256()).hex()[:32])
    return ""


def _san(path: Path) -> list[x509.GeneralName]:
    found = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        return list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    """Names of machines as a certificate has them. Raises Invalid for what is none."""
    made: list[x509.GeneralName] = []
    for host in hosts:
        try:
            made.append(x509.IPAddress(ip_address(host)))
        except ValueError:
            if not HOST.fullmatch(host) or host.rpartition(".")[2].isdecimal():
                raise Invalid(f"{host[:100]!r} is no name or address of a machine",
                              hint="--host a.example, --host 10.0.0.7: no scheme, no port") from None  # fmt: skip
            made.append(x509.DNSName(host))
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:  # fmt: skip
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now.astimezone(UTC) - BEFORE).not_valid_after(now.astimezone(UTC) + timedelta(days))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, pem, plain)


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner only; its key and certificate are one file, so that none is
    ever read with another's."""
    beside = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    beside.touch(0o600, exist_ok=False)
    beside.write_bytes(content)
    beside.replace(path)
