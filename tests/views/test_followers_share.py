"""Readers of all runs share what is made of a commit: fifty cost fifty writes and one decoding. Counted, not timed."""

import asyncio
import sys
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from types import FrameType
from typing import Any

import aob
from aob.compose import App
from aob.fanout import FrameCache
from tests.runs.home import Deed, chain, finished

MADE_ONCE = ("entry", "_fields", "_plain", "_facts", "encode_frame", "token")
RUNS = 6


async def follower(app: App, frames: FrameCache, begun: asyncio.Event) -> list[bytes]:
    """What a reader is sent, from now on until all runs have ended."""
    sent, ended = list[bytes](), 0
    async with aclosing(app.views.follow(app.who, place=True)) as feed:
        async for position, name, data in feed:
            begun.set()
            if name:
                sent.append(frames.frame(position, name, data))
                ended += name == "run_finished"
            if ended == RUNS:
                return sent
    raise AssertionError("the feed has ended")


async def cost(folder: Path, readers: int) -> Counter[str]:
    """Bytecodes by function, of some runs with so many readers; all are sent the same."""
    found = Counter[str]()

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        found[frame.f_code.co_name] += event == "opcode"
        return local

    def begun(frame: FrameType, event: str, arg: Any) -> Any:
        if "/aob/" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return local

    async with aob.open(folder, app=Deed().handlers()) as app:
        await app.push(chain("one", "echo", "echo"))
        await finished(app, (await app.start("one", 1)).id)
        frames, there = FrameCache(1 << 22), [asyncio.Event() for _ in range(readers)]
        tasks = [asyncio.create_task(follower(app, frames, each)) for each in there]
        await asyncio.gather(*(each.wait() for each in there))
        sys.settrace(begun)
        try:
            runs = [await app.start("one", number) for number in range(RUNS)]
            for run in runs:
                await finished(app, run.id)
            sent = await asyncio.gather(*tasks)
        finally:
            sys.settrace(None)
    assert all(each == sent[0] for each in sent)
    return found


async def test_fifty_readers_decode_as_often_as_two(tmp_path: Path) -> None:
    few = await cost(tmp_path / "few", 2)
    for turn in range(3):  # a reader that a busy machine kept from a commit reads it by itself
        many = await cost(tmp_path / f"many{turn}", 50)
        dear = [name for name in MADE_ONCE if many[name] > 1.5 * few[name] + 500]
        if not dear:
            break
    assert not dear
    assert many.total() - few.total() < 48 * 0.1 * few.total()
