"""Secrets of webhooks: files that only their owner may read, one a hook. They must be able to sign, so no hash does.

They are never in an answer but the one that made them, in a log, or in the journal.
"""

import asyncio
import base64
import binascii
import os
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Invalid, Unavailable

PREFIX: Final = "whsec_"
BYTES: Final = 32
BYTES_MIN, BYTES_MAX = 24, 64
_NAME: Final = re.compile(r"hook_[0-9a-f]{8,64}")


class Secret(msgspec.Struct):
    """The secret of a hook, and the one before it, which signs too until `until_ms`."""

    current: str
    previous: str = ""
    until_ms: int = 0

    def signing(self, now_ms: int) -> list[str]:
        """Those that sign now, the newest first."""
        return [self.current, self.previous] if self.previous and now_ms < self.until_ms else [self.current]

    def __repr__(self) -> str:
        return "<secret>"


def made() -> str:
    """A new secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def checked(secret: str) -> str:
    """A secret that a caller brings. Raises Invalid."""
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if not secret.startswith(PREFIX) or not BYTES_MIN <= size <= BYTES_MAX:
        raise Invalid(
            f"a secret is {PREFIX} and the Base64 of {BYTES_MIN} to {BYTES_MAX} bytes", code="bad_secret",
            hint="leave it out, and one is made",
        )  # fmt: skip
    return secret


class Secrets:
    """The folder of secrets. Written whole or not at all; read once and then kept in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Secret] = {}

    async def get(self, hook_id: str) -> Secret:
        """The secret of a hook. Raises Unavailable when it cannot be read: nothing is sent without a signature."""
        known = self._known.get(hook_id)
        if known is None:
            try:
                known = msgspec.json.decode(await asyncio.to_thread(self._path(hook_id).read_bytes), type=Secret)
            except (OSError, msgspec.MsgspecError) as error:
                raise Unavailable(
                    f"the secret of {hook_id} cannot be read: {type(error).__name__}", code="secret_missing",
                    hint="give it a new one: aob webhook rotate",
                ) from None  # fmt: skip
            self._known[hook_id] = known
        return known

    async def put(self, hook_id: str, secret: Secret) -> None:
        """Keep a secret, durably. Raises Unavailable when it cannot be written."""
        try:
            await asyncio.to_thread(self._write, self._path(hook_id), msgspec.json.encode(secret))
        except OSError as error:
            raise Unavailable(f"a secret cannot be written: {type(error).__name__}", code="disk_full") from None
        self._known[hook_id] = secret

    async def drop(self, hook_id: str) -> None:
        """Forget it."""
        self._known.pop(hook_id, None)
        await asyncio.to_thread(self._path(hook_id).unlink, True)

    def _path(self, hook_id: str) -> Path:
        assert _NAME.fullmatch(hook_id), "ids are made here"
        return self._folder / f"{hook_id}.json"

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
