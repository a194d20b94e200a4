"""What an owner process tells of its journal, stretch by stretch, for the numbers of the home."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from aob.metrics.platform import Runs, Stretch, platform_contracts, stretches
from aob.runs import Core
from aob.runs.feed import WHOLE


async def told_numbers(core: Core, after: int, runs: Any) -> AsyncIterator[Stretch]:
    """The stretches behind a row, up to which these runs are remembered; for ever."""
    known: Runs = msgspec.convert(runs, Runs)
    async for stretch in stretches(lambda row: core.feed.follow(row, WHOLE), platform_contracts(), after, known):
        yield stretch
