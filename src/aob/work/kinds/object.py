"""`object`: stores a job's value in an object store of the home, or reads one. No key leaves the tenant's folder."""

import base64
import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from aob.core.node import ObjectConfig
from aob.core.node.template import fill, fill_text
from aob.core.value import canonical
from aob.ports.workers import Job
from aob.work.effect import acted
from aob.work.job import Context, WorkError, permanent
from aob.work.kinds.http import values
from aob.work.tools.objects import ObjectStore

if TYPE_CHECKING:
    from aob.work.tools import Tools

OBJECT_MAX: Final = 16 * 1024 * 1024  # bytes of one object in a node

_PERMANENT: Final = frozenset(
    {"PermissionDeniedError", "UnauthenticatedError", "InvalidPathError", "NotSupportedError", "ValueError",
     "UnknownConfigurationKeyError", "NotImplementedError", "PermissionError"}
)  # fmt: skip


async def perform(job: Job, ctx: Context, tools: "Tools") -> object:
    """`{key, size, etag, sha256}` of a put; the value of a get (JSON, else text, else `{base64}`); `{key, size, etag,
    last_modified}` of a head; `{key, deleted}` of a delete. Raises WorkError `object_not_found`, `object_too_large`,
    `key_invalid`, `store_unknown`, `store_failed`."""
    job.pulse()
    config: ObjectConfig = job.task.config
    key = fill_text(config.key, values(job))
    place = tools.stores.place(config.store, job.tenant, key)
    store = await tools.stores.open(config.store)

    async def act() -> object:
        try:
            return await _OPERATIONS[config.op](store, place, key, job, config)
        except FileNotFoundError as error:
            why = f"there is no object {key!r} in {config.store}"
            raise permanent(why, code="object_not_found", key=key, store=config.store, sent=False) from error
        except WorkError:
            raise
        except Exception as error:
            raise tools.stores.mask(config.store).error(_failed(config, key, error)) from None

    return await acted(job, ctx, "object", {"op": config.op, "store": config.store, "key": key}, act)


async def _put(store: ObjectStore, place: str, key: str, job: Job, config: ObjectConfig) -> object:
    value: object = job.input if config.value is None else fill(config.value, values(job))
    data = value.encode() if isinstance(value, str) and "json" not in config.content_type else canonical(value)
    if len(data) > OBJECT_MAX:
        raise _too_large(key, len(data))
    # A folder stores no attributes, and raises an error.
    local = type(store).__name__ in {"LocalStore", "MemoryStore"}
    attributes: dict[str, object] = {} if local else {"attributes": {"Content-Type": config.content_type}}
    answer = await store.put_async(place, data, **attributes)
    sha256 = hashlib.sha256(data).hexdigest()
    return {"key": key, "size": len(data), "etag": answer.get("e_tag") or "", "sha256": sha256}


async def _get(store: ObjectStore, place: str, key: str, job: Job, config: ObjectConfig) -> object:
    answer = await store.get_async(place)
    size = int(answer.meta["size"])
    if size > OBJECT_MAX:
        raise _too_large(key, size)
    data = bytes(await answer.bytes_async())
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


async def _head(store: ObjectStore, place: str, key: str, job: Job, config: ObjectConfig) -> object:
    meta = await store.head_async(place)
    return {
        "key": key,
        "size": int(meta["size"]),
        "etag": meta.get("e_tag") or "",
        "last_modified": meta["last_modified"].isoformat(),
    }


async def _delete(store: ObjectStore, place: str, key: str, job: Job, config: ObjectConfig) -> object:
    try:
        await store.delete_async(place)
    except FileNotFoundError:
        return {"key": key, "deleted": False}
    return {"key": key, "deleted": True}


_OPERATIONS: Final = {"put": _put, "get": _get, "head": _head, "delete": _delete}


def _failed(config: ObjectConfig, key: str, error: Exception) -> WorkError:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:500]
    return WorkError(
        f"the object store {config.store} failed: {reason}",
        code="store_failed",
        transient=type(error).__name__ not in _PERMANENT,
        detail={
            "type": type(error).__name__,
            "key": key,
            "store": config.store,
            "sent": config.op in {"put", "delete"},
        },
    )


def _too_large(key: str, size: int) -> WorkError:
    why = f"the object {key!r} has {size} bytes, at most {OBJECT_MAX} pass through a node"
    return permanent(why, code="object_too_large", key=key, size=size, limit=OBJECT_MAX, sent=False)
