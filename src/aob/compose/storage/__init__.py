"""Where a home keeps what must last: its own files, memory, or a database. Everything else of `compose` asks for a part
by its port, and does not know which it is."""

from aob.compose.storage.claim import Claim, unclaimed
from aob.compose.storage.database import InDatabase
from aob.compose.storage.files import Files, open_blobs
from aob.compose.storage.following import Following
from aob.compose.storage.inspecting import accept_loss, inspected_database
from aob.compose.storage.later import WrittenLater
from aob.compose.storage.storage import Storage

__all__ = [
    "Claim",
    "Files",
    "Following",
    "InDatabase",
    "Storage",
    "WrittenLater",
    "accept_loss",
    "inspected_database",
    "open_blobs",
    "unclaimed",
]
