"""The files of a home and what they record of one another: compared at each start, copied by `aob backup`."""

from aob.compose.files.accepting import accept_loss
from aob.compose.files.checking import check_files, opened
from aob.compose.files.copying import backup, restore
from aob.compose.files.inspecting import Opens, Seen, compared, inspected, shard_stores
from aob.compose.files.room import Room, make_room

__all__ = [
    "Opens",
    "Room",
    "Seen",
    "accept_loss",
    "backup",
    "check_files",
    "compared",
    "inspected",
    "make_room",
    "opened",
    "restore",
    "shard_stores",
]
