"""SEMANTICS 2.7: a message is a row of its sender's commit, numbered, delivered in order, taken once; marks say so."""

import asyncio
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.backends.memory.store import MemoryStore
from aob.core.errors import NotFound, Unavailable
from aob.core.event import PARTITIONS, Message, MessageMark, partition_of
from aob.journal.messages import Delivery, pairs, standing
from aob.journal.partition import PartitionTaken, Step
from aob.ports.store import Batch
from aob.testing.world.loop import replaced
from tests.journal.post import Office, Tell
from tests.journal.tally import in_virtual_time, passes
from tests.journal.test_journal import AWAY, GatedStore

A, B = "p_a", "p_b"
PAIR = (partition_of(A, PARTITIONS), partition_of(B, PARTITIONS))
assert PAIR[0] != PAIR[1]


def one_shard_each() -> tuple[Office, Office, MemoryStore, MemoryStore]:
    """Two shards: the partition of A, and all others."""
    here, there = GatedStore(), GatedStore()
    one, two = Office(here, lambda p: p == PAIR[0]), Office(there, lambda p: p != PAIR[0])
    one.journal.post, two.journal.post = two.journal.receive, one.journal.receive
    return one, two, here, there


def delivery(*numbers: int, first: int, generation: int = 1) -> Delivery:
    messages = [Message(*PAIR, generation, number, A, B, b"%d" % number) for number in numbers]
    return Delivery(*PAIR, (generation, first), messages)


@in_virtual_time
async def test_within_a_shard_both_are_decided_in_one_commit_without_a_row() -> None:
    store = GatedStore()
    office = Office(store)
    async with office.journal as j:
        await j.ask(B, Tell([], []))
        await j.ask(B, Tell([A], ["hello"]))
        await passes(1)
        store.batches.clear()
        await j.ask(A, Tell([B], ["one", "ask two"]))
        (batch,) = store.batches
        assert (await office.kept(B)).got() == [(A, "one"), (A, "ask two")]
        assert (await office.kept(A)).got() == [(B, "hello"), (B, "re ask two")]
        assert not batch.outbox
        assert batch.sent == [MessageMark(*PAIR, 1, 2), MessageMark(*PAIR[::-1], 1, 2)]
        assert batch.received == [MessageMark(*PAIR, 1, 2), MessageMark(*PAIR[::-1], 1, 2)]
        assert await store.outbox() == []
        assert office.law.woken.count(A) == 2


@in_virtual_time
async def test_what_is_decided_at_once_goes_before_what_it_leads_to_and_behind_what_came_before() -> None:
    office = Office(GatedStore())
    async with office.journal as j:
        for name in (A, B):
            await j.ask(name, Tell([], ["x"]))
            await j.ask(name, Tell([name], ["x"]))
        await passes(5)
        await j.ask(A, Tell([B], ["ask 1", "ask ask 2", "3"]))
        await passes(5)
        assert [text for _, text in (await office.kept(B)).got()][1:] == ["ask 1", "ask ask 2", "3"]
        assert [text for _, text in (await office.kept(A)).got()][1:] == ["re ask 1", "re ask ask 2"]


@in_virtual_time
async def test_to_a_stream_that_is_not_in_memory_it_is_a_row_until_the_next_commit() -> None:
    store = GatedStore()
    office = Office(store)
    async with office.journal as j:
        await j.ask(A, Tell([B], ["one"]))
        await passes(1)
        assert (await office.kept(B)).got() == [(A, "one")]
        await j.ask("p_c", Tell(["p_c"], ["something else"]))
        assert await store.outbox() == [], "the answer was there, and the next commit has dropped the row"


@in_virtual_time
async def test_a_message_crosses_shards_once_and_in_order() -> None:
    one, two, here, _ = one_shard_each()
    async with one.journal as sender, two.journal:
        for number in range(600):
            await sender.ask(A, Tell([B], [f"{number} value"]))
        await passes(10)
        assert [text for _, text in (await two.kept(B)).got()] == [f"{number} value" for number in range(600)]
        assert await two.journal.store.value("default", b"v" * 32) == b"value", "values travel along"
        await sender.ask(A, Tell([B], ["last"]))
        await passes(10)
        assert await here.message_marks() == ([MessageMark(*PAIR, 1, 601)], [])


@in_virtual_time
async def test_it_waits_while_the_receiver_is_away_and_after_a_restart_of_either() -> None:
    one, two, here, there = one_shard_each()
    async with one.journal as sender:
        await sender.ask(A, Tell([B], ["early", "later"]))
        await passes(20)
    again = Office(here, lambda p: p == PAIR[0])
    again.journal.post = two.journal.receive
    async with two.journal, again.journal as sender:
        await passes(10)
        assert (await two.kept(B)).got() == [(A, "early"), (A, "later")]
        await sender.ask(A, Tell([B], ["third"]))
        await passes(10)
    restarted = Office(there, lambda p: p != PAIR[0])
    async with restarted.journal as receiver:
        assert (await receiver.receive(delivery(1, 2, 3, first=1))).number == 3
        assert [text for _, text in (await restarted.kept(B)).got()] == ["early", "later", "third"]


@in_virtual_time
async def test_what_is_not_next_is_answered_with_the_mark_and_changes_nothing() -> None:
    office = Office(GatedStore())
    async with office.journal as j:
        for numbers, first, mark in (((2,), 1, 0), ((1,), 1, 1), ((3, 2), 1, 2), ((1, 2), 1, 2), ((3,), 3, 3)):
            assert (await j.receive(delivery(*numbers, first=first))).number == mark, numbers
        assert [text for _, text in (await office.kept(B)).got()] == ["1", "2", "3"]


@in_virtual_time
async def test_a_mark_says_in_which_generation_of_its_receiver_it_was_reached() -> None:
    office = Office(GatedStore(), life=2)
    async with office.journal as j:
        mark = await j.receive(delivery(1, first=1))
        assert (mark.place, mark.under) == ((1, 1), 2)
        assert (await j.receive(delivery(3, first=3))).number == 1, "only a loss since then lets it go on behind 2"


@in_virtual_time
async def test_a_partition_that_arrives_takes_no_mark_back() -> None:
    store = GatedStore()
    async with Office(store).journal as j:
        assert (await j.receive(delivery(1, 2, 3, first=1))).number == 3
        brought = [MessageMark(*PAIR, 1, 1, 1), MessageMark(PAIR[0] + 1, PAIR[1], 1, 7, 1)]
        j.foreign = frozenset({PAIR[1]})  # as after a loss that was accepted for the file that it left
        await j.arrive(PartitionTaken(PAIR[1], 1, 1, 0, []), Step(received=brought), 0)
        _, received = await store.message_marks()
        assert {mark.sender: mark.number for mark in received} == {PAIR[0]: 3, PAIR[0] + 1: 7}
        assert (await j.receive(delivery(2, 3, 4, first=2))).number == 4
    async with (office := Office(store)).journal as j:
        assert [text for _, text in (await office.kept(B)).got()] == ["1", "2", "3", "4"]


@in_virtual_time
async def test_the_mark_is_in_the_commit_of_what_follows_and_answered_after_it() -> None:
    store = GatedStore()
    office = Office(store)
    async with office.journal as j:
        store.gate.clear()
        told = asyncio.ensure_future(j.receive(delivery(1, first=1)))
        await passes(1)
        again = asyncio.ensure_future(j.receive(delivery(1, first=1)))
        await passes(1)
        assert not told.done()
        assert not again.done(), "its mark is not durable"
        store.after.append(AWAY)
        store.gate.set()
        for each in (told, again):
            with pytest.raises(Unavailable):
                await each
        await passes(5)
        assert (await j.receive(delivery(1, 2, first=1))).number == 2
        assert [text for _, text in (await office.kept(B)).got()] == ["1", "2"], "it was written, and is known"
        assert [(b.received[0].number, b.count) for b in store.batches] == [(1, 1), (2, 1)]


@in_virtual_time
async def test_what_was_not_written_is_sent_under_the_same_number_by_another_decision() -> None:
    one, two, here, _ = one_shard_each()
    assert isinstance(here, GatedStore)
    async with one.journal as sender, two.journal:
        here.before.append(AWAY)
        with pytest.raises(Unavailable):
            await sender.ask(A, Tell([B], ["never was"]))
        await passes(5)
        await sender.ask(A, Tell([B], ["was"]))
        here.after.append(AWAY)
        with pytest.raises(Unavailable):
            await sender.ask(A, Tell([B], ["was written"]))
        await passes(10)
        assert [text for _, text in (await two.kept(B)).got()] == ["was", "was written"]


@in_virtual_time
async def test_what_a_law_refuses_or_breaks_on_counts_as_taken_and_is_answered_so() -> None:
    one, two, _, there = one_shard_each()
    async with one.journal as sender, two.journal as receiver:
        await receiver.ask(B, Tell([], []))
        await sender.ask(A, Tell([B], ["before", "refuse", "between", "boom", "after"]))
        await passes(10)
        assert [got for _, got in (await two.kept(B)).got()] == ["before", "between", "after"]
        back = (await one.kept(A)).back()
        assert [each[:2] for each in back] == [(B, "refuse"), (B, "boom")]
        assert "no_messages: not that" in back[0][2]
        assert "ZeroDivisionError: oh" in back[1][2]
        await receiver.ask(B, Tell([], ["x"]))
        await passes(10)
        assert (await there.message_marks())[1] == [MessageMark(*PAIR, 1, 5)]


@in_virtual_time
async def test_a_stream_that_nobody_can_read_refuses_and_holds_up_no_other() -> None:
    office = Office(GatedStore())
    async with office.journal as j:
        j.unreadable[B] = "its segment is damaged"
        await j.ask(A, Tell([B, "nobody", "p_other"], ["x"]))
        await passes(10)
        told = {(source, why.partition(":")[0]) for source, _, why in (await office.kept(A)).back()}
        assert told == {(B, "quarantined"), ("nobody", "unknown_stream")}
        assert (await office.kept("p_other")).got() == [(A, "x")]


@in_virtual_time
async def test_a_value_is_read_first_and_the_order_stays() -> None:
    office = Office(GatedStore())
    async with office.journal as j:
        await j.ask(A, Tell([B], ["1", "need 2", "3"]))
        await passes(10)
        assert [text for _, text in (await office.kept(B)).got()] == ["1", "need 2", "3"]
        office.law.at_hand.clear()
        office.values[b"n" * 32] = NotFound("gone", code="value_gone")
        await j.ask(A, Tell([B], ["need 4", "5"]))
        await passes(10)
        assert [text for _, text in (await office.kept(B)).got()] == ["1", "need 2", "3", "5"]
        ((source, body, _),) = (await office.kept(A)).back()
        assert (source, body) == (B, "need 4")


@in_virtual_time
async def test_a_full_pair_lets_new_commands_wait_and_nothing_else() -> None:
    one, two, here, _ = one_shard_each()
    with replaced((pairs, "PAIR_MAX", 4)):
        async with one.journal as sender:
            await sender.ask(A, Tell([B], ["1", "2", "3", "4"]))
            waits = [sender.ask(A, Tell([B], [text])) for text in ("5", "6")]
            await sender.ask(A, Tell(["p_c"], ["to another"]))
            assert not any(each.done() for each in waits), "the pair holds all it may"
            await sender.ask(A, Tell([B], ["urgent"], urgent=True))
            assert sender.messages() == {"undelivered": 6, "waiting": 2, "beyond": 1}
            assert len(await here.outbox()) == 6
            await passes(20)
            async with two.journal:
                await passes(20)
                assert all(each.done() for each in waits), "there is room again"
                got = [text for _, text in (await two.kept(B)).got()]
                assert got == ["1", "2", "3", "4", "urgent", "5", "6"]


@in_virtual_time
async def test_commands_that_wait_for_room_are_told_of_a_lost_commit_and_of_the_end() -> None:
    store = GatedStore()
    office = Office(store, lambda p: p == PAIR[0])
    with replaced((pairs, "PAIR_MAX", 1)):
        async with office.journal as j:
            await j.ask(A, Tell([B], ["1"]))
            waits = j.ask(A, Tell([B], ["2"]))
            await passes(1)
            store.before.append(AWAY)
            with pytest.raises(Unavailable):
                await j.ask(A, Tell(["p_a"], ["x"]))
            with pytest.raises(Unavailable):
                await waits
            await passes(5)
            still = j.ask(A, Tell([B], ["3"]))
            await passes(1)
        with pytest.raises(Unavailable, match="closing"):
            await still


# -- generations ----------------------------------------------------------------------------------------------------


def of(mark: tuple[int, int], place: tuple[int, int], first: tuple[int, int], under: int = 1, mine: int = 1) -> str:
    message = Message(0, 1, *place, A, B, b"")
    return standing(MessageMark(0, 1, *mark, under), message, first, mine)


def test_a_new_generation_begins_where_the_one_before_has_ended() -> None:
    assert of((1, 7), (2, 1), (2, 1)) == "next"
    assert of((1, 7), (2, 1), (1, 8)) == "gap", "one of the generation before is still to come"
    assert of((2, 1), (1, 8), (1, 8)) == "known"
    assert of((1, 7), (2, 2), (2, 2)) == "gap"


def test_only_an_accepted_loss_lets_a_receiver_go_on_behind_what_it_has_not() -> None:
    assert of((1, 3), (1, 9), (1, 9)) == "gap"
    assert of((1, 3), (1, 9), (1, 9), mine=2) == "next"
    assert of((1, 3), (1, 9), (1, 8), mine=2) == "gap", "one before it is still to come"
    assert of((1, 9), (1, 11), (1, 11), under=2, mine=2) == "gap", "that loss was gone on behind already"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30), st.integers(1, 2))
def test_whatever_arrives_how_often_and_when_each_is_taken_once_in_order(script: Any, mine: int) -> None:
    """Deliveries as they were made at any time since, in any order: `first` is that of then."""
    places = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    mark = MessageMark(0, 1, 0, 0)
    taken: list[tuple[int, int]] = []
    firsts = [places[0]]
    for at, then in script:
        first = firsts[then % len(firsts)]
        if places[at] < first:
            continue  # it was not on its way any more
        if standing(mark, Message(0, 1, *places[at], A, B, b""), first, mine) == "next":
            taken.append(places[at])
            mark = MessageMark(0, 1, *places[at], mine)
            firsts += places[len(taken) : len(taken) + 1]
    assert taken == places[: len(taken)]


async def set_back(sender: bool, receiver: bool, life: int) -> list[str]:
    """Eight messages are taken, a ninth waits; then a file is as it was after the fifth, and six more are sent."""
    one, two, here, there = one_shard_each()
    before: dict[bool, Any] = {}
    async with one.journal as j, two.journal as k:
        for number in range(1, 9):
            await j.ask(A, Tell([B], [str(number)]))
            await passes(2)
            if number == 5:
                before = {True: deepcopy(here), False: deepcopy(there)}
        k.holds = lambda partition: False
        await j.ask(A, Tell([B], ["9"]))
        await passes(2)
    stores = before[True] if sender else here, before[False] if receiver else there
    one = Office(stores[0], lambda p: p == PAIR[0], life)
    two = Office(stores[1], lambda p: p != PAIR[0], life)
    one.journal.post = two.journal.receive
    async with one.journal as j, two.journal:
        for number in range(10, 16):
            await j.ask(A, Tell([B], [str(number)]))
        await passes(30)
        return [text for _, text in (await two.kept(B)).got()]


def told(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


@in_virtual_time
async def test_a_sender_set_back_sends_nothing_twice_and_loses_nothing_new() -> None:
    assert await set_back(sender=True, receiver=False, life=2) == told(*range(1, 9), *range(10, 16))
    assert await set_back(sender=True, receiver=False, life=1) != told(*range(1, 9), *range(10, 16)), (
        "numbers that were given before mean others: that is why an accepted loss begins a generation"
    )


@in_virtual_time
async def test_a_receiver_set_back_goes_on_with_what_is_not_delivered() -> None:
    assert await set_back(sender=False, receiver=True, life=2) == told(*range(1, 6), *range(9, 16))
    assert await set_back(sender=False, receiver=True, life=1) == told(*range(1, 6)), "nobody has accepted that loss"


@in_virtual_time
async def test_both_set_back_go_on_from_there() -> None:
    assert await set_back(sender=True, receiver=True, life=2) == told(*range(1, 6), *range(10, 16))


@in_virtual_time
async def test_nothing_set_back_loses_nothing_in_whatever_generation() -> None:
    for life in (1, 2):
        assert await set_back(sender=False, receiver=False, life=life) == told(*range(1, 16))


def test_what_a_partition_brought_stays_beside_the_messages_of_the_same_commit() -> None:
    ours, theirs = (Message(*PAIR, 1, number, A, B, b"1") for number in (1, 2))
    mark, other = MessageMark(*PAIR, 1, 1), MessageMark(*PAIR[::-1], 1, 7)
    step = Step(outbox=[ours], sent=[mark], received=[other], delivered=[other])
    batch, mail, all_pairs = Batch(1, 1, 0, 1, b"[]"), pairs.Mail(), pairs.Pairs([theirs])
    step.fill(batch)
    mail.outbox, mail.numbered[PAIR], mail.received[PAIR] = [theirs], mark, mark
    all_pairs.delivered(MessageMark(*PAIR, 1, 2))
    all_pairs.fill(batch, mail)
    assert (batch.outbox, batch.sent, batch.received) == ([ours, theirs], [mark, mark], [other, mark])
    assert batch.delivered == [other, MessageMark(*PAIR, 1, 2)]
