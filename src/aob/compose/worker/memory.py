"""How much memory a process and its children use, and which of them is to end when it is too much. Linux only."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_RESIDENT: Final = 1  # the field of `statm`, in pages


def measurable() -> bool:
    """Whether the memory of a process can be read here."""
    return (_PROC / "self" / "statm").exists()


def largest_over(pid: int, limit: int) -> tuple[int, int] | None:
    """The largest process of a tree and its bytes, when the whole tree uses more than `limit` bytes; else None."""
    sizes = {each: _bytes_of(each) for each in _tree(pid)}
    if sum(sizes.values()) <= limit:
        return None
    return max(sizes.items(), key=lambda each: each[1])


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue  # that thread has just ended
        for child in found:
            yield from _tree(int(child))


def _bytes_of(pid: int) -> int:
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[_RESIDENT])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
