"""Going over to another master key while others read and write: nothing stays under the old one, nothing that is set
meanwhile is written over, and what cannot be read is named."""

from collections.abc import Awaitable, Callable

import pytest

from aob.backends.memory.records import MemoryRecords
from aob.compose.secrets import new_master_key
from aob.compose.secrets.master_key import MasterKeys, master_keys
from aob.compose.secrets.stored import (
    HOOK,
    MASTER_KEY,
    SECRET,
    StoredHookSecrets,
    StoredSecrets,
    check_readable,
    rekeyed,
    settled,
)
from aob.core.errors import Conflict, Unavailable
from aob.ports.cluster import Record

KEY, NEW, CLUSTER = new_master_key(), new_master_key(), b"c" * 16
OLD, BOTH, ONLY_NEW = (master_keys(*given, CLUSTER) for given in ((KEY, ""), (NEW, KEY), (NEW, "")))


class Watched(MemoryRecords):
    """Records in which something happens once, after the first listing of secrets."""

    def __init__(self) -> None:
        super().__init__(lambda: 1)
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def every(self, start: str) -> list[Record]:
        found = await super().every(start)
        if start == HOOK and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return found


@pytest.fixture
async def records() -> Watched:
    """A secret and one of a webhook, sealed by the old key."""
    made = Watched()
    await StoredSecrets(made, OLD).set("SHOP", "the-value", (), "test")
    await StoredHookSecrets(made, OLD, "test").write("hook_1", b"signing")
    return made


async def value(records: MemoryRecords, keys: MasterKeys, name: str = "SHOP") -> str | None:
    """A secret as a process with these keys reads it now."""
    stored = StoredSecrets(records, keys)
    await stored.refresh()
    found = stored.find(name)
    return found.value if found is not None else None


async def test_afterwards_the_new_key_alone_opens_all_and_no_version_of_before_is_kept(records: Watched) -> None:
    for data in (b"older", b"signing"):
        await StoredHookSecrets(records, OLD, "test").write("hook_1", data)
    assert await rekeyed(records, BOTH, "test") == 2
    assert await value(records, ONLY_NEW) == "the-value"
    assert await StoredHookSecrets(records, ONLY_NEW, "test").read("hook_1") == b"signing"
    assert [len(await records.past(name)) for name in (f"{SECRET}SHOP", f"{HOOK}hook_1")] == [1, 1]
    assert await rekeyed(records, BOTH, "test") == 0


async def test_what_is_set_meanwhile_is_not_written_over(records: Watched) -> None:
    records.meanwhile = lambda: StoredSecrets(records, BOTH).set("SHOP", "set-meanwhile", (), "other")
    assert await rekeyed(records, BOTH, "test") == 1
    assert await value(records, ONLY_NEW) == "set-meanwhile"


async def test_what_another_still_writes_with_the_old_key_is_gone_over_too(records: Watched) -> None:
    async def late() -> None:  # it asked for the key of the cluster a moment before that was changed
        await records.write(f"{SECRET}LATE", OLD.now.seal(f"{SECRET}LATE", b'{"value":"late"}'), 0, "other")

    records.meanwhile = late
    assert await rekeyed(records, BOTH, "test") == 3
    assert await value(records, ONLY_NEW, "LATE") == "late"
    await check_readable(records, ONLY_NEW)


async def test_a_process_that_runs_while_the_key_is_changed_reads_all_before_and_after(records: Watched) -> None:
    running = StoredSecrets(records, BOTH)
    await running.refresh()
    await StoredSecrets(records, BOTH).rekey("test")
    assert running.find("SHOP") is not None, "as it was read before"
    await running.refresh()
    found = running.find("SHOP")
    assert found is not None
    assert found.value == "the-value"


async def test_until_then_all_is_written_so_that_processes_with_the_old_key_alone_read_it(records: Watched) -> None:
    assert await settled(records, BOTH, "test") is BOTH.old
    await StoredSecrets(records, BOTH).set("SHOP", "of-both", (), "test")
    await StoredHookSecrets(records, BOTH, "test").write("hook_2", b"of-both")
    assert await value(records, OLD) == "of-both"
    assert await StoredHookSecrets(records, OLD, "test").read("hook_2") == b"of-both"


@pytest.mark.parametrize("left", [f"{SECRET}SHOP", f"{HOOK}hook_1"])
async def test_a_process_without_the_old_key_does_not_start_while_one_row_has_it(records: Watched, left: str) -> None:
    await rekeyed(records, BOTH, "test")
    present = await records.read(left)
    assert present is not None
    await records.write(left, OLD.now.seal(left, b"left"), present.version, "test")
    await check_readable(records, BOTH)
    with pytest.raises(Conflict, match=left) as told:
        await check_readable(records, ONLY_NEW)
    assert (told.value.code, "rekey" in told.value.hint) == ("other_master_key", True)


async def test_a_row_that_cannot_be_read_is_named_and_the_rest_goes_on_once_it_is_set_anew(records: Watched) -> None:
    name = f"{SECRET}BROKEN"
    sealed = bytearray(OLD.now.seal(name, b'{"value":"broken"}'))
    sealed[-1] ^= 1
    await records.write(name, bytes(sealed), 0, "test")
    with pytest.raises(Unavailable, match=name) as told:
        await rekeyed(records, BOTH, "test")
    assert (told.value.code, told.value.hint) == ("bad_secret", "set it anew")
    assert await value(records, BOTH) == "the-value", "what can be read is read"
    await StoredSecrets(records, BOTH).set("BROKEN", "set-anew", (), "test")
    assert await rekeyed(records, BOTH, "test") == 2
    assert [await value(records, ONLY_NEW, each) for each in ("SHOP", "BROKEN")] == ["the-value", "set-anew"]


async def test_what_was_sealed_and_is_no_secret_is_a_secret_that_cannot_be_read(records: Watched) -> None:
    name = f"{SECRET}ODD"
    await records.write(name, OLD.now.seal(name, b"{}"), 0, "test")
    with pytest.raises(Unavailable, match="ODD") as told:
        await value(records, OLD, "ODD")
    assert told.value.code == "bad_secret"
    key = await records.read(MASTER_KEY)
    assert key is not None
    assert key.data == OLD.now.fingerprint
