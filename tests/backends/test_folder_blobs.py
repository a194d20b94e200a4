"""The folder of blobs, where only a folder can go wrong: names, order of syncs, full disks, crashes, other writers."""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aob.backends.folder_blobs import TEMP_AGE_S, TEMP_PREFIX, FolderBlobs, folder_name
from aob.core.errors import CallerError, Unavailable
from aob.core.value import digest_of

DATA = b"a blob"
HEX = digest_of(DATA).hex()


def left_behind(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{TEMP_PREFIX}*"))


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


async def test_a_blob_stands_under_its_tenant_and_hash(blobs: FolderBlobs, tmp_path: Path) -> None:
    await blobs.put("acme", DATA)
    assert (tmp_path / "blobs" / "acme" / HEX[:2] / HEX[2:]).read_bytes() == DATA


@pytest.mark.parametrize("tenant", ["../up", "/etc", "a/../../b", "..", ".", "a\\b", "a\0b", "~", "CON"])
async def test_no_tenant_leads_out_of_the_folder(blobs: FolderBlobs, tmp_path: Path, tenant: str) -> None:
    ref = await blobs.put(tenant, DATA)
    root = (tmp_path / "blobs").resolve()
    assert blobs.path(tenant, ref.digest).resolve().parents[2] == root


def test_tenants_that_differ_only_in_case_have_different_folders() -> None:
    assert folder_name("Acme").lower() != folder_name("acme").lower()


async def test_what_is_not_a_hash_is_refused(blobs: FolderBlobs) -> None:
    with pytest.raises(CallerError, match="not a sha256"):
        await blobs.get("acme", b"../../../../etc/passwd")


async def test_the_file_is_synced_before_its_name_and_the_name_before_the_answer(
    blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        name = os.readlink(f"/proc/self/fd/{handle}")
        steps.append("sync file" if TEMP_PREFIX in name else f"sync {Path(name).name}")
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    await blobs.put("acme", DATA)
    assert steps[-3:] == ["sync file", "rename", f"sync {HEX[:2]}"]
    assert {"sync blobs", "sync acme"} <= set(steps[:-3])
    steps.clear()
    await FolderBlobs(blobs.path("acme", digest_of(DATA)).parents[2]).put("acme", DATA)
    assert steps[-1] == f"sync {HEX[:2]}", "another writer's rename may not be synced yet"


@pytest.mark.parametrize("step", ["write", "fsync"])
async def test_a_full_disk_is_said_and_leaves_nothing_and_work_goes_on_afterwards(
    blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await blobs.put("acme", b"before")

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(Unavailable) as refused:
            await blobs.put("acme", DATA)
    assert refused.value.code == "disk_full"
    assert "free space" in refused.value.hint
    assert not await blobs.has("acme", digest_of(DATA))
    assert not left_behind(tmp_path)
    await blobs.put("acme", DATA)
    assert await blobs.get("acme", digest_of(DATA)) == DATA


async def test_a_folder_that_nobody_may_write_is_said(blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(Unavailable, match="does not answer"):
        await blobs.put("acme", DATA)


async def test_what_a_killed_writer_left_is_removed_when_it_is_old(blobs: FolderBlobs) -> None:
    folder = blobs.path("acme", digest_of(DATA)).parent
    folder.mkdir(parents=True)
    old, new = folder / f"{TEMP_PREFIX}1-0-aa", folder / f"{TEMP_PREFIX}2-0-bb"
    for path in (old, new):
        path.write_bytes(b"half")
    at = old.stat().st_mtime - TEMP_AGE_S - 1
    os.utime(old, (at, at))
    await blobs.put("acme", DATA)
    assert (old.exists(), new.exists()) == (False, True)
    assert [digest async for digest in blobs.iterate("acme")] == [digest_of(DATA)]


async def test_a_folder_removed_behind_our_back_is_made_again(blobs: FolderBlobs) -> None:
    await blobs.put("acme", DATA)
    path = blobs.path("acme", digest_of(DATA))
    path.unlink()
    path.parent.rmdir()
    path.parents[1].rmdir()
    await blobs.put("acme", DATA)
    assert await blobs.get("acme", digest_of(DATA)) == DATA


WRITER = """
import asyncio, sys
from pathlib import Path
from aob.backends.folder_blobs import FolderBlobs

async def main() -> None:
    blobs = FolderBlobs(Path(sys.argv[1]))
    sys.stdin.readline()
    for n in range(60):
        await blobs.put("acme", (b"%d" % (n % 20)) * 5000)

asyncio.run(main())
"""


def test_several_processes_write_the_same_blobs_into_one_folder(blobs: FolderBlobs, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "blobs")]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0, 0]

    async def read_all() -> int:
        return len([await blobs.get("acme", digest) async for digest in blobs.iterate("acme")])

    assert asyncio.run(read_all()) == 20


async def test_putting_again_makes_a_blob_as_young_as_a_new_one(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    ref = await blobs.put("acme", b"data")
    path = blobs.path("acme", ref.digest)
    os.utime(path, (1_000, 1_000))
    await blobs.put("acme", b"data")
    assert await blobs.forget("acme", ref.digest, 2_000_000) == 0, "who put it again finds it"
    os.utime(path, (1_000, 1_000))
    assert await blobs.forget("acme", ref.digest, 2_000_000) == 4
    assert not path.exists()
