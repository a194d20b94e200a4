"""A frame of many items: those of one worker hold up no other, and what cannot be is refused before it is made."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aob.core.errors import CallerError
from aob.rpc import BYTES_MAX, Outbox
from aob.rpc.frames import FRAME_ITEMS
from aob.server.workers import stream
from aob.server.workers.stream import ITEMS_AT_ONCE, ITEMS_MAX, Door
from aob.work.remote import Requests
from tests.workers.client import Raw, hello, pb
from tests.workers.home import home, key_of, where

DECLINE = pb.WorkerItem(decline=pb.Decline(run="r", visit="v", attempt=1))


@pytest.mark.parametrize("junk", [
    b"\x0a\x00" * (BYTES_MAX // 2), b"\x8a\x00\x00" * 100_000, b"\x0a\x00\x10\x01" * 100_000,
    b"\x0a\x00" * (2 * ITEMS_MAX) + b"\x0a", b"\x10\x80\xb5\x18" + b"\x0a\x00" * 200_000,
], ids=["empty items", "tags that are longer than needed", "fields between", "broken off", "numbers"])  # fmt: skip
async def test_a_frame_of_too_many_items_is_refused_before_they_are_made(
    junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream.pb, "WorkerFrame", None)
    with pytest.raises(CallerError, match="items") as refused:
        stream._frame(junk)
    assert refused.value.code == "worker_frame"


def test_as_many_items_as_may_be_are_taken_and_large_ones_too() -> None:
    many = pb.WorkerFrame(items=[DECLINE] * ITEMS_MAX)
    large = pb.WorkerFrame(items=[pb.WorkerItem(done=pb.Done(output=b"x" * 3_000_000)), DECLINE])
    for frame in (many, large, pb.WorkerFrame()):
        assert stream._frame(frame.SerializeToString()) == frame


async def test_what_we_send_never_has_too_many() -> None:
    sent = list[bytes]()

    async def write(data: bytes) -> None:
        sent.append(data)

    outbox = Outbox(write)
    for _ in range(FRAME_ITEMS + 1):
        outbox.put(pb.WorkerItem())
    task = asyncio.create_task(outbox.run())
    await outbox.drained()
    outbox.end()
    await task
    assert [len(pb.WorkerFrame.FromString(frame).items) for frame in sent] == [FRAME_ITEMS, 1]
    assert FRAME_ITEMS < ITEMS_MAX


class Taken:
    """What is taken of a worker, which another stream replaces after the first part."""

    def __init__(self) -> None:
        self.line: object = stream.Stream(None)  # type: ignore[arg-type]  # nothing is sent
        self.items = 0

    def take(self, worker: "Taken", frame: pb.WorkerFrame) -> None:
        self.items += len(frame.items)
        self.line = None


async def test_the_rest_of_a_frame_is_not_taken_once_another_stream_of_its_worker_counts() -> None:
    worker = Taken()
    door: Door[Any] = Door(None, worker, [])  # type: ignore[arg-type]  # as much as is used
    frame = pb.WorkerFrame(items=[pb.WorkerItem(), *[DECLINE] * (3 * ITEMS_AT_ONCE)])
    assert not await door._read(worker.line, worker, frame, None)  # type: ignore[arg-type]
    assert worker.items == ITEMS_AT_ONCE


async def test_others_have_their_turn_within_a_large_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, take = list[int](), Requests.take

    def takes(self: Requests, worker: Any, frame: pb.WorkerFrame) -> None:
        taken.append(len(frame.items))
        take(self, worker, frame)

    monkeypatch.setattr(Requests, "take", takes)
    async with home(tmp_path / "home") as app:
        raw = Raw(where(app), await key_of(app))
        await raw.send(hello(slots=1))
        await raw.items("welcome")
        await raw.send(*[DECLINE] * (3 * ITEMS_AT_ONCE + 1))
        assert len(await raw.items("ack", 3 * ITEMS_AT_ONCE + 1)) == 3 * ITEMS_AT_ONCE + 1
        await raw.die()
    assert max(taken) == ITEMS_AT_ONCE
    assert sum(taken) == 3 * ITEMS_AT_ONCE + 1
