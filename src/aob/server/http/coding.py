"""Decompresses bodies piece by piece, never beyond the limit of the body. `gzip` by the standard library, `zstd` where
a library for it is installed. The limit counts decompressed bytes: a small body that expands too far is refused as soon
as it does."""

import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Final, Protocol

from aob.core.errors import Malformed
from aob.server.http.problem import MediaUnknown

WINDOW_LOG_MAX: Final = 24  # of zstd: 16 MiB, in powers of two
GZIP: Final = 16 + zlib.MAX_WBITS
_NAMES: Final = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Unpacking:
    """One body: `feed` decompresses a piece, `end` checks that it was whole."""

    def __init__(self, name: str) -> None:
        self._name, self._make = name, _maker(name)
        self._one: _Unpacker | None = None

    def feed(self, piece: bytes, limit: int) -> bytes:
        """Decompresses a piece to at most `limit` + 1 bytes. Raises Malformed."""
        blocks: list[bytes] = []
        size = 0
        while piece and size <= limit:
            if self._one is None or self._one.eof:
                self._one = self._make()
            try:
                block = self._one.decompress(piece, limit + 1 - size)
                piece = self._one.unused_data if self._one.eof else getattr(self._one, "unconsumed_tail", b"")
            except Exception as error:  # each library has its own errors
                raise self._broken(str(error) or type(error).__name__) from error
            blocks.append(block)
            size += len(block)
        return b"".join(blocks)

    def end(self) -> None:
        """Raises Malformed for a body that was cut."""
        if self._one is None or not self._one.eof:
            raise self._broken("it ends too early")

    def _broken(self, why: str) -> Malformed:
        return Malformed(f"the body is not {self._name}: {why}", hint="check Content-Encoding")


def _maker(name: str) -> Callable[[], _Unpacker]:
    if name == "gzip":
        return lambda: zlib.decompressobj(GZIP)
    for module, maker in (("compression.zstd", "ZstdDecompressor"), ("backports.zstd", "ZstdDecompressor")):
        try:
            library = import_module(module)
        except ImportError:
            continue
        made: Callable[..., _Unpacker] = getattr(library, maker)
        parameter = getattr(library, "DecompressionParameter", None)
        # A frame states its memory: no body needs more than the largest accepted one.
        return made if parameter is None else partial(made, options={parameter.window_log_max: WINDOW_LOG_MAX})
    raise MediaUnknown("bodies in zstd cannot be read here", hint="send gzip, or pip install backports.zstd")


def unpacking(encoding: str) -> Unpacking | None:
    """The decompressor for this Content-Encoding; None for an uncompressed body. Raises MediaUnknown."""
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    names = [name for name in names if name != "identity"]
    if not names:
        return None
    if len(names) > 1 or names[0] not in _NAMES:
        why = f"a body with Content-Encoding {encoding[:100]!r} cannot be read"
        raise MediaUnknown(why, hint="send it in gzip, or as it is")
    return Unpacking(_NAMES[names[0]])
