"""How a home or a cluster is, as its verb `status` answers: shapes of data; and what of it is in words for anybody."""

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
from aob.core.status.words import status_words

__all__ = [
    "DaysStatus", "FollowerStatus", "HomeStatus", "LogStatus", "MemberStatus", "ProcessStatus", "SettingsStatus",
    "ShardStatus", "StageStatus", "StoreStatus", "Trouble", "status_words",
]  # fmt: skip
