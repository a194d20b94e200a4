"""What a process uses of its machine, read when somebody asks."""

import os
import socket
import time
from pathlib import Path
from typing import Final

from aob.core.answers import JsonObject

BEGUN_S: Final = time.monotonic()


def process_told() -> JsonObject:
    """This process, for whoever asks how the home is."""
    return {
        "host": socket.gethostname(), "pid": os.getpid(), "up_s": round(time.monotonic() - BEGUN_S, 1),
        "cpu_s": round(time.process_time(), 3), "memory_bytes": resident(),
    }  # fmt: skip


def resident() -> int:
    """Bytes, where `/proc` says so; else 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
