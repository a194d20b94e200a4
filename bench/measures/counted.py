"""What a run costs in counts, which no neighbour's load moves: byte codes of the loop's thread, by a tracer.

The difference of a larger and a smaller round, so that what is paid once falls out; each round is decided in one batch.
"""

import asyncio
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from bench.frame import Bench, Figure, measure
from bench.measures.live import Untold
from bench.measures.runs import finish, home, run
from bench.workflows import INPUTS, chain, waiting

ROUNDS: Final = (40, 240)
SLOWER: Final = 20
"""A traced step takes so many times as long: few runs in the two rounds, and what waits waits as much longer."""
ROUNDS_SMALL: Final = (2, 4)
SLOWER_SMALL: Final = 2
"""Where only the working counts: what waits, waits for most of the time."""


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
    from aob.compose.metrics import wiring
    from aob.journal import deciding
    from aob.metrics.platform import folding
    from aob.work.pool import stepping

    rounds, slower = (ROUNDS_SMALL, SLOWER_SMALL) if bench.small else (ROUNDS, SLOWER)

    async def once(workflow: str, mode: str) -> float:
        taken = []
        async with home(bench, chain("chain", 5), waiting("wait")) as app:
            await finish(app, "chain", 20, mode)
            await asyncio.sleep(2 * folding.TELL_S)  # what is made once is made
            for count in rounds:
                with Tracer() as tracer:
                    if workflow == "wait":
                        await app.views.start_many(app.who, [{"workflow": "wait", "inputs": INPUTS}] * count)
                    else:
                        await finish(app, workflow, count, mode)
                    await asyncio.sleep(2 * folding.TELL_S)  # what is read behind the runs belongs to them
                taken.append(tracer.count)
        return (taken[1] - taken[0]) / (rounds[1] - rounds[0])

    names, bursts, telling = vars(deciding), vars(stepping), vars(folding)
    whole = vars(wiring)["Platform"]
    until, held, burst, tell_s = names["BATCH_MS"], names["HELD_S"], bursts["BURST_S"], telling["TELL_S"]
    try:
        names["BATCH_MS"], bursts["BURST_S"], telling["TELL_S"] = 1e9, 1e9, tell_s * slower
        names["HELD_S"] = held * slower
        with_platform = run(once("chain", "full"))
        vars(wiring)["Platform"] = Untold
        without = run(once("chain", "full"))
        vars(wiring)["Platform"] = whole
        yield Figure("counted.chain5.full.bytecodes", with_platform, "byte codes")
        yield Figure("counted.platform.share", (with_platform / without - 1) * 100, "%", 5.0)
        yield Figure("counted.chain5.fast.bytecodes", run(once("chain", "fast")), "byte codes")
        yield Figure("counted.start.bytecodes", run(once("wait", "full")), "byte codes")
    finally:
        names["BATCH_MS"], bursts["BURST_S"], telling["TELL_S"] = until, burst, tell_s
        names["HELD_S"] = held
        vars(wiring)["Platform"] = whole
