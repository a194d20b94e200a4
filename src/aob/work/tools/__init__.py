"""Settings and services of a home go in; what its jobs may use comes out: handlers, clients, stores, a memory."""

from aob.work.tools.memo import Memo, MemoCounts
from aob.work.tools.objects import ObjectStore, ObjectStores, StoreSettings, check_key
from aob.work.tools.tools import Smtp, Tools

__all__ = ["Memo", "MemoCounts", "ObjectStore", "ObjectStores", "Smtp", "StoreSettings", "Tools", "check_key"]
