"""Secrets of webhooks: files that only their owner may read, one a hook, or what a cluster keeps. A hash would not do,
because they sign. One may be `{secret:NAME}`: then only the name is stored here, and the value is looked up for each
signature. They are only in the answer that created them, never in a log or in the journal."""

import asyncio
import base64
import binascii
import os
import re
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from aob.core.errors import Conflict, Invalid, Unavailable
from aob.core.node.template import is_secret_name
from aob.work import WorkError
from aob.work.secrets import Mask, Vault

PREFIX: Final = "whsec_"
BYTES: Final = 32
BYTES_MIN, BYTES_MAX = 24, 64
_NAME: Final = re.compile(r"hook_[0-9a-f]{8,64}")
_WHOLE: Final = re.compile(r"\{secret:([^{}]*)\}")


class Secret(msgspec.Struct):
    """The secret of a hook and the previous one, which also signs until `until_ms`."""

    current: str
    previous: str = ""
    until_ms: int = 0

    def signing(self, now_ms: int) -> list[str]:
        """The secrets that sign now, the newest first."""
        return [self.current, self.previous] if self.previous and now_ms < self.until_ms else [self.current]

    def __repr__(self) -> str:
        return "<secret>"


def made() -> str:
    """A new secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


class Ready(msgspec.Struct, frozen=True):
    """What one request needs: its URL, the signing keys, the newest first, and the mask that removes secret values from
    the answer."""

    url: str
    keys: tuple[str, ...]
    mask: Mask

    def __repr__(self) -> str:
        return "<ready>"


def checked(secret: str) -> str:
    """Reads a secret of a caller, or a reference to one. Raises Invalid."""
    name = _WHOLE.fullmatch(secret)
    if not (is_secret_name(name.group(1)) if name is not None else _signs(secret)):
        why = f"a secret is {PREFIX} and the Base64 of {BYTES_MIN} to {BYTES_MAX} bytes, or {{secret:NAME}}"
        raise Invalid(why, code="bad_secret", hint="leave it out, and one is made")
    return secret


def _signs(secret: str) -> bool:
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except (ValueError, binascii.Error):
        return False
    return secret.startswith(PREFIX) and BYTES_MIN <= size <= BYTES_MAX


class Place(Protocol):
    """Where the secrets of webhooks lie, by the id of the hook. Each write is whole and durable."""

    async def read(self, hook_id: str) -> bytes:
        """A secret. Raises OSError or Unavailable when it cannot be read."""

    async def write(self, hook_id: str, data: bytes) -> None:
        """Store a secret. Raises OSError or Unavailable when it cannot be written."""

    async def remove(self, hook_id: str) -> None:
        """Remove a secret, if it is there."""

    async def ids(self) -> list[str]:
        """The hooks that have one."""


class Secrets:
    """The secrets in their place. One is read once and then kept in memory."""

    def __init__(self, place: Place, vault: Vault) -> None:
        self._place, self._vault = place, vault
        self._known: dict[str, Secret] = {}

    async def get(self, hook_id: str) -> Secret:
        """The secret of a hook. Raises Unavailable when it cannot be read: nothing is sent without a signature."""
        known = self._known.get(hook_id)
        if known is None:
            try:
                known = msgspec.json.decode(await self._place.read(_checked(hook_id)), type=Secret)
            except (OSError, msgspec.MsgspecError) as error:
                why = f"the secret of {hook_id} cannot be read: {type(error).__name__}"
                raise Unavailable(why, code="secret_missing", hint="give it a new one: aob webhook rotate") from None
            self._known[hook_id] = known
        return known

    async def ready(self, hook_id: str, url: str, now_ms: int) -> Ready:
        """All that a request of a hook needs, looked up now. Raises Unavailable `secret_missing`, `secret_refused` or
        `bad_secret`: nothing is sent that could not be signed. When an old secret is not found only its signature is
        missing."""
        current, *older = (await self.get(hook_id)).signing(now_ms)
        keys = [await asyncio.to_thread(self._key, current, url)]
        for each in older:
            try:
                keys.append(await asyncio.to_thread(self._key, each, url))
            except Unavailable:
                continue
        try:
            target, mask = await asyncio.to_thread(self._vault.expand, url, url=True)
        except WorkError as error:
            raise _unavailable(error) from None
        return Ready(target, tuple(dict.fromkeys(keys)), mask)

    def _key(self, secret: str, url: str) -> str:
        name = _WHOLE.fullmatch(secret)
        if name is None:
            return secret
        try:
            value = self._vault.value(name.group(1), urlsplit(url).hostname)
        except WorkError as error:
            raise _unavailable(error) from None
        if not _signs(value):
            raise Unavailable(
                f"the value of {secret} signs nothing: it is not {PREFIX} and the Base64 of {BYTES_MIN} to "
                f"{BYTES_MAX} bytes",
                code="bad_secret", hint=f"aob secret set {name.group(1)}",
            )  # fmt: skip
        return value

    async def rotated(self, hook_id: str, given: str, until_ms: int) -> Secret:
        """A new secret for a hook, not stored yet: this one, or a generated one; the previous one also signs. Raises
        Conflict when the hook signs with a secret of the home, whose value is not stored here."""
        try:
            previous = (await self.get(hook_id)).current
        except Unavailable:  # it is lost: a new one replaces it
            previous = ""
        if not given and _WHOLE.fullmatch(previous):
            why = f"this webhook signs with {previous}: a new value of it counts from the next message on"
            raise Conflict(why, code="secret_elsewhere", hint="aob secret set it, or give the webhook another secret")
        return Secret(checked(given) if given else made(), previous, until_ms)

    async def put(self, hook_id: str, secret: Secret) -> None:
        """Stores a secret durably. Raises Unavailable when it cannot be written."""
        try:
            await self._place.write(_checked(hook_id), msgspec.json.encode(secret))
        except OSError as error:
            raise Unavailable(f"a secret cannot be written: {type(error).__name__}", code="disk_full") from None
        self._known[hook_id] = secret

    async def drop(self, hook_id: str) -> None:
        """Deletes the secret of a hook."""
        self._known.pop(hook_id, None)
        await self._place.remove(_checked(hook_id))

    async def keep(self, hook_ids: Collection[str]) -> None:
        """Deletes secrets of hooks whose creation was never written."""
        for name in await self._place.ids():
            if name not in hook_ids and _NAME.fullmatch(name):
                await self.drop(name)


class SecretFolder:
    """The place of secrets in a folder: a file a hook."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, hook_id: str) -> bytes:
        return await asyncio.to_thread(self._path(hook_id).read_bytes)

    async def write(self, hook_id: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, self._path(hook_id), data)

    async def remove(self, hook_id: str) -> None:
        await asyncio.to_thread(self._path(hook_id).unlink, True)

    async def ids(self) -> list[str]:
        return await asyncio.to_thread(lambda: [path.stem for path in self._folder.glob("hook_*.json")])

    def _path(self, hook_id: str) -> Path:
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


def _checked(hook_id: str) -> str:
    assert _NAME.fullmatch(hook_id), "ids are made here"
    return hook_id


def _unavailable(error: WorkError) -> Unavailable:
    detail = error.fault.detail
    hint = detail.get("hint") if isinstance(detail, dict) else ""
    return Unavailable(error.fault.message, code=error.fault.code, hint=hint if isinstance(hint, str) else "")
