"""Port `Mark`: the place of one file in the page of a home that says how far each of its files is durable.

A file tells its mark who it is and each row that has become durable; it writes what the mark knows of its peers into
the commits that it makes anyway. A mark is never synced and can only lag behind its file.
"""

from typing import Final, Protocol

FORMAT: Final = 8
"""The format number of the files of this release. 1 had no ids, and no checksums; 2 no pointers into the journal;
3 no rows of open tickets; 4 no records of plain hops; 5 no extents; 6 no messages between streams;
7 ids of tickets and patches that do not say their run."""


class Mark(Protocol):
    """One file's place in the page."""

    @property
    def home(self) -> bytes:
        """The id of the home."""
        ...

    def begin(self, file_id: bytes, row: int) -> None:
        """The file is open: who it is, and its last durable row."""
        ...

    def note(self, row: int) -> None:
        """This row is durable. Raises Unavailable `home_gone` when the home was removed meanwhile."""
        ...

    def peers(self) -> bytes:
        """What is known of all other files now, as bytes to keep."""
        ...


class Unmarked:
    """The mark of a file that stands alone."""

    home: bytes = b""

    def begin(self, file_id: bytes, row: int) -> None:
        """Nobody asks."""

    def note(self, row: int) -> None:
        """Nobody asks."""

    def peers(self) -> bytes:
        """There are none."""
        return b""
