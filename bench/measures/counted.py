"""What a run costs in counts, which no neighbour's load moves: byte codes of the loop's thread, by a tracer.

The difference of a larger and a smaller round, so that what is paid once falls out; each round is decided in one batch.
"""

import asyncio
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from bench.frame import Bench, Figure, measure
from bench.measures.runs import finish, home, run
from bench.workflows import INPUTS, chain, waiting

ROUNDS: Final = (40, 240)
"""Runs in the two rounds: few, because a traced step takes twenty times as long."""


class Tracer:
    """Counts the byte codes of this thread while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Tracer":
        sys.settrace(self._called)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._stepped

    def _stepped(self, frame: FrameType, event: str, arg: object) -> Any:
        self.count += event == "opcode"
        return self._stepped


@measure("counted")
def counted(bench: Bench) -> Iterator[Figure]:
    """Byte codes of a run of five nodes, and of a start: what changes them is the code alone."""
    from aob.journal import deciding

    async def once(workflow: str, mode: str) -> float:
        taken = []
        async with home(bench, chain("chain", 5), waiting("wait")) as app:
            await finish(app, "chain", 20, mode)
            for count in ROUNDS:
                with Tracer() as tracer:
                    if workflow == "wait":
                        await app.views.start_many(app.who, [{"workflow": "wait", "inputs": INPUTS}] * count)
                    else:
                        await finish(app, workflow, count, mode)
                    await asyncio.sleep(0.1)  # what is read behind the runs belongs to them
                taken.append(tracer.count)
        return (taken[1] - taken[0]) / (ROUNDS[1] - ROUNDS[0])

    names = vars(deciding)
    until = names["BATCH_MS"]
    try:
        names["BATCH_MS"] = 1e9
        yield Figure("counted.chain5.full.bytecodes", run(once("chain", "full")), "byte codes")
        yield Figure("counted.chain5.fast.bytecodes", run(once("chain", "fast")), "byte codes")
        yield Figure("counted.start.bytecodes", run(once("wait", "full")), "byte codes")
    finally:
        names["BATCH_MS"] = until
