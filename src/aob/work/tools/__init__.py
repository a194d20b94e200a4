"""Makes what jobs may use from settings and services of a home: handlers, clients, stores, a cache of outputs."""

from aob.work.tools.memo import Memo
from aob.work.tools.objects import ObjectStores, StoreSettings, check_key
from aob.work.tools.reading import live_number
from aob.work.tools.tools import Smtp, Tools

__all__ = ["Memo", "ObjectStores", "Smtp", "StoreSettings", "Tools", "check_key", "live_number"]
