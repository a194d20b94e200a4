"""The home's object stores by name, opened from settings by obstore (the extra `object`)."""

import asyncio
import importlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, Protocol, cast
from urllib.parse import unquote, urlsplit

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.work.job import WorkError, permanent
from aob.work.secrets import NO_MASK, Mask, Vault

KEY_MAX: Final = 1_024
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url` is `file:///FOLDER`, `s3://BUCKET/PREFIX` or another of obstore's; `options` and `client` are its own
    (region, endpoint, keys). Each tenant has a folder of its own unless `per_tenant` is False."""

    url: str
    options: JsonObject = {}
    client: JsonObject = {}
    per_tenant: bool = True


class Got(Protocol):
    """An object being read."""

    @property
    def meta(self) -> Mapping[str, JsonValue]:
        """Its path, size, e_tag and last_modified."""

    async def bytes_async(self) -> bytes:
        """All of it."""


class ObjectStore(Protocol):
    """The methods used of an obstore store. Raises FileNotFoundError for a missing object."""

    async def put_async(self, path: str, file: bytes, **options: object) -> Mapping[str, str | None]:
        """Store an object; returns its e_tag and version."""

    async def get_async(self, path: str) -> Got:
        """Begin to read an object."""

    async def head_async(self, path: str) -> Mapping[str, JsonValue]:
        """Its path, size, e_tag and last_modified."""

    async def delete_async(self, path: str) -> None:
        """Remove an object."""


class ObjectStores:
    """Opens each store at first use, and keeps it."""

    def __init__(self, settings: Mapping[str, StoreSettings], vault: Vault | None = None) -> None:
        self._settings, self._vault = settings, vault
        self._masks: dict[str, Mask] = {}
        self._opened: dict[str, ObjectStore] = {}
        self._opening = asyncio.Lock()

    async def open(self, name: str) -> ObjectStore:
        """The store of a name. Raises WorkError `store_unknown`, `store_invalid` or `extra_missing`, all permanent."""
        async with self._opening:
            if name not in self._opened:
                settings = self._settings.get(name)
                if settings is None:
                    known = ", ".join(sorted(self._settings)) or "none"
                    why = f"the home knows no object store {name!r}"
                    hint = f'add it to HOME/aob.toml: [stores.{name}] url = "s3://BUCKET" (known: {known})'
                    raise permanent(why, code="store_unknown", hint=hint, sent=False)
                self._opened[name] = await asyncio.to_thread(self._open, name, settings)
            return self._opened[name]

    def mask(self, name: str) -> Mask:
        """The mask that removes the secrets of a store from its messages."""
        return self._masks.get(name, NO_MASK)

    def _open(self, name: str, settings: StoreSettings) -> ObjectStore:
        mask = NO_MASK
        if self._vault is not None:
            said = {"url": settings.url, "options": settings.options, "client": settings.client}
            host = str(settings.options.get("endpoint") or settings.options.get("aws_endpoint") or settings.url)
            given, mask = self._vault.expand_all(said, urlsplit(host).hostname)
            settings = msgspec.structs.replace(settings, **given)
        try:
            store = _open(name, settings)
        except WorkError as error:
            raise mask.error(error) from None
        self._masks[name] = mask
        return store

    def place(self, name: str, tenant: str, key: str) -> str:
        """The path of a tenant's key in a store. Raises WorkError `key_invalid` (permanent) for a key that would lead
        elsewhere."""
        check_key(key)
        settings = self._settings.get(name)
        return key if settings is not None and not settings.per_tenant else f"{_folder(tenant)}/{key}"


def check_key(key: str) -> None:
    """Raises WorkError `key_invalid` for a key that is empty, too long, or not a plain path."""
    wrong = ""
    if not key or len(key.encode("utf-8", "surrogatepass")) > KEY_MAX:
        wrong = f"has {len(key)} characters: 1 to {KEY_MAX} bytes are allowed"
    elif _CONTROL.search(key):
        wrong = "holds a backslash or a control character"
    elif any(unquote(part) in {"", ".", ".."} or part.startswith("~") for part in key.split("/")):
        wrong = "has a part that is empty, `.`, `..`, or begins with `~`"
    if wrong:
        why, hint = f"the key {key[:80]!r} {wrong}", "write a key such as orders/42.json"
        raise permanent(why, code="key_invalid", hint=hint, sent=False)


def _folder(tenant: str) -> str:
    safe = "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789_-" else f"={ord(c):x}=" for c in tenant)
    return safe or "="


def _open(name: str, settings: StoreSettings) -> ObjectStore:
    try:
        stores = importlib.import_module("obstore.store")
    except ImportError as error:
        hint = "pip install 'agentic-orchestration-builder[object]'"
        why = "object stores need the extra `object`"
        raise permanent(why, code="extra_missing", hint=hint, sent=False) from error
    try:
        parts = urlsplit(settings.url)
        if parts.scheme == "file":
            store = stores.LocalStore(str(PurePosixPath(unquote(parts.path))), mkdir=True)
        else:
            store = stores.from_url(settings.url, client_options=settings.client or None, **settings.options)
        return cast(ObjectStore, store)
    except BaseException as error:  # obstore panics on unknown options, and a panic is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        why = f"the object store {name!r} cannot be opened: {reason[:300]}"
        hint = "mend [stores] in HOME/aob.toml"
        raise permanent(why, code="store_invalid", hint=hint, sent=False) from error
