"""Verbs of values: the bytes of a value by hash, a map's items by page, the log lines of handlers."""

from typing import Annotated, Final

import msgspec

from aob.core.answers import ItemsPage, StoredBlob
from aob.core.verb import Gives, Http, Verb, ok


class NamedBlob(msgspec.Struct, frozen=True):
    """A value by its hash."""

    hash: str


class PutBlob(msgspec.Struct, frozen=True):
    """A value for the result of a job, by its hash."""

    hash: str
    data: bytes


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
JOB_BLOB: Final = Verb(
    "job_blob", NamedBlob, "work", "blob", "holder",
    Http("GET", "/v1/jobs/blobs/{hash}", "get_job_blob", "Get a large value of a job, for its worker.",
         (Gives(200, bytes, "The bytes.", "application/octet-stream"),)),
)  # fmt: skip
PUT_JOB_BLOB: Final = Verb(
    "put_job_blob", PutBlob, "work", "blob", "any",
    Http("PUT", "/v1/jobs/blobs/{hash}", "put_job_blob", "Store a large value of a job's result, for its worker.",
         ok(StoredBlob, "It is stored."), whole="data", refuses=(413,)),
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

VERBS: Final = (ITEMS, BLOB, JOB_BLOB, PUT_JOB_BLOB)  # Without `LOGS`, which is listed with the feeds.
