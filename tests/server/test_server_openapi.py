"""The OpenAPI document is what callers and their generated clients were built on: it changes on purpose, byte by byte.

`python -m tests.server.test_server_openapi` writes the document down anew.
"""

from pathlib import Path
from typing import Final

import msgspec

from aob.server import openapi_document
from aob.views import feed_schemas

WRITTEN: Final = Path(__file__).with_name("openapi.json")


def told() -> bytes:
    document = openapi_document()
    document["info"]["version"] = "0"
    for name in feed_schemas(""):  # what is recorded of runs has tests of its own
        del document["components"]["schemas"][name]
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def test_the_document_is_the_one_that_is_written_down() -> None:
    assert told() == WRITTEN.read_bytes(), "meant? python -m tests.server.test_server_openapi"


if __name__ == "__main__":
    WRITTEN.write_bytes(told())
