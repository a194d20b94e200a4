"""What is attached to a process of a home, as it tells it: its workers, what waits for them, and who asks it for
others. Shapes of data only."""

from typing import Literal, TypedDict


class AttachedWorker(TypedDict):
    """A worker that is attached, or may come back."""

    name: str
    tenant: str
    build: str
    handlers: list[str]
    labels: dict[str, str]
    slots: int
    jobs: int
    done: int
    state: Literal["attached", "away", "draining"]


class QueueStatus(TypedDict):
    """Jobs of a handler that wait for a worker, and for how long the oldest does."""

    handler: str
    build: str
    labels: dict[str, str]
    waiting: int
    oldest_s: float


class FrontStatus(TypedDict):
    """A process before the home: an api or a fanout. `process` is its machine and number; `links` says to how many
    processes of the home it has a link."""

    name: str
    roles: list[str]
    process: str
    release: str
    links: int
