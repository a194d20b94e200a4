"""The master key of a cluster: what all its processes need in common and what no process stores. It encrypts, and
derives further keys. Needs the library cryptography."""

import base64
import binascii
import os
from typing import Any, Final, NamedTuple

from aob.core.errors import Invalid, Problem, Unavailable

VARIABLE: Final = "AOB_MASTER_KEY"
OLD_VARIABLE: Final = "AOB_MASTER_KEY_OLD"
BYTES: Final = 32
PRINT_BYTES: Final = 8
NONCE_BYTES: Final = 12
FORMAT: Final = b"\x01"
HEAD: Final = len(FORMAT) + PRINT_BYTES + NONCE_BYTES
_STANDARD: Final = str.maketrans("-_", "+/")
HINT: Final = "`aob secret key` prints one; all processes of a cluster have the same"


class MasterKey:
    """One key. `cluster` is the id of the cluster: the same key gives another one other derived keys."""

    def __init__(self, key: bytes, cluster: bytes) -> None:
        self._key, self._cluster = key, cluster
        self.fingerprint = self.derived("fingerprint", PRINT_BYTES)
        """Tells keys apart and reveals nothing of them."""
        self._seal = _cipher(self.derived("records"))

    def __repr__(self) -> str:
        return f"<master key {self.fingerprint.hex()}>"

    def derived(self, purpose: str, length: int = BYTES) -> bytes:
        """A key for a purpose, by HKDF-SHA256."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), length, self._cluster, f"aob {purpose}".encode()).derive(self._key)

    def seal(self, name: str, data: bytes) -> bytes:
        """Encrypted by AES-256-GCM, so that it opens under this name only."""
        nonce = os.urandom(NONCE_BYTES)
        return FORMAT + self.fingerprint + nonce + bytes(self._seal.encrypt(nonce, data, name.encode()))

    def open(self, name: str, sealed: bytes) -> bytes:
        """What was sealed under this name by this key. Raises Unavailable `bad_secret`."""
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._seal.decrypt(sealed[HEAD - NONCE_BYTES : HEAD], sealed[HEAD:], name.encode()))
        except (InvalidTag, ValueError) as error:
            raise Unavailable(f"{name} was changed in the store", code="bad_secret", hint="set it anew") from error


class MasterKeys(NamedTuple):
    """The key, and the one before while the cluster goes over to it."""

    now: MasterKey
    old: MasterKey | None = None

    @property
    def every(self) -> tuple[MasterKey, ...]:
        """Both, where there are two."""
        return (self.now,) if self.old is None else (self.now, self.old)

    def of(self, fingerprint: bytes) -> MasterKey | None:
        """The key that has this fingerprint."""
        return next((key for key in self.every if key.fingerprint == fingerprint), None)

    def open(self, name: str, sealed: bytes) -> bytes:
        """What one of them has sealed. Raises Unavailable `bad_secret`, `other_master_key`."""
        if sealed[:1] != FORMAT or len(sealed) <= HEAD:
            raise Unavailable(f"{name} was changed in the store", code="bad_secret", hint="set it anew")
        key = self.of(sealed[1 : 1 + PRINT_BYTES])
        if key is None:
            raise Unavailable(f"{name} was encrypted with another master key", code="other_master_key",
                              hint=f"give this process {VARIABLE} as the others have it")  # fmt: skip
        return key.open(name, sealed)


def new_master_key() -> str:
    """A new key, as the variable takes it."""
    return base64.urlsafe_b64encode(os.urandom(BYTES)).decode()


def check_master_key(variable: str, text: str) -> bytes:
    """The bytes of a key. Raises Invalid `bad_master_key`; no error shows it."""
    try:
        plain = text.strip().rstrip("=").translate(_STANDARD)
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != BYTES:
        raise Invalid(f"{variable} is no master key", [
            Problem(variable, f"it is not the Base64 of {BYTES} bytes", "bad_master_key", hint=HINT)
        ])  # fmt: skip
    return key


def master_keys(key: str, old: str, cluster: bytes) -> MasterKeys:
    """The keys of a process of a cluster. Raises Invalid `master_key_missing`, `bad_master_key`."""
    if not key:
        raise Invalid("a cluster needs a master key: it encrypts secrets and signs links", [
            Problem(VARIABLE, "it is not set", "master_key_missing", hint=HINT)
        ])  # fmt: skip
    now = MasterKey(check_master_key(VARIABLE, key), cluster)
    return MasterKeys(now, MasterKey(check_master_key(OLD_VARIABLE, old), cluster) if old and old != key else None)


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
