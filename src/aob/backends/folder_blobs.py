"""`Blobs` in a folder, `ROOT/TENANT/ab/cdef…`: synced before a rename, so that readers see a whole blob or none."""

import asyncio
import contextlib
import errno
import hashlib
import itertools
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from aob.core.errors import AobError, CallerError, NotFound, Unavailable
from aob.core.value import Ref, digest_of

if sys.platform != "win32":
    import fcntl

TEMP_PREFIX: Final = ".put-"
TEMP_AGE_S: Final = 3_600  # a temporary file older than this was left by a crash and is removed

TENANT_CHARS_MAX: Final = 100
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BLOB: Final = re.compile(r"[0-9a-f]{62}")
_SHARD: Final = re.compile(r"[0-9a-f]{2}")


class FolderBlobs:
    """Blobs below one folder. Any number of processes may use the same folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()
        self._numbers = itertools.count()

    async def put(self, tenant: str, data: bytes) -> Ref:
        """Stores the bytes; on return they and all folders above them are synced."""
        return await asyncio.to_thread(self._put, tenant, data)

    async def get(self, tenant: str, digest: bytes) -> bytes:
        return await asyncio.to_thread(self._get, tenant, digest)

    async def get_range(self, tenant: str, digest: bytes, start: int, length: int) -> bytes:
        return await asyncio.to_thread(self._read, tenant, digest, start, length)

    async def has(self, tenant: str, digest: bytes) -> bool:
        return await asyncio.to_thread(self._stat, tenant, digest) is not None

    async def size(self, tenant: str, digest: bytes) -> int:
        size = await asyncio.to_thread(self._stat, tenant, digest)
        if size is None:
            raise _missing(digest)
        return size

    async def delete(self, tenant: str, digest: bytes) -> bool:
        return await asyncio.to_thread(self._delete, tenant, digest)

    async def forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        """Removes the file unless it was put at or after an instant, by its modification time."""
        return await asyncio.to_thread(self._forget, tenant, digest, before_ms)

    async def iterate(self, tenant: str) -> AsyncIterator[bytes]:
        """The digests of a tenant's files, one folder at a time."""
        folder = self._folder(tenant)
        for shard in await asyncio.to_thread(_listed, folder, _SHARD):
            for name in await asyncio.to_thread(_listed, folder / shard, _BLOB):
                yield bytes.fromhex(shard + name)

    def path(self, tenant: str, digest: bytes) -> Path:
        """The path of a blob."""
        if len(digest) != 32:
            raise CallerError(f"{len(digest)} bytes are not a sha256", code="bad_digest", hint="pass its 32 bytes")
        name = digest.hex()
        return self._folder(tenant) / name[:2] / name[2:]

    def _folder(self, tenant: str) -> Path:
        return self._root / folder_name(tenant)

    def _put(self, tenant: str, data: bytes) -> Ref:
        digest = digest_of(data)
        path = self.path(tenant, digest)
        with _told(path):
            if not self._is_there(path, data):
                try:
                    self._write(path, data)
                except FileNotFoundError:
                    # A known folder was removed by someone: create it again, once.
                    self._durable.clear()
                    self._write(path, data)
            _sync_folder(path.parent)
        return Ref(digest, len(data))

    def _is_there(self, path: Path, data: bytes) -> bool:
        # Compared, not trusted: putting the same bytes again repairs a damaged copy.
        try:
            with _alone(path.parent):  # removal checks its modification time
                there = path.stat().st_size == len(data) and path.read_bytes() == data
                if there:
                    os.utime(path)
        except FileNotFoundError:
            return False
        if there:
            self._ensure(path.parent)
        return there

    def _write(self, path: Path, data: bytes) -> None:
        self._ensure(path.parent)
        temp = path.parent / f"{TEMP_PREFIX}{os.getpid()}-{next(self._numbers)}-{os.urandom(4).hex()}"
        try:
            handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _write_all(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            temp.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temp.unlink()
            raise

    def _ensure(self, folder: Path) -> None:
        """Creates a folder and those above it and syncs their names; removes temporary files of killed writers."""
        if folder in self._durable:
            return
        for part in (self._root, folder.parent, folder):
            if part not in self._durable:
                part.mkdir(mode=0o700, parents=part is self._root, exist_ok=True)
                _sync_folder(part.parent)
                self._durable.add(part)
        _sweep(folder)

    def _get(self, tenant: str, digest: bytes) -> bytes:
        data, path = self._read(tenant, digest), self.path(tenant, digest)
        if digest_of(data) != digest:
            why = f"the blob {digest.hex()} is not what was put"
            raise Unavailable(why, code="blob_corrupt", hint=f"restore {path} from a copy, or put the same bytes again")
        return data

    def _read(self, tenant: str, digest: bytes, start: int = 0, length: int = -1) -> bytes:
        path = self.path(tenant, digest)
        try:
            with _told(path), path.open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            raise _missing(digest) from None

    def _stat(self, tenant: str, digest: bytes) -> int | None:
        path = self.path(tenant, digest)
        try:
            with _told(path):
                return path.stat().st_size
        except FileNotFoundError:
            return None

    def _forget(self, tenant: str, digest: bytes, before_ms: int) -> int:
        path = self.path(tenant, digest)
        try:
            with _told(path), _alone(path.parent):
                found = path.stat()
                if found.st_mtime_ns // 1_000_000 >= before_ms:
                    return 0
                path.unlink()
        except FileNotFoundError:
            return 0
        return found.st_size

    def _delete(self, tenant: str, digest: bytes) -> bool:
        path = self.path(tenant, digest)
        try:
            with _told(path):
                path.unlink()
        except FileNotFoundError:
            return False
        return True


def folder_name(tenant: str) -> str:
    """A folder name for any tenant, unique also on file systems that ignore case."""
    if not tenant:
        raise CallerError("a blob belongs to a tenant", code="tenant_missing", hint="name one that is not empty")
    quoted = "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789_-" else _percent(c) for c in tenant)
    if len(quoted) <= TENANT_CHARS_MAX:
        return quoted
    return "+" + hashlib.sha256(tenant.encode("utf-8", "surrogatepass")).hexdigest()


def _percent(char: str) -> str:
    return "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Converts errors of the file system to AobErrors; a missing file stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: OSError) -> AobError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        hint = f"free space where {path.parents[2]} is; work goes on by itself then"
        return Unavailable(f"the disk of the blobs is full: {reason}", code="disk_full", hint=hint)
    return Unavailable(f"the folder of the blobs does not answer: {reason}", hint=f"look at {path.parents[2]}")


def _missing(digest: bytes) -> NotFound:
    return NotFound(f"there is no blob {digest.hex()}", code="blob_not_found")


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process checks the time of a file in this folder meanwhile, or removes one by it: locked across
    processes where that is possible."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    old = time.time() - TEMP_AGE_S
    for entry in os.scandir(folder):
        if entry.name.startswith(TEMP_PREFIX):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < old:
                    Path(entry.path).unlink()


def _listed(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    try:
        with _told(folder / "0" / "0"):
            return [name for name in os.listdir(folder) if pattern.fullmatch(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
