"""The files of a home and what they know of one another: held together at each start, copied by `aob backup`.

In: a home that nobody runs, or the page of one that runs. Out: the marks of its files, or the line that says which of
them is missing, older or another's, and what helps.
"""

from aob.compose.files.accepting import accept_loss
from aob.compose.files.copying import backup, restore
from aob.compose.files.inspecting import Seen, compared, inspected
from aob.compose.files.judging import Trouble
from aob.compose.files.looking import held_together, opened, troubles
from aob.compose.files.room import Room, make_room

__all__ = [
    "Room", "Seen", "Trouble", "accept_loss", "backup", "compared", "held_together", "inspected", "make_room", "opened",
    "restore", "troubles",
]  # fmt: skip
