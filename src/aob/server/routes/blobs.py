"""Blobs: the bytes of a value by its hash, as they were put; and the items of a map by page."""

import re
from typing import Final

from aob.core.answers import ItemsPage
from aob.core.errors import CallerError
from aob.core.verb import Gives
from aob.server.http.answer import BYTES, Answer, json_answer
from aob.server.http.call import Call, Nothing
from aob.server.http.route import NO_BODY, Route

HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


async def get_blob(call: Call[Nothing, None]) -> Answer:
    """One blob of the tenant."""
    found = HASH.match(call.params["hash"])
    if found is None:
        raise CallerError(
            "a blob is named by its sha256: 64 hexadecimal digits", code="bad_hash", hint="take it from `$ref`"
        )
    digest = found.group(1)
    data = await call.verbs.blob(call.who, digest)
    # Bytes of strangers: a browser may keep them, never run them.
    return Answer(
        data,
        media=BYTES,
        headers=(
            (b"etag", b'"%b"' % digest.encode()),
            (b"cache-control", b"private, max-age=31536000, immutable"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-disposition", b"attachment"),
        ),
    )


async def get_items(call: Call[Nothing, None]) -> Answer:
    """A page of the items of a map."""
    return json_answer(await call.verbs.items(call.who, call.params["cursor"]))


ROUTES: Final = (
    Route(
        "GET",
        "/v1/items/{cursor}",
        get_items,
        name="get_items",
        summary="Get a page of the items of a map, by the cursor `next` beside those before it.",
        verb="items",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, ItemsPage, "The items, and the cursor of the next page."),),
    ),
    Route(
        "GET",
        "/v1/blobs/{hash}",
        get_blob,
        name="get_blob",
        summary="Get the bytes of a blob by its hash.",
        verb="blob",
        query=Nothing,
        body=NO_BODY,
        gives=(Gives(200, bytes, "The bytes.", "application/octet-stream"),),
    ),
)
