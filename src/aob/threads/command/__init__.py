"""What may be asked about one thread, and the answers."""

from aob.threads.command.commands import (
    Copied,
    Delete,
    Encoded,
    Find,
    Found,
    Listed,
    Listing,
    Prune,
    Put,
    PutWrites,
    Rows,
    Written,
)

__all__ = [
    "Copied", "Delete", "Encoded", "Find", "Found", "Listed", "Listing", "Prune", "Put", "PutWrites", "Rows", "Written",
]  # fmt: skip
