"""How a home or a cluster is, as its verb `status` answers: shapes of data only."""

from typing import Literal, NotRequired, TypedDict

from aob.core.attached import AttachedWorker, FrontStatus, QueueStatus


class ProcessStatus(TypedDict):
    """A process of the home: on which machine, for how long, the CPU time and memory that it has used, and the shards
    that it owns."""

    host: str
    pid: int
    up_s: float
    cpu_s: float
    memory_bytes: int
    shards: list[int]


class MemberStatus(TypedDict):
    """A process that may own shards; `grpc` is where its workers come to. `lease_left_ms` is how long its membership
    still counts, 0 for one that went away without a word, null where nothing ends it; one that is `leaving` gives its
    shards away."""

    id: str
    address: str
    grpc: str
    roles: list[str]
    release: str
    rules: int
    lease_left_ms: int | None
    leaving: bool


class SettingsStatus(TypedDict):
    """The version of the settings that all processes share, as the process that answers has it (0: none was pushed).
    With a `detail` there is a later one that it cannot read."""

    version: int
    status: str
    detail: NotRequired[str]


class ShardStatus(TypedDict):
    """A shard: how it is (`ok`, or the code of what is wrong), who owns it, and how much is under way. `streams`
    are its live runs and the other streams that it keeps, `undelivered` messages of its outbox, `waiting` commands that
    wait for room there, `uncounted` journal rows that the numbers of runs do not have yet."""

    shard: int
    status: str
    owner: str
    address: str
    term: int
    lease_left_ms: int | None
    partitions: int
    epoch: NotRequired[int]
    row: NotRequired[int]
    streams: NotRequired[int]
    timers: NotRequired[int]
    undelivered: NotRequired[int]
    waiting: NotRequired[int]
    jobs_waiting: NotRequired[int]
    jobs_running: NotRequired[int]
    uncounted: NotRequired[int]
    events: NotRequired[int]
    commits: NotRequired[int]
    detail: NotRequired[str]


class FollowerStatus(TypedDict):
    """A reader of the event log or of the journals, and how many rows or messages it is behind. `waits_for` counts by
    error code what it cannot do now."""

    name: str
    behind: int
    of: Literal["rows", "messages"]
    waits_for: NotRequired[dict[str, int]]


class LogStatus(TypedDict):
    """The event log: its rows over all partitions, and who is how far behind."""

    status: str
    partitions: int
    rows: int
    waiting_bytes: int
    followers: list[FollowerStatus]
    detail: NotRequired[str]


class StoreStatus(TypedDict):
    """Where something lasts. The address of a server is without a password."""

    name: str
    kind: str
    address: str
    version: str
    bytes: int | None
    status: str
    latency_ms: NotRequired[float]
    detail: NotRequired[str]


class DaysStatus(TypedDict):
    """A table with a partition a day: for how many days after today there are partitions, and whether rows missed
    theirs."""

    table: str
    ahead: int
    missed: bool


class ClockStatus(TypedDict):
    """How far the clock of this machine is behind committed times, and the database's clock ahead of ours."""

    behind_ms: int
    skew_ms: int


class StageStatus(TypedDict):
    """A stage since the start: how often, how many events or requests, how many failed, seconds in all, and a count
    for each edge of `edges_s` and beyond."""

    count: int
    units: int
    errors: int
    seconds: float
    buckets: list[int]


class Trouble(TypedDict):
    """What is to be seen to, and the line that helps. A `note` is no problem yet."""

    what: str
    how: Literal["note", "problem"]
    detail: str
    hint: str


class HomeStatus(TypedDict):
    """How a home or a cluster is, as the process that answers sees it. `counts` are sums since the home was made or its
    numbers begin: starts, steps, events. `workers` and `queues` are those of all processes."""

    at: int
    home: str
    release: str
    rules: int
    members: list[MemberStatus]
    processes: list[ProcessStatus]
    shards: list[ShardStatus]
    log: LogStatus
    workers: list[AttachedWorker]
    queues: list[QueueStatus]
    stores: list[StoreStatus]
    days: list[DaysStatus]
    clock: ClockStatus
    counts: dict[str, int]
    stages: dict[str, StageStatus]
    edges_s: list[float]
    troubles: list[Trouble]
    fronts: NotRequired[list[FrontStatus]]
    settings: NotRequired[SettingsStatus]
