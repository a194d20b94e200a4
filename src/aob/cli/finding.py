"""An id that a person cut short to the one that is meant. Only for commands that read: what acts wants whole ids."""

from typing import TYPE_CHECKING, Final

from aob.core.errors import Conflict, NotFound

if TYPE_CHECKING:
    from aob.client import AsyncClient

PREFIX: Final = "run_"
LOOKED_AT: Final = 500
SHOWN: Final = 5


async def find_run(aob: "AsyncClient", text: str) -> str:
    """The whole id of a run: as it is, or of the one recent run that it begins or ends.

    Raises NotFound when none of the newest 500 runs fits, Conflict `ambiguous_id` when several do.
    """
    try:
        return (await aob.why(text))["run_id"]
    except NotFound as missing:
        bare = text.removeprefix(PREFIX)
        page = await aob.runs(limit=LOOKED_AT)
        ids = [row["run_id"] for row in page["runs"]]
        # Ids begin with the time, so people tell them apart by their ends.
        found = [id for id in ids if bare and (id.removeprefix(PREFIX).startswith(bare) or id.endswith(bare))]
        if not found:
            raise missing
        if len(found) > 1:
            shown = ", ".join(found[:SHOWN])
            raise Conflict(
                f"{text} may be several runs", code="ambiguous_id", hint=f"say more of it: {shown}"
            ) from None
        return found[0]
