"""The port `Records` in one file of a home, which is replaced as a whole by each write: a reader sees one state of it,
and so does a copy. There is no file before the first write."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Unavailable
from aob.ports.cluster import PAST_MAX, Record, check_record, version_differs

FORMAT: Final = 1


class _File(msgspec.Struct):
    """All that is kept. `changed` counts writes."""

    format: int = FORMAT
    changed: int = 0
    kept: dict[str, list[Record]] = {}


class FileRecords:
    """The records of a file. Only the owner of the home writes; its other processes read."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path, self._now_ms = path, now_ms
        self._mark: tuple[int, int, int] = (0, 0, 0)
        self._file = _File()
        self._lock = asyncio.Lock()

    async def changed(self) -> int:
        return self._read().changed

    async def read(self, name: str) -> Record | None:
        kept = self._read().kept.get(name)
        return kept[0] if kept else None

    async def every(self, start: str) -> list[Record]:
        found = (kept[0] for name, kept in sorted(self._read().kept.items()) if name.startswith(start))
        return [record for record in found if record.data]

    async def write(self, name: str, data: bytes, after: int, by: str, past: int = PAST_MAX) -> Record:
        check_record(name, data, past)
        async with self._lock:
            file = self._read()
            kept = file.kept.get(name, [])
            if (present := kept[0].version if kept else 0) != after:
                raise version_differs(name, after, present)
            record = Record(name, after + 1, data, by, self._now_ms())
            written = _File(FORMAT, file.changed + 1, {**file.kept, name: [record, *kept][:past]})
            await asyncio.to_thread(self._write, msgspec.json.encode(written))
            return record

    async def past(self, name: str) -> list[Record]:
        return list(self._read().kept.get(name, ()))

    async def close(self) -> None:
        """Does nothing: no file stays open."""

    def _read(self) -> _File:
        """What the file has; read again when it was replaced. Raises Unavailable for one that cannot be read."""
        try:
            seen = self._path.stat()
            mark = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
            if mark != self._mark:
                found = msgspec.json.decode(self._path.read_bytes(), type=_File)
                if found.format > FORMAT:
                    raise Unavailable(f"{self._path} has format {found.format}, and this release reads up to {FORMAT}",
                                      code="newer_format", hint="use a later release")  # fmt: skip
                self._file, self._mark = found, mark
        except FileNotFoundError:
            self._file, self._mark = _File(), (0, 0, 0)
        except (OSError, msgspec.MsgspecError) as error:
            raise Unavailable(f"{self._path} cannot be read: {error}", code="records_unreadable",
                              hint="restore it from a backup") from error  # fmt: skip
        return self._file

    def _write(self, data: bytes) -> None:
        beside = self._path.with_name(f".{self._path.name}")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written: {error.strerror}", code="home_unusable",
                              hint="is the disk full?") from error  # fmt: skip
