"""Starts: one run, an array of runs, or lines of runs as they arrive. An invalid item never fails its batch."""

import asyncio
import types
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from aob.core.answers import JsonObject, StartVerdict
from aob.core.document import key_twice
from aob.core.errors import AobError, Busy, Invalid, Unavailable
from aob.core.problem import outward_items, problem_of
from aob.core.rights import may, sees_home
from aob.core.verb import places_of
from aob.core.verbs import run_verbs
from aob.server.http.answer import NDJSON, Answer, Header, encode, encode_lines, json_answer, run_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.problem import decode_error
from aob.server.http.route import BOM, NDJSON_MEDIA, Takes, refuse_twice, takes
from aob.server.http.verb_routes import Fields, Odd
from aob.server.http.waits import Wait

ITEMS_AT_ONCE: Final = 2_000
"""Items passed to the engine at once, about one commit, so that a batch of any size shares the loop."""
UNDER_WAY_MAX: Final = 4_000
"""Lines of one request that are with the engine at once: the next wait there while some commit, and no request fills
the queue that all tenants share."""


class StartQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the request waits for the end of the run. Starts sent as lines never wait."""

    wait: Wait = None


_START: Final = run_verbs.START.http[0]
StartBody: Final = places_of(run_verbs.START, _START).body_type(_START, run_verbs.StartRun.__doc__ or "")
_READ_ERRORS: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
_one: Final = msgspec.json.Decoder(StartBody)
_ITEMS: Final = types.GenericAlias(list, StartBody)
_many: Final = msgspec.json.Decoder[list[msgspec.Struct]](_ITEMS)
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_fields: Final = msgspec.structs.asdict

Item: TypeAlias = msgspec.Struct | StartVerdict


async def start(call: Call[StartQuery, Any], fields: Fields) -> Answer:
    """Starts one run and waits for its end if requested; or answers a verdict a line for a body of lines."""
    within_ms = call.wait_ms(call.query.wait)
    if within_ms:
        may(call.who, "view")  # before the run is started: the answer shows it whole
    if call.media and call.media in TAKES_START.streamed_known:
        return await _start_lines(call)
    fields = _fields(call.body)
    fields["key"] = call.command_id(fields["key"])
    started = await call.act("start")(call.who, **fields)
    if within_ms:
        return await _ended(call, started, within_ms)
    if not started["created"]:
        return Answer(encode(started))
    where: Header = (b"location", b"/v1/runs/" + started["run_id"].encode())
    return Answer(encode(started), 201, headers=(where,))


async def _ended(call: Call[StartQuery, object], started: JsonObject, within_ms: int) -> Answer:
    """The end of a started run; its current state when the wait is refused, because it has been started."""
    where: Header = (b"location", b"/v1/runs/" + started["run_id"].encode())
    try:
        told = await call.ended(started["run_id"], within_ms)
    except (Busy, Unavailable):
        return json_answer(started, status=202, headers=(where,))
    return msgspec.structs.replace(run_answer({**told, "created": started["created"]}), headers=(where,))


async def start_batch(call: Call[Nothing, list[Item]], fields: Fields) -> Answer:
    """Starts an array of runs; answers an array of verdicts in the same order."""
    return json_answer(await _start_all(call, call.body))


async def _start_lines(call: Call[StartQuery, object]) -> Answer:
    """Passes on lines while the rest arrives; answers when all verdicts are there."""
    under_way: list[asyncio.Task[list[JsonObject]]] = []
    room = _Room()
    parts: list[bytes] = []
    try:
        async for piece in call.pieces():
            if not under_way and not parts:
                piece = piece.removeprefix(BOM)
            cut = piece.rfind(b"\n") + 1
            if cut:
                block = b"".join((*parts, piece[:cut]))
                parts.clear()
                under_way.append(asyncio.create_task(_start_block(call, block, room)))
            if cut < len(piece):
                parts.append(piece[cut:])
        if parts:
            under_way.append(asyncio.create_task(_start_block(call, b"".join(parts), room)))
    except BaseException:
        room.close()
        raise
    finally:
        # A run that was passed on is started, even if the caller hangs up meanwhile.
        found = await asyncio.gather(*under_way)
    return Answer(b"".join(map(encode_lines, found)), media=NDJSON)


async def _start_block(call: Call[StartQuery, object], block: bytes, room: "_Room") -> list[JsonObject]:
    lines = [line for line in block.split(b"\n") if line.strip()]
    try:
        items: list[Item] = list(_one.decode_lines(block))
        if key_twice(b"[" + b",".join(lines) + b"]") is not None:
            items = list(map(_item, lines))
    except _READ_ERRORS:
        items = list(map(_item, lines))
    verdicts: list[JsonObject] = []
    for at in range(0, len(items), ITEMS_AT_ONCE):
        part = items[at : at + ITEMS_AT_ONCE]
        if not await room.take(len(part)):
            break
        try:
            verdicts += await _start_all(call, part)
        finally:
            room.give(len(part))
    return verdicts


class _Room:
    """How many further lines of one request may be with the engine."""

    def __init__(self) -> None:
        self._free, self._more, self._closed = UNDER_WAY_MAX, asyncio.Event(), False

    async def take(self, count: int) -> bool:
        """Wait until there is room for so many, at most `UNDER_WAY_MAX`; false when there will be none."""
        while self._free < count and not self._closed:
            self._more.clear()
            await self._more.wait()
        if self._closed:
            return False
        self._free -= count
        return True

    def close(self) -> None:
        """The caller has gone: nobody would read the verdicts of further lines."""
        self._closed = True
        self._more.set()

    def give(self, count: int) -> None:
        """So many have their verdicts."""
        self._free += count
        self._more.set()


async def _start_all(call: Call[StartQuery, object] | Call[Nothing, list[Item]], items: list[Item]) -> list[JsonObject]:
    if len(items) > ITEMS_AT_ONCE:
        slices = (items[at : at + ITEMS_AT_ONCE] for at in range(0, len(items), ITEMS_AT_ONCE))
        return [verdict for part in slices for verdict in await _start_all(call, part)]
    good = [_fields(item) for item in items if isinstance(item, msgspec.Struct)]
    try:
        found: Sequence[JsonObject] = await call.act("start_many")(call.who, good) if good else ()
    except AobError as error:
        found = [{"error": problem_of(error)}] * len(good)
    if not sees_home(call.who):
        found = [*outward_items(found)]
    if len(found) == len(items):
        return list(found)
    verdicts = iter(found)
    return [next(verdicts) if isinstance(item, msgspec.Struct) else dict(item) for item in items]


def _item(line: bytes | msgspec.Raw) -> Item:
    try:
        refuse_twice(bytes(line))
        return _one.decode(line)
    except Invalid as error:
        return {"error": problem_of(error)}
    except _READ_ERRORS as error:
        return {"error": problem_of(decode_error(error, "this item", StartBody))}


def read_batch(data: bytes) -> list[Item]:
    """The items of an array; an invalid item becomes a verdict. Raises msgspec errors when the body is not an array."""
    try:
        return list(_many.decode(data))
    except msgspec.ValidationError:
        return [_item(raw) for raw in _raws.decode(data)]


TAKES_START: Final = takes(StartBody, streamed=NDJSON_MEDIA)

ODD: Final = {
    "start_run": Odd(start, TAKES_START, StartQuery),
    "start_runs": Odd(start_batch, Takes[list[Item]](_ITEMS, read_batch)),
}
