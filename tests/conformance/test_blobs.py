"""Every `Blobs` backend against the one suite, and the folder against memory on random scripts."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aob.backends.folder_blobs import FolderBlobs
from aob.backends.memory.blobs import MemoryBlobs
from aob.core.errors import AobError
from aob.core.value import digest_of
from aob.ports.blobs import Blobs
from aob.testing.conformance.blobs import BlobsSuite


class TestMemory(BlobsSuite):
    async def make(self, folder: Path) -> Blobs:
        return MemoryBlobs()

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        assert isinstance(blobs, MemoryBlobs)
        blobs.kept[(tenant, digest)] = b"x" + blobs.kept[(tenant, digest)][1:]


class TestFolder(BlobsSuite):
    async def make(self, folder: Path) -> Blobs:
        return FolderBlobs(folder / "blobs")

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        assert isinstance(blobs, FolderBlobs)
        path = blobs.path(tenant, digest)
        path.write_bytes(b"x" + path.read_bytes()[1:])


DATA = st.sampled_from([b"", b"a", b"b", b"long" * 2_000])
TENANT = st.sampled_from(["acme", "Acme", "b/ö"])
MOVE = st.tuples(st.sampled_from(["put", "get", "has", "size", "delete", "iterate", "damage"]), TENANT, DATA)


async def answer(suite: BlobsSuite, blobs: Blobs, verb: str, tenant: str, data: bytes) -> object:
    """What a store answers to one move: a value, or the code of its error."""
    digest = digest_of(data)
    try:
        if verb == "put":
            return await blobs.put(tenant, data)
        if verb == "iterate":
            return sorted([d async for d in blobs.iterate(tenant)])
        if verb == "damage":
            if data and await blobs.has(tenant, digest):
                await suite.damage(blobs, tenant, digest)
            return None
        return await getattr(blobs, verb)(tenant, digest)
    except AobError as error:
        return error.code


@given(st.lists(MOVE, max_size=25))
@settings(max_examples=40, deadline=None)
def test_the_folder_answers_as_memory_does(script: list[tuple[str, str, bytes]]) -> None:
    async def play(folder: Path) -> None:
        memory, files = TestMemory(), TestFolder()
        one, other = await memory.make(folder), await files.make(folder)
        for move in script:
            assert await answer(memory, one, *move) == await answer(files, other, *move), move

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
