"""Expands an id that a person shortened. An ambiguous id is never guessed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aob.core.errors import Conflict, NotFound

if TYPE_CHECKING:
    from aob.client import AsyncClient

LOOKED_AT: Final = 500
RUNS_LOOKED_AT: Final = 50  # runs whose patches are searched
SHOWN: Final = 5


async def find_run(aob: "AsyncClient", text: str) -> str:
    """The whole id of a run: the given one, or that of the one recent run that begins or ends with it.

    Raises NotFound when none of the newest 500 runs fits, Conflict `ambiguous_id` when several do.
    """
    try:
        return (await aob.why(text))["run_id"]
    except NotFound as missing:
        page = await aob.runs(limit=LOOKED_AT)
        return _meant(text, "run_", (row["run_id"] for row in page["runs"]), missing)


async def find_ticket(aob: "AsyncClient", text: str) -> str:
    """The whole id of a ticket or of a patch: the given one, or the one that begins or ends with it. Searches open
    tickets and, unless it begins with `ticket_`, the patches of recent runs. Raises as `find_run`."""
    if text.startswith("patch_"):
        return await find_patch(aob, text)
    try:
        return (await aob.ticket(text))["ticket_id"]
    except NotFound as missing:
        found = [row["ticket_id"] for row in await aob.tickets()]
        if not text.startswith("ticket_"):
            found += await _patches(aob)
        return _meant(text, "ticket_", found, missing)


async def find_patch(aob: "AsyncClient", text: str) -> str:
    """The whole id of a patch: the given one, or the one of the newest 50 runs that begins or ends with it. Raises as
    `find_run`."""
    try:
        return (await aob.patch(text))["patch_id"]
    except NotFound as missing:
        return _meant(text, "patch_", await _patches(aob), missing)


async def _patches(aob: "AsyncClient") -> list[str]:
    page = await aob.runs(limit=RUNS_LOOKED_AT)
    return [patch["patch_id"] for row in page["runs"] for patch in await aob.patches(row["run_id"])]


def _meant(text: str, prefix: str, ids: Iterable[str], missing: NotFound) -> str:
    bare = text.removeprefix(prefix)
    # Ids begin with the time, so people tell them apart by their ends.
    found = [id for id in ids if bare and (id.removeprefix(prefix).startswith(bare) or id.endswith(bare))]
    if not found:
        raise missing
    if len(found) > 1:
        shown = ", ".join(found[:SHOWN])
        raise Conflict(f"{text} may be several", code="ambiguous_id", hint=f"say more of it: {shown}") from None
    return found[0]


FINDERS: Final = {"run_id": find_run, "ticket_id": find_ticket, "patch_id": find_patch}
"""By the argument of a verb that is such an id."""
