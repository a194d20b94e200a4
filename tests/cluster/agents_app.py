"""An agent of a cluster."""

from typing import Any

import aob


@aob.agent(consumes=["orders"], produces=["counts"])
async def counts(record: Any, ctx: Any) -> None:
    """Counts the records of a key."""
    seen = (ctx.state or 0) + 1
    ctx.set_state(seen)
    ctx.emit("counts", "counted", [record.data, seen])
