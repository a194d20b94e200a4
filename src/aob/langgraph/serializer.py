"""LangGraph's serializer with a strict list of types: what is not on it is refused when it is written, with the name of
the type, instead of coming back as something else."""

import re
import threading
from collections.abc import Collection
from typing import Any, Final

import ormsgpack
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import EXT_DELTA_SNAPSHOT, EXT_METHOD_SINGLE_ARG, EXT_NUMPY_ARRAY
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer as _JsonPlus

from aob.core.errors import Invalid, Problem

TYPE_NOT_ALLOWED: Final = "type_not_allowed"
_EXTENDED: Final = re.compile(rb"[\xc7-\xc9\xd4-\xd8]")
"""How every value of another type than those of JSON begins; bytes of texts may look alike."""
_seen: Final = threading.local()
Allowed = Collection[tuple[str, ...] | type]


class StrictSerializer(_JsonPlus):
    """Writes and reads types of LangGraph, of LangChain's messages, of the standard library, and those allowed."""

    def __init__(self, allow: Allowed = ()) -> None:
        super().__init__(allowed_msgpack_modules=tuple(allow) or None)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """A value as bytes. Raises Invalid `type_not_allowed`."""
        try:
            kind, data = super().dumps_typed(obj)
        except (ormsgpack.MsgpackEncodeError, TypeError, RecursionError) as error:
            raise _refused([f"{type(obj).__module__}.{type(obj).__name__}: {error}"]) from error
        if kind == "msgpack" and _EXTENDED.search(data) and (refused := self._refused_in(data)):
            raise _refused(refused)
        return kind, bytes(data)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """A value of bytes. Raises Invalid `type_not_allowed`: another process that writes may allow more."""
        before, _seen.blocked = getattr(_seen, "blocked", None), []
        try:
            value = super().loads_typed(data)
            if _seen.blocked:
                raise _refused(_seen.blocked)
            return value
        finally:
            _seen.blocked = before

    def _refused_in(self, data: bytes) -> list[str]:
        """The types in bytes that are not allowed."""
        found: list[str] = []

        def look(code: int, data: bytes) -> None:
            if code == EXT_NUMPY_ARRAY:
                return
            told = _unpacked(data, look)
            if code == EXT_DELTA_SNAPSHOT or not isinstance(told, list | tuple) or len(told) < 2:
                return
            module, name = str(told[0]), str(told[1])
            method = code == EXT_METHOD_SINGLE_ARG and (module, name, told[3]) not in _methods()
            if method or (code != EXT_METHOD_SINGLE_ARG and not self._allows(module, name)):
                found.append(f"{module}.{name}")

        _unpacked(data, look)
        return found

    def _allows(self, module: str, name: str) -> bool:
        allowed = self._allowed_msgpack_modules
        return (module, name) in _safe() or allowed is True or bool(allowed and (module, name) in allowed)


def _unpacked(data: bytes, look: Any) -> Any:
    return ormsgpack.unpackb(data, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)


def _safe() -> frozenset[tuple[str, ...]]:
    from langgraph.checkpoint.serde import _msgpack

    return _msgpack.SAFE_MSGPACK_TYPES


def _methods() -> frozenset[tuple[str, str, str]]:
    from langgraph.checkpoint.serde import _msgpack

    return _msgpack.SAFE_MSGPACK_METHODS


def _refused(types: list[str]) -> Invalid:
    named = ", ".join(sorted(set(types)))[:500]
    hint = "allow=[TheType] where the saver is made, or saver.with_allowlist([TheType])"
    return Invalid(f"not on the list of types that a checkpoint may have: {named}",
                   [Problem("", f"{each[:200]} is not allowed", TYPE_NOT_ALLOWED) for each in sorted(set(types))[:10]],
                   code=TYPE_NOT_ALLOWED, hint=hint)  # fmt: skip


def _blocked(event: SerdeEvent) -> None:
    found = getattr(_seen, "blocked", None)
    if found is not None and event["kind"].endswith("_blocked"):
        found.append(f"{event['module']}.{event['name']}")


register_serde_event_listener(_blocked)
