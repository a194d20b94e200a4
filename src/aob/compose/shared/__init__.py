"""What all shards of one process share: made once, before its first shard."""

from aob.compose.shared.clock import now_ms
from aob.compose.shared.shared import Shared, share

__all__ = ["Shared", "now_ms", "share"]
