"""Tests for every `DeadLetters`, and for a log that commits them together with events."""

import pytest

from aob.ports.dead_letters import DeadLetter, DeadLetters, DeadQuery, Letters, LogWithLetters
from aob.testing.conformance.event_log import T0_MS, group


def letter(type: str = "order.created", rule: str = "amount", at_ms: int = T0_MS, id: str = "e1") -> DeadLetter:
    """A refused event."""
    reasons = b'[{"stage":"schema","pointer":"/data/amount","message":"is missing","rule":"%s"}]' % rule.encode()
    return DeadLetter(0, at_ms, type, "shop", id, reasons, b'{"id":"e1"}')


def refused(*letters: DeadLetter, tenant: str = "acme") -> Letters:
    """New letters of a tenant."""
    return Letters(tenant, letters)


class DeadLettersSuite:
    """The contract of `aob.ports.dead_letters`."""

    async def make(self) -> DeadLetters:
        """New and empty letters."""
        raise NotImplementedError

    async def reopen(self, dead: DeadLetters) -> DeadLetters:
        """The same letters after their process has ended; letters in memory only are returned unchanged."""
        return dead

    @pytest.fixture
    async def dead(self) -> DeadLetters:
        return await self.make()

    async def test_it_begins_empty(self, dead: DeadLetters) -> None:
        assert await dead.page(DeadQuery("acme")) == []
        assert await dead.counts("acme") == []
        assert await dead.letter("acme", 1) is None
        assert await dead.write([]) == []

    async def test_letters_get_numbers_and_are_found_newest_first(self, dead: DeadLetters) -> None:
        assert await dead.write([refused(letter(id="a"), letter(id="b"))]) == [(1, 2)]
        more = [refused(letter(), tenant="umbra"), Letters("acme"), refused(letter(id="c"))]
        assert await dead.write(more) == [(1,), (), (3,)]
        dead = await self.reopen(dead)
        assert await dead.write([refused(letter(id="d"))]) == [(4,)]
        assert [each.id for each in await dead.page(DeadQuery("acme"))] == ["d", "c", "b", "a"]
        found = await dead.letter("acme", 2)
        assert found is not None
        assert (found.id, found.state, found.line, found.reasons) == ("b", "open", b'{"id":"e1"}', letter().reasons)
        assert (found.at_ms, await dead.letter("acme", 9), await dead.letter("nobody", 1)) == (T0_MS, None, None)

    async def test_all_of_them_are_read_page_by_page_and_none_twice(self, dead: DeadLetters) -> None:
        await dead.write([refused(*[letter(id=str(n)) for n in range(23)])])
        for limit in (1, 7, 23, 50):
            numbers, before = list[int](), 0
            while page := await dead.page(DeadQuery("acme", before=before, limit=limit)):
                assert len(page) <= limit
                numbers += [each.number for each in page]
                before = numbers[-1]
                if before == 1:
                    break
            assert numbers == list(range(23, 0, -1))
        assert await dead.page(DeadQuery("acme", limit=0)) == []

    async def test_letters_are_found_by_type_and_rule_and_counted(self, dead: DeadLetters) -> None:
        letters = [letter("order.created", "amount"), letter("order.created", "amount"), letter("page.viewed", "page")]
        await dead.write([refused(*letters)])
        assert [each.number for each in await dead.page(DeadQuery("acme", type="page.viewed"))] == [3]
        assert [each.number for each in await dead.page(DeadQuery("acme", reason="amount"))] == [2, 1]
        assert await dead.counts("acme") == [("order.created", "amount", 2), ("page.viewed", "page", 1)]
        assert await dead.counts("umbra") == []

    async def test_a_letter_changes_its_state_and_stays(self, dead: DeadLetters) -> None:
        await dead.write([refused(letter(), letter())])
        settled = [(1, "replayed", "mended"), (77, "replayed", "")]
        assert await dead.write([Letters("acme", (), settled), Letters("umbra", (), [(2, "discarded", "")])]) == [
            (),
            (),
        ]
        dead = await self.reopen(dead)
        assert [each.number for each in await dead.page(DeadQuery("acme", state="open"))] == [2]
        found = await dead.letter("acme", 1)
        assert found is not None
        assert (found.state, found.note) == ("replayed", "mended")
        assert await dead.counts("acme", "replayed") == [("order.created", "amount", 1)]

    @pytest.mark.parametrize("text", ["", "\0", "a\0b\ue0000", "\ue000", "\ue0001\0", "ö\n\t\\u0000'\"%s", "x" * 9_000])
    async def test_what_strangers_claim_is_kept_as_it_came(self, dead: DeadLetters, text: str) -> None:
        claimed = DeadLetter(0, T0_MS, text, text, text, b'[{"rule":"r"}]', bytes(range(256)) * 9)
        await dead.write([Letters("acme", [claimed, letter()], [(1, "discarded", text)])])
        dead = await self.reopen(dead)
        found = await dead.letter("acme", 1)
        assert found is not None
        assert (found.type, found.source, found.id, found.note, found.line) == (*[text] * 4, claimed.line)
        if text:
            assert [each.number for each in await dead.page(DeadQuery("acme", type=text))] == [1]
        assert await dead.counts("acme", "discarded") == [(text, "r", 1)]

    async def test_closing_twice_is_fine(self, dead: DeadLetters) -> None:
        await dead.write([refused(letter())])
        await dead.close()
        await dead.close()


class LogWithLettersSuite:
    """The contract of `LogWithLetters`: one commit for events and letters."""

    async def make(self) -> LogWithLetters:
        """A new and empty log."""
        raise NotImplementedError

    async def reopen(self, log: LogWithLetters) -> LogWithLetters:
        """The same log after its process has ended."""
        return log

    async def test_a_replay_is_accepted_in_the_commit_that_settles_its_letter(self) -> None:
        log = await self.make()
        row, after = group(count=0, rejected=2), group(count=1)
        assert await log.commit([row], [refused(letter(), letter())]) == [(1, 2)]
        settled = Letters("acme", [letter(id="new")], [(1, "replayed", "mended")])
        assert await log.commit([after], [settled]) == [(3,)]
        assert [(each.row, each.first) for each in (row, after)] == [(1, 0), (2, 0)]
        log = await self.reopen(log)
        assert [each.number for each in await log.letters.page(DeadQuery("acme", state="open"))] == [3, 2]
        assert await log.totals("acme") == (1, 0, 2)
        await log.close()
