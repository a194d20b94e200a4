"""`aob shards` and `aob shards set`: show the shards of a home from its files, and change their number."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from aob.backends.sqlite.identity import look
from aob.compose.files import check_files, opened
from aob.compose.home import Hint, files_only, forwarded, home_made, kept_in_database, remember, shard_files
from aob.compose.layout.database import shards_in
from aob.compose.layout.layout import layout_of
from aob.compose.layout.moving import Step, finished, rearranged
from aob.compose.lock import owning, usable
from aob.compose.settings import read_settings
from aob.compose.storage import InDatabase
from aob.core.answers import JsonObject
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.verbs import key_verbs


def shards_told(home: Path) -> JsonObject:
    """The number of partitions of a home, and each shard's file, partitions with epochs, and rows. Also of a running
    home. Raises NotFound for no home."""
    check_made(home)
    layout = layout_of(home)
    shards: list[JsonObject] = []
    for number, path in shard_files(home).items():
        found = look(path, "journal")
        epochs = {str(at): layout.chains[at][-1].epoch for at, owner in enumerate(layout.owners) if owner == number}
        shards.append({"shard": number, "file": path.name, "partitions": len(epochs), "epochs": epochs,
                       "rows": found.row if found else 0})  # fmt: skip
    return {"home": str(home), "partitions": layout.partitions, "moving": layout.moving, "shards": shards}


async def shards_of(home: Path, env: Mapping[str, str]) -> JsonObject:
    """`shards_told`, or `shards_in` for a home in a database, or where there is no home and `env` names a database."""
    kept = kept_in_database(home)
    if home_made(home) and not kept:
        return shards_told(home)
    settings = read_settings(home, env)
    if not kept and not settings.in_database:
        return shards_told(home)
    async with InDatabase.opened(home, settings) as storage:
        return {"home": str(home), **await shards_in(storage)}


async def set_shards(home: Path, shards: int, step: Step) -> JsonObject:
    """Distribute the partitions of a home over so many shards; returns `shards_told` afterwards, with how many
    partitions and live runs moved. Raises Conflict `home_in_use` for a running home, Invalid `bad_shards`, NotFound."""
    if not 1 <= shards <= key_verbs.SHARDS_MAX:
        limit = Problem("shards", f"{shards} is not between 1 and {key_verbs.SHARDS_MAX}", "bad_shards")
        raise Invalid(f"a home has 1 to {key_verbs.SHARDS_MAX} shards", [limit])
    check_made(home)
    moved = {"partitions": 0, "runs": 0}

    def stepped(partition: int, source: int, target: int, runs: int) -> None:
        moved["partitions"] += 1
        moved["runs"] += runs
        step(partition, source, target, runs)

    with owning(home), usable(home):
        await asyncio.to_thread(check_files, home)
        forwarded(home)
        page = partial(opened, home)
        layout = await finished(home, layout_of(home), page)
        layout = await rearranged(home, layout, shards, page, stepped)
        remember(home, Hint(len(layout.active), layout.partitions))
    return {**shards_told(home), "moved": moved}


def check_made(home: Path) -> None:
    """Raises NotFound for no home, Conflict `in_database` for one without files of shards."""
    files_only(home, "the shards of a database are spread over the processes that use it: start one more, or fewer")
    if not home_made(home) or not shard_files(home):
        hint = "aob up makes one; of a cluster in a database AOB_STORE names it, or --home the folder of a process"
        raise NotFound(f"{home} is no home", code="no_home", hint=hint)
