"""A whole cluster on this machine: Postgres, every role and HAProxy as plain processes of 127.0.0.1, kept alive until
they are told to end. In: a folder. Out: addresses, a key, and each process to be killed, stopped and started again."""

from tools.cluster.cluster import Cluster
from tools.cluster.plan import Wishes

__all__ = ["Cluster", "Wishes"]
