"""Port `Mark`: one file's entry in the page of a home that records how far each of its files is durable. A file notes
its id and each row that becomes durable in its mark, and writes the mark's record of its peers into its regular
commits. A mark is never synced and can only lag behind its file."""

from typing import Final, Protocol

FORMAT: Final = 9
"""The format number of the files of this release. 1 had no ids, and no checksums; 2 no pointers into the journal; 3 no
rows of open tickets; 4 no records of plain hops; 5 no extents; 6 no messages between streams; 7 ids of tickets and
patches that do not contain their run; 8 no topics in the shards."""


class Mark(Protocol):
    """One file's entry in the page."""

    @property
    def home(self) -> bytes:
        """The id of the home."""

    def begin(self, file_id: bytes, row: int) -> None:
        """Record that the file is open: its id and its last durable row."""

    def note(self, row: int) -> None:
        """Record that this row is durable. Raises Unavailable `home_gone` when the home was removed meanwhile."""

    def peers(self) -> bytes:
        """The present records of all other files, as bytes to store."""


class Unmarked:
    """The mark of a file without a page."""

    home: bytes = b""

    def begin(self, file_id: bytes, row: int) -> None:
        """Does nothing."""

    def note(self, row: int) -> None:
        """Does nothing."""

    def peers(self) -> bytes:
        """No records."""
        return b""
