"""Tests for every `Pages`."""

import pytest

from aob.core.errors import Unavailable
from aob.ports.pages import OwnedPages, Owner, Pages
from aob.ports.store import StaleEpoch

OWNER = Owner(0, 1)  # the first owner of a test


class PagesSuite:
    """The contract of `aob.ports.pages`."""

    async def make(self) -> Pages:
        """New, empty pages."""
        raise NotImplementedError

    async def reopen(self, pages: Pages) -> Pages:
        """The same pages after their process has ended; pages in memory only are returned unchanged."""
        return pages

    @pytest.fixture
    async def pages(self) -> Pages:
        pages = await self.make()
        assert await pages.take(0) == OWNER
        return pages

    async def test_it_begins_empty(self, pages: Pages) -> None:
        assert await pages.marks() == {}
        assert await pages.load("acme") == {}
        assert await pages.page("acme", "a") is None
        assert await pages.tenants() == []

    async def test_pages_and_marks_of_a_save_come_back_together(self, pages: Pages) -> None:
        await pages.save(
            OWNER, {"events": 7}, {("acme", "a"): b"\x00one", ("acme", "b"): b"", ("umbra", "a"): b"other"}
        )
        pages = await self.reopen(pages)
        assert await pages.marks() == {"events": 7}
        assert await pages.load("acme") == {"a": b"\x00one", "b": b""}
        assert await pages.load("umbra") == {"a": b"other"}
        assert await pages.tenants() == ["acme", "umbra"]

    async def test_a_later_save_changes_only_what_it_names(self, pages: Pages) -> None:
        await pages.save(OWNER, {"events": 1, "journal": 5}, {("acme", "a"): b"1", ("acme", "b"): b"1"})
        await pages.save(OWNER, {"events": 2}, {("acme", "a"): b"2", ("acme", "b"): None})
        assert await pages.marks() == {"events": 2, "journal": 5}
        assert await pages.load("acme") == {"a": b"2"}

    async def test_pages_with_a_tilde_are_read_one_by_one(self, pages: Pages) -> None:
        await pages.save(OWNER, {}, {("acme", "~old"): b"x", ("acme", "new"): b"y"})
        assert await pages.load("acme") == {"new": b"y"}
        assert await pages.page("acme", "~old") == b"x"

    async def test_pages_whose_names_begin_so_are_dropped_before_the_new_ones_are_set(self, pages: Pages) -> None:
        await pages.save(
            OWNER, {}, {("acme", "a/1"): b"1", ("acme", "a/2"): b"2", ("acme", "b"): b"b", ("umbra", "a/1"): b"u"}
        )
        await pages.save(OWNER, {}, {("acme", "a/3"): b"3"}, [("acme", "a/")])
        assert await pages.load("acme") == {"a/3": b"3", "b": b"b"}
        assert await pages.load("umbra") == {"a/1": b"u"}

    async def test_clear_forgets_everything(self, pages: Pages) -> None:
        await pages.save(OWNER, {"events": 7}, {("acme", "a"): b"1"})
        await pages.clear(OWNER)
        assert await pages.marks() == {}
        assert await pages.tenants() == []

    async def test_closing_twice_is_fine(self, pages: Pages) -> None:
        await pages.close()
        await pages.close()

    async def test_what_was_kept_stays_as_it_was_and_only_the_newest_labels_stay(self, pages: Pages) -> None:
        assert await pages.kept() == {}
        for day in range(4):
            await pages.save(OWNER, {"events": day}, {("acme", "own/a"): b"%d" % day, ("acme", "ids"): b"x"})
            await pages.keep(OWNER, day, ("own/", "plan"), 2)
        await pages.save(OWNER, {"events": 9}, {("acme", "own/a"): None})
        pages = await self.reopen(pages)
        assert await pages.kept() == {2: {"events": 2}, 3: {"events": 3}}
        assert await pages.load_kept(2, "acme") == {"own/a": b"2"}
        assert await pages.load_kept(2, "other") == await pages.load_kept(0, "acme") == {}
        await pages.keep(OWNER, 3, ("own/",), 2)
        assert await pages.load_kept(3, "acme") == {}
        await pages.clear(OWNER)
        assert await pages.kept() == {}

    async def test_an_old_owner_that_wakes_overwrites_nothing(self, pages: Pages) -> None:
        await pages.save(OWNER, {"events": 1}, {("acme", "own/a"): b"1"})
        pages = await self.reopen(pages)
        after = await pages.take(0)
        assert after == Owner(0, 2)
        assert await pages.save(after, {"events": 2}, {("acme", "own/a"): b"2"}) is None
        assert await pages.keep(after, 7, ("own/",), 2) is None
        for stale in (OWNER, Owner(0, 3), Owner(9, 1)):
            held = StaleEpoch(2 if stale.shard == 0 else 0)
            assert await pages.save(stale, {"events": 9}, {("acme", "own/a"): None}, [("acme", "")]) == held
            assert await pages.keep(stale, 8, ("own/",), 1) == held
            assert await pages.clear(stale) == held
        pages = await self.reopen(pages)
        assert (await pages.marks(), await pages.load("acme")) == ({"events": 2}, {"own/a": b"2"})
        assert await pages.kept() == {7: {"events": 2}}

    async def test_shards_have_owners_of_their_own(self, pages: Pages) -> None:
        other = await pages.take(1)
        assert other == Owner(1, 1)
        assert await pages.save(other, {"b": 1}, {}) is None
        assert await pages.save(OWNER, {"a": 1}, {}) is None
        assert await pages.marks() == {"a": 1, "b": 1}

    async def test_clearing_forgets_no_owner(self, pages: Pages) -> None:
        after = await pages.take(0)
        assert await pages.clear(after) is None
        assert await pages.save(OWNER, {"events": 1}, {}) == StaleEpoch(2)
        assert await pages.save(after, {"events": 1}, {}) is None

    async def test_who_was_taken_over_is_told_so_and_goes_on_reading(self, pages: Pages) -> None:
        first, second = OwnedPages(pages), OwnedPages(pages)
        await first.save({"events": 1}, {("acme", "a"): b"1"})
        await second.begin()
        for work in (first.save({}, {("acme", "a"): b"0"}), first.keep(1, ("a",), 1), first.clear()):
            with pytest.raises(Unavailable) as told:
                await work
            assert told.value.code == "pages_taken"
        assert await first.load("acme") == {"a": b"1"}
        await second.save({}, {("acme", "a"): b"2"})
        assert await first.page("acme", "a") == b"2"
