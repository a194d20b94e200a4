"""How a home or a cluster is, as its verb `status` answers: shapes of data only."""

from aob.core.status.shapes import (
    AttachedWorker,
    DaysStatus,
    FollowerStatus,
    HomeStatus,
    LogStatus,
    MemberStatus,
    ProcessStatus,
    QueueStatus,
    ShardStatus,
    StageStatus,
    StoreStatus,
    Trouble,
)

__all__ = [
    "AttachedWorker", "DaysStatus", "FollowerStatus", "HomeStatus", "LogStatus", "MemberStatus", "ProcessStatus",
    "QueueStatus", "ShardStatus", "StageStatus", "StoreStatus", "Trouble",
]  # fmt: skip
