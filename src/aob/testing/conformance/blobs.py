"""Tests for every `Blobs`. Subclass the suite, return yours from `make`, and define how to damage a copy."""

import asyncio
import hashlib
import time
from pathlib import Path

import pytest

from aob.core.errors import CallerError, NotFound, Unavailable
from aob.ports.blobs import Blobs

SMALL = b"one"
LARGE = bytes(range(256)) * 8_192
TENANTS = ("acme", "Acme", "a/c", "../acme", "ácme", "a%2fc", ".", "x" * 400)  # names that a careless backend confuses


class BlobsSuite:
    """The contract of `aob.ports.blobs`."""

    async def make(self, folder: Path) -> Blobs:
        """A new, empty store; `folder` is an empty directory of the test."""
        raise NotImplementedError

    async def damage(self, blobs: Blobs, tenant: str, digest: bytes) -> None:
        """Change one byte of a stored copy without the store's knowledge."""
        raise NotImplementedError

    @pytest.fixture
    async def blobs(self, tmp_path: Path) -> Blobs:
        return await self.make(tmp_path)

    async def test_what_is_put_comes_back(self, blobs: Blobs) -> None:
        for data in (b"", SMALL, LARGE):
            ref = await blobs.put("acme", data)
            assert await blobs.get("acme", ref.digest) == data

    async def test_a_range_is_a_slice_of_what_was_put(self, blobs: Blobs) -> None:
        size = len(LARGE)
        ref = await blobs.put("acme", LARGE)
        for start in (0, 1, 4_096, size - 1, size, size + 7):
            for length in (0, 1, 70_000, size, 2 * size):
                there = await blobs.get_range("acme", ref.digest, start, length)
                assert there == LARGE[start : start + length], (start, length)
        empty = await blobs.put("acme", b"")
        assert await blobs.get_range("acme", empty.digest, 0, 10) == b""

    async def test_a_range_of_a_blob_of_another_tenant_or_of_none_is_not_found(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", SMALL)
        for tenant, digest in (("globex", ref.digest), ("acme", hashlib.sha256(b"never").digest())):
            with pytest.raises(NotFound) as found:
                await blobs.get_range(tenant, digest, 0, 1)
            assert found.value.code == "blob_not_found"

    async def test_a_reference_is_the_sha256_and_the_size(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", SMALL)
        assert (ref.digest, ref.size) == (hashlib.sha256(SMALL).digest(), 3)
        assert await blobs.size("acme", ref.digest) == 3

    async def test_putting_twice_changes_nothing(self, blobs: Blobs) -> None:
        assert await blobs.put("acme", SMALL) == await blobs.put("acme", SMALL)
        assert [digest async for digest in blobs.iterate("acme")] == [hashlib.sha256(SMALL).digest()]

    async def test_what_was_put_long_ago_is_forgotten_and_what_is_put_again_is_not(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", SMALL)
        now_ms = time.time_ns() // 1_000_000
        assert await blobs.forget("acme", ref.digest, now_ms - 60_000) == 0
        assert await blobs.forget("globex", ref.digest, now_ms + 60_000) == 0
        assert await blobs.has("acme", ref.digest)
        assert await blobs.forget("acme", ref.digest, now_ms + 60_000) == 3
        assert not await blobs.has("acme", ref.digest)
        assert await blobs.forget("acme", ref.digest, now_ms + 60_000) == 0
        assert await blobs.put("acme", SMALL) == ref
        assert await blobs.get("acme", ref.digest) == SMALL

    async def test_what_was_never_put_is_not_found(self, blobs: Blobs) -> None:
        digest = hashlib.sha256(b"never").digest()
        assert not await blobs.has("acme", digest)
        with pytest.raises(NotFound, match="no blob") as found:
            await blobs.get("acme", digest)
        assert found.value.code == "blob_not_found"
        with pytest.raises(NotFound):
            await blobs.size("acme", digest)

    async def test_tenants_share_nothing(self, blobs: Blobs) -> None:
        digest = hashlib.sha256(SMALL).digest()
        for n, tenant in enumerate(TENANTS):
            assert not await blobs.has(tenant, digest), f"{tenant!r} sees what {TENANTS[:n]} put"
            await blobs.put(tenant, SMALL)
        for tenant in TENANTS:
            assert [d async for d in blobs.iterate(tenant)] == [digest]
        assert await blobs.delete(TENANTS[0], digest)
        for tenant in TENANTS[1:]:
            assert await blobs.get(tenant, digest) == SMALL

    async def test_a_blob_without_a_tenant_is_refused(self, blobs: Blobs) -> None:
        with pytest.raises(CallerError) as refused:
            await blobs.put("", SMALL)
        assert refused.value.code == "tenant_missing"

    async def test_a_deleted_blob_is_gone_and_may_come_again(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", SMALL)
        assert await blobs.delete("acme", ref.digest)
        assert not await blobs.delete("acme", ref.digest)
        assert not await blobs.has("acme", ref.digest)
        await blobs.put("acme", SMALL)
        assert await blobs.get("acme", ref.digest) == SMALL

    async def test_a_damaged_blob_is_never_given_out(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", LARGE)
        await self.damage(blobs, "acme", ref.digest)
        with pytest.raises(Unavailable) as damaged:
            await blobs.get("acme", ref.digest)
        assert damaged.value.code == "blob_corrupt"

    async def test_putting_again_mends_a_damaged_blob(self, blobs: Blobs) -> None:
        ref = await blobs.put("acme", LARGE)
        await self.damage(blobs, "acme", ref.digest)
        await blobs.put("acme", LARGE)
        assert await blobs.get("acme", ref.digest) == LARGE

    async def test_many_writers_of_one_blob_and_readers_beside_them_agree(self, blobs: Blobs) -> None:
        digest = hashlib.sha256(LARGE).digest()

        async def read() -> bytes | None:
            try:
                return await blobs.get("acme", digest)
            except NotFound:
                return None

        answers = await asyncio.gather(
            *(blobs.put("acme", LARGE) for _ in range(8)), *(read() for _ in range(8)), *(blobs.put("acme", SMALL),)
        )
        assert all(answer in {None, LARGE} for answer in answers[8:16]), "a reader saw half a blob"
        assert await blobs.get("acme", digest) == LARGE

    async def test_iterate_lists_each_blob_once(self, blobs: Blobs) -> None:
        refs = [await blobs.put("acme", str(n).encode()) for n in range(40)]
        listed = [digest async for digest in blobs.iterate("acme")]
        assert sorted(listed) == sorted(ref.digest for ref in refs)
        assert [digest async for digest in blobs.iterate("nobody")] == []
