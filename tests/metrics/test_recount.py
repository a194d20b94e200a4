"""What cannot be taken back is counted anew, also when it is asked for in the moment in which another count ends."""

import asyncio
from pathlib import Path

import aob
from tests.metrics.till import SHOP, counted_anew, refunded, sold


async def test_a_count_that_has_just_ended_does_not_stand_for_the_next(tmp_path: Path) -> None:
    async with aob.open(tmp_path / "home") as app:
        await app.push_contracts({"shop.yaml": SHOP})
        ended = asyncio.create_task(asyncio.sleep(0))
        await ended
        app.metrics.live.restating._passes[app.who.tenant] = ended
        await app.ingest([sold(1, 5.0), sold(2, 9.0), refunded(2, 9.0)])
        await counted_anew(app)
        assert (await app.metric("largest", window="all"))["value"] == 5.0
