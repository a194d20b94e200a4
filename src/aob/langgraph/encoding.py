"""Values of channels as bytes and back: a list, or a dict with text keys, item by item, so that what did not change is
stored once."""

from typing import Any, Final

import msgspec
from langgraph.checkpoint.serde.base import SerializerProtocol

from aob.threads.command import Encoded

TEXT_MIN: Final = 64
TEXTS_BYTES: Final = 8 * 2**20  # of texts and their encodings that are remembered, about
_pack: Final = msgspec.msgpack.Encoder().encode
_typed: Final = msgspec.msgpack.Decoder(tuple[str, bytes])
_entry: Final = msgspec.msgpack.Decoder(tuple[str, str, bytes])


def framed(serde: SerializerProtocol, value: Any) -> bytes:
    """A value with the name of its encoding."""
    return _pack(serde.dumps_typed(value))


def unframed(serde: SerializerProtocol, data: bytes) -> Any:
    """The value that `framed` wrote."""
    return serde.loads_typed(_typed.decode(data))


class Encoding:
    """Encodes values of channels. It remembers texts that it has encoded, because a list that grows has most of them
    again: nothing but a text stays what it was by itself."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[bytes, bytes]] = {}
        self._size = 0

    def of(self, serde: SerializerProtocol, value: Any) -> Encoded:
        """A value of a channel."""
        if type(value) is list:
            return Encoded(Encoded.LIST, [self._item(serde, each) for each in value])
        if type(value) is dict and all(type(key) is str for key in value):
            items = [Encoded.item(_pack((key, *serde.dumps_typed(each)))) for key, each in value.items()]
            return Encoded(Encoded.DICT, items)
        return Encoded(Encoded.WHOLE, [self._item(serde, value)])

    def _item(self, serde: SerializerProtocol, value: Any) -> tuple[bytes, bytes]:
        if type(value) is not str or len(value) < TEXT_MIN:
            return Encoded.item(framed(serde, value))
        if (known := self._texts.get(value)) is None:
            known = Encoded.item(framed(serde, value))
            if self._size > TEXTS_BYTES:
                self._texts, self._size = {}, 0
            self._texts[value] = known
            self._size += 3 * len(known[1])
        return known


def decoded(serde: SerializerProtocol, kind: int, items: list[bytes]) -> Any:
    """The value that `encoded` wrote."""
    if kind == Encoded.LIST:
        return [unframed(serde, item) for item in items]
    if kind == Encoded.DICT:
        told = (_entry.decode(item) for item in items)
        return {key: serde.loads_typed((name, data)) for key, name, data in told}
    return unframed(serde, items[0])
