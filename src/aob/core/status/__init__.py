"""How a home or a cluster is, as its verb `status` answers: shapes of data only."""

from aob.core.status.shapes import (
    DaysStatus,
    FollowerStatus,
    HomeStatus,
    LogStatus,
    MemberStatus,
    ProcessStatus,
    SettingsStatus,
    ShardStatus,
    StageStatus,
    StoreStatus,
    Trouble,
)

__all__ = [
    "DaysStatus", "FollowerStatus", "HomeStatus", "LogStatus", "MemberStatus", "ProcessStatus", "SettingsStatus",
    "ShardStatus", "StageStatus", "StoreStatus", "Trouble",
]  # fmt: skip
