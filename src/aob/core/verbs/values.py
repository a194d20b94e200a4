"""Verbs of values: the bytes of a value by hash, a map's items by page, the log lines of handlers."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import ItemsPage
from aob.core.verb import Gives, Http, Verb, ok


class NamedBlob(msgspec.Struct, frozen=True):
    """A value by its hash."""

    hash: str


class PageOfItems(msgspec.Struct, frozen=True):
    """A page of a map's items, by the cursor `next` of the previous page."""

    cursor: str


class ReadLogs(msgspec.Struct, frozen=True):
    """Whose lines, and whether to wait for more."""

    run_id: str
    node: Annotated[str | None, msgspec.Meta(description="Only lines of this node.")] = None
    follow: bool = False


BLOB: Final = Verb(
    "blob", NamedBlob, "view", "blob", "holder",
    Http("GET", "/v1/blobs/{hash}", "get_blob", "Get the bytes of a blob by its hash.",
         (Gives(200, bytes, "The bytes.", "application/octet-stream"),)),
)  # fmt: skip
ITEMS: Final = Verb(
    "items", PageOfItems, "view", "blob", "holder",
    Http("GET", "/v1/items/{cursor}", "get_items",
         "Get a page of the items of a map, by the cursor `next` beside those before it.",
         ok(ItemsPage, "The items, and the cursor of the next page.")),
)  # fmt: skip
LOGS: Final = Verb(
    "logs", ReadLogs, "view", "run", "run",
    Http("GET", "/v1/runs/{run_id}/logs", "follow_logs",
         "Read the logs of a run's handlers: lines, or events for `Accept: text/event-stream`.",
         (Gives(200, str, "One JSON object a line.", "application/x-ndjson"),
          Gives(200, str, "Events named `log`; `end` is the last one.", "text/event-stream")),
         headers=("Last-Event-ID",)),
    streams=True,
)  # fmt: skip

VERBS: Final = (ITEMS, BLOB)  # Without `LOGS`, which is listed with the feeds.
