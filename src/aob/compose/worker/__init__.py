"""`aob worker` and `aob dev`: keep worker processes at work. Handlers, and what they may break, are in these processes;
the server and the keeper are not."""

from aob.compose.worker.working import Wishes, dev, work

__all__ = ["Wishes", "dev", "work"]
