"""Tests for the messages between streams of every `Store`, with the fixture of its main suite."""

from aob.core.event import HOME, Message, MessageMark
from aob.ports.store import Store
from aob.testing.conformance.store import batch, message


class MessagesSuite:
    """The outbox and the marks of `aob.ports.store`."""

    async def test_messages_lie_in_the_outbox_until_they_are_delivered(self, store: Store, epoch: int) -> None:
        held = [
            message(number, sender=sender, receiver=receiver, generation=generation, refused="no" * (number & 1),
                    body=b"\x00%d" % number, values=((b"h" * 32, b"v"), (b"g" * 32, b"")) * (number & 1))
            for sender in (HOME, 0, 63) for receiver in (HOME, 5) for generation in (1, 2) for number in (1, 2, 3)
        ]  # fmt: skip
        await store.commit(batch(epoch, 1, count=0, outbox=held[::-1]))
        for size in (1, 5, 100):
            seen, after = list[Message](), None
            while page := await store.outbox(after, size):
                assert len(page) <= size
                seen += page
                after = (page[-1].sender, page[-1].receiver, *page[-1].place)
            assert seen == held
        done = [MessageMark(HOME, 5, 2, 1), MessageMark(63, HOME, 1, 2), MessageMark(7, 7, 9, 9)]
        await store.commit(batch(epoch, 1, delivered=done))
        covered = {(mark.sender, mark.receiver): mark.place for mark in done}
        left = [each for each in held if each.place > covered.get((each.sender, each.receiver), (0, 0))]
        assert await store.outbox() == left
        assert len(left) == len(held) - 4 - 2

    async def test_what_is_delivered_goes_before_what_is_sent_is_written(self, store: Store, epoch: int) -> None:
        await store.commit(batch(epoch, 1, outbox=[message(1), message(2)]))
        await store.commit(batch(epoch, 2, outbox=[message(3)], delivered=[MessageMark(3, 4, 1, 2)]))
        assert await store.outbox() == [message(3)]

    async def test_marks_are_one_for_each_pair_and_way(self, store: Store, epoch: int) -> None:
        sent = [MessageMark(1, HOME, 1, 4), MessageMark(1, 2, 1, 9)]
        received = [MessageMark(1, 2, 1, 3, 1)]
        await store.commit(batch(epoch, 1, sent=sent, received=received))
        await store.commit(batch(epoch, 2, count=0, sent=[MessageMark(1, 2, 2, 1)]))
        assert await store.message_marks() == ([MessageMark(1, HOME, 1, 4), MessageMark(1, 2, 2, 1)], received)
        await store.commit(batch(epoch, 2, received=[MessageMark(1, 2, 2, 8, 3)]))
        assert (await store.message_marks())[1] == [MessageMark(1, 2, 2, 8, 3)]
