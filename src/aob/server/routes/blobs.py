"""Blobs: the bytes of a value by its hash, with headers that keep browsers from executing them."""

import re
from typing import Final

from aob.core.errors import CallerError
from aob.server.http.answer import BYTES, Answer, json_answer
from aob.server.http.call import AnyCall
from aob.server.http.route import Takes
from aob.server.http.verb_routes import Fields, Odd

HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


async def get_blob(call: AnyCall, fields: Fields) -> Answer:
    """One blob of the tenant."""
    return await _given(call, fields, "blob")


async def get_job_blob(call: AnyCall, fields: Fields) -> Answer:
    """One value of a worker's job."""
    return await _given(call, fields, "job_blob")


async def _given(call: AnyCall, fields: Fields, verb: str) -> Answer:
    found = HASH.match(fields["hash"])
    if found is None:
        why = "a blob is named by its sha256: 64 hexadecimal digits"
        raise CallerError(why, code="bad_hash", hint="take it from `$ref`")
    digest = found.group(1)
    data = await call.act(verb)(call.who, digest)
    # Untrusted bytes: a browser may store them, never execute them.
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


async def put_job_blob(call: AnyCall, fields: Fields) -> Answer:
    """Store a value of a worker: a strange one is refused by its hash."""
    return json_answer(await call.act("put_job_blob")(call.who, fields["hash"], call.body))


ODD: Final = {
    "get_blob": Odd(get_blob),
    "get_job_blob": Odd(get_job_blob),
    "put_job_blob": Odd(
        put_job_blob, Takes[bytes](bytes, bytes, media=("application/octet-stream", "application/json"))
    ),
}
