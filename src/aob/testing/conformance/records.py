"""Tests for every `Records`: whole versions, one writer of each, read by all."""

import asyncio

import pytest

from aob.core.errors import AobError, Conflict
from aob.ports.cluster import Record, Records


class RecordsSuite:
    """The contract of `aob.ports.cluster.Records`."""

    async def make(self) -> Records:
        """New records, empty."""
        raise NotImplementedError

    async def another(self, records: Records) -> Records:
        """The same, as another process reads them."""
        return records

    @pytest.fixture
    async def records(self) -> Records:
        return await self.make()

    async def test_at_first_there_is_none(self, records: Records) -> None:
        assert await records.read("settings") is None
        assert await records.past("settings") == []
        assert await records.every("") == []

    async def test_what_one_process_writes_the_others_read(self, records: Records) -> None:
        other = await self.another(records)
        before = await other.changed()
        written = await records.write("settings", b"one", 0, "ann (key_1)")
        assert (written.name, written.version, written.data, written.by) == ("settings", 1, b"one", "ann (key_1)")
        assert written.at_ms > 0
        assert await other.read("settings") == written
        assert await other.changed() > before

    async def test_a_version_is_written_once(self, records: Records) -> None:
        await records.write("settings", b"one", 0, "ann")
        for after in (0, 2, 7):
            with pytest.raises(Conflict) as refused:
                await records.write("settings", b"two", after, "bob")
            assert refused.value.code == "version_differs"
        assert (await self.present(records, "settings")).data == b"one"
        assert (await records.write("settings", b"two", 1, "bob")).version == 2

    async def test_of_many_writers_at_once_one_wins(self, records: Records) -> None:
        other = await self.another(records)
        tries = [
            (other if number % 2 else records).write("settings", b"%d" % number, 0, "ann") for number in range(8)
        ]  # fmt: skip
        told = await asyncio.gather(*tries, return_exceptions=True)
        won = [each for each in told if isinstance(each, Record)]
        lost = [each for each in told if isinstance(each, AobError) and each.code == "version_differs"]
        assert (len(won), len(lost)) == (1, 7)
        assert await records.read("settings") == won[0]

    async def test_versions_of_before_are_kept_up_to_a_number(self, records: Records) -> None:
        for version in range(5):
            await records.write("settings", b"%d" % version, version, f"by {version}", past=3)
        assert [(each.version, each.data) for each in await records.past("settings")] == [
            (5, b"4"), (4, b"3"), (3, b"2"),
        ]  # fmt: skip

    async def test_one_that_is_removed_keeps_its_versions_going(self, records: Records) -> None:
        await records.write("secret/A", b"a", 0, "ann", past=1)
        await records.write("secret/B", b"b", 0, "ann", past=1)
        await records.write("secrets", b"c", 0, "ann")
        await records.write("secret/A", b"", 1, "ann", past=1)
        assert [each.name for each in await records.every("secret/")] == ["secret/B"]
        gone = await records.read("secret/A")
        assert gone is not None
        assert (gone.version, gone.data) == (2, b"")
        with pytest.raises(Conflict):
            await records.write("secret/A", b"a", 0, "ann", past=1)
        assert (await records.write("secret/A", b"again", 2, "ann", past=1)).version == 3
        assert [each.data for each in await records.past("secret/A")] == [b"again"]

    async def test_a_prefix_is_no_pattern(self, records: Records) -> None:
        await records.write("a_b", b"1", 0, "ann")
        await records.write("axb", b"2", 0, "ann")
        await records.write("a%b", b"3", 0, "ann")
        assert [each.name for each in await records.every("a_")] == ["a_b"]
        assert [each.name for each in await records.every("a%")] == ["a%b"]

    async def test_any_bytes_up_to_the_limit(self, records: Records) -> None:
        data = bytes(range(256)) * 256
        assert (await records.write("settings", data, 0, "ann")).data == data
        assert (await self.present(records, "settings")).data == data
        for name, wrong in (("settings", data + b"0"), ("", b"1"), ("n" * 201, b"1"), ("a\nb", b"1"), ("ä", b"1")):
            with pytest.raises(AobError):
                await records.write(name, wrong, 1 if name == "settings" else 0, "ann")
        assert (await self.present(records, "settings")).version == 1

    @staticmethod
    async def present(records: Records, name: str) -> Record:
        """A record that is there."""
        found = await records.read(name)
        assert found is not None
        return found
