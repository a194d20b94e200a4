"""What an owner process publishes of its journal, by position: numbers, and milestones of runs."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from aob.core.agent import record as agent
from aob.core.agent_name import AGENT
from aob.core.run.record import decode_events, encode_events
from aob.metrics.platform import Runs, Slice, platform_contracts, stretches
from aob.runs import Core, Fact


async def stream_numbers(core: Core, after: int, runs: Runs) -> AsyncIterator[Slice]:
    """Numbers after a row up to which these runs are remembered; endless."""
    async for stretch in stretches(core.feed.commits, platform_contracts(), after, runs):
        yield stretch


class Milestone(msgspec.Struct, array_like=True):
    """A fact in wire format."""

    row: int
    index: int
    at_ms: int
    stream: str
    seq: int
    tenant: str
    event: str


class Milestones(msgspec.Struct, array_like=True):
    """Milestones of a journal, the row up to which they are complete, and its last row."""

    facts: list[Milestone]
    row: int
    end: int

    @classmethod
    def of(cls, facts: Sequence[Fact], row: int, end: int) -> "Milestones":
        """Convert facts to the wire format."""
        told = [
            Milestone(each.row, each.index, each.at_ms, each.stream, each.seq, each.tenant,
                      _law(each.stream)[0]([each.event]).decode())
            for each in facts
        ]  # fmt: skip
        return cls(told, row, end)

    def read(self) -> list[Fact]:
        """Convert back to facts."""
        return [
            Fact(each.row, each.index, each.at_ms, each.stream, each.seq, _law(each.stream)[1](each.event.encode())[0],
                 each.tenant)
            for each in self.facts
        ]  # fmt: skip


def _law(stream: str) -> tuple[Callable[[list[Any]], bytes], Callable[[bytes], list[Any]]]:
    """How the events of a run, or of an agent's key, are written and read."""
    of_agent = stream.startswith(AGENT)
    return (agent.encode_events, agent.decode_events) if of_agent else (encode_events, decode_events)


async def stream_milestones(core: Core, after: int) -> AsyncIterator[Milestones]:
    """Milestones after a row, or from now on for `WHOLE`; endless. The first item is the journal's present end."""
    end = core.journal.durable_row
    yield Milestones([], after, end)
    async for facts, row in core.feed.milestones(after):
        yield Milestones.of(facts, row, core.journal.durable_row)


async def read_milestones(core: Core, after: int) -> Milestones:
    """One batch of milestones after a row."""
    facts, row = await core.feed.milestones_after(after)
    return Milestones.of(facts, row, core.journal.durable_row)
