"""The members of a cluster, the leases of its shards, and who is to hold which: data and pure rules."""

from aob.core.cluster.balance import ALONE, MAIN, handed_over, next_move, to_take, wanted
from aob.core.cluster.standing import Lease, Member, Standing
from aob.core.cluster.tenure import Tenure

__all__ = ["ALONE", "MAIN", "Lease", "Member", "Standing", "Tenure", "handed_over", "next_move", "to_take", "wanted"]
