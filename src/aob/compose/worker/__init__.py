"""`aob worker` and `aob dev`: keep worker processes at work. Handlers, and what they may break, are in these processes;
the server and the keeper are not. The keeper is imported on access: the processes that it keeps need none of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aob.compose.worker.working import Wishes, dev, work

__all__ = ["Wishes", "dev", "work"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'aob.compose.worker' has no attribute {name!r}")
    from aob.compose.worker import working

    return getattr(working, name)
