"""Delivers messages of a shard until they are received, and decides each received message once. A message is sent after
the commit that holds it, and acknowledged after the commit that holds its mark. A message that a law refuses or breaks
on counts as received, and its sender gets a message about it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aob.core.errors import AobError, Busy, OurError, Unavailable, said
from aob.core.event import HOME, Message, MessageMark, partition_of
from aob.journal.batch import Draft, build
from aob.journal.deciding import Asked
from aob.journal.law.law import Law, Verdict, Wanted, law_for
from aob.journal.law.stream import Stream
from aob.journal.log import logger
from aob.journal.messages import Arrival, Delivery, Mail, Outgoing, Pair, Pairs, standing
from aob.journal.topics import Attaching
from aob.ports.store import Batch, Segment, TicketRow, every_message

INBOX_MAX: Final = 20_000  # outside commands that may wait; further ones are refused as busy
AGAIN_S: Final = 0.5
AGAIN_MAX_S: Final = 5.0  # pauses between attempts to deliver
TOGETHER_MAX: Final = 64  # messages of one commit that are decided in that commit
REFUSED_MAX: Final = 1_000
NEVER: Final = (0, 0)


class Exchange(Attaching):
    """Sends, delivers and receives messages. The journal commits."""

    def __init__(self) -> None:
        super().__init__()
        self.generation = 1  # the generation of this shard's partitions
        self.holds: Callable[[int], bool] = self._holds  # whether a partition belongs to this shard
        self.post: Callable[[Delivery], Awaitable[MessageMark]] = self._nowhere
        """Delivers to another shard and returns the receiver's mark. Raises AobError while it cannot be reached."""
        self.refusing: AobError | None = None
        """Why outside commands are refused; accepted ones are finished, and reads work."""
        self._pairs = Pairs()
        self._held: deque[Asked] = deque()  # commands whose decision would send over a full pair
        self.beyond = 0  # messages added to a full pair by commands that must not wait

    def _open_to_callers(self) -> None:
        self.check()
        if self.closing:
            raise Unavailable("the home is closing", code="closing")
        if self.refusing is not None:
            raise self.refusing.with_traceback(None)
        if len(self._inbox) + len(self._held) >= INBOX_MAX:
            raise Busy(f"{INBOX_MAX:,} commands are waiting", retry_after_s=0.5)

    def _holds(self, partition: int) -> bool:
        return not self.shard if partition == HOME else partition not in self.foreign

    def messages(self) -> dict[str, int]:
        """Counts: undelivered messages, commands waiting for room, messages added without room."""
        count = sum(pair.count for pair in self._pairs.pairs.values())
        return {"undelivered": count, "waiting": len(self._held), "beyond": self.beyond}

    # -- sending ------------------------------------------------------------------------------------------------------

    def _partition(self, name: str) -> int:
        law = law_for(self.laws, name)
        return partition_of(name, self.partitions) if law is not None and law.spread else HOME

    def _waits(self, stream: Stream, verdict: Verdict, asked: Asked) -> bool:
        """Whether a command has to wait for room; it is decided again once there is some."""
        sender = self._partition(stream.name)
        full = any(self._pairs.full((sender, self._partition(each.target))) for each in verdict.messages)
        if full and stream.law.waits(asked.command):
            self._held.append(asked)
            return True
        return False

    def _send(self, draft: Draft, stream: Stream, messages: Sequence[Outgoing]) -> None:
        """All get their numbers first: a message decided at once may send over the same pair."""
        for message in [self._numbered(draft, stream.name, each) for each in messages]:
            self._put(draft, message)

    def _numbered(self, draft: Draft, source: str, each: Outgoing, refused: str = "") -> Message:
        mail = draft.mail = draft.mail or Mail()
        key = (self._partition(source), self._partition(each.target))
        place = self._pairs.number(mail, key, self.generation)
        return Message(*key, *place, source, each.target, each.body, refused, tuple(each.values.items()))

    def _put(self, draft: Draft, message: Message) -> None:
        """Decide a message in this commit if it is the next of its pair and its target is in memory; else put it into
        the outbox."""
        assert draft.mail is not None
        target = self.streams.get(message.target)
        if target is not None and self.holds(message.receiver) and message.target not in self._waiting:
            pair = self._pairs.pair((message.sender, message.receiver))
            first = message.place if message.number == 1 and not pair.waiting else NEVER
            mark = self._pairs.mark(pair.key)
            if draft.mail.together < TOGETHER_MAX and standing(mark, message, first, self.generation) == "next":
                draft.mail.together += 1
                if self._decided(draft, target, Arrival(message, first)):
                    return
        self.beyond += self._pairs.hold(message)
        draft.mail.outbox.append(message)

    # -- taking -------------------------------------------------------------------------------------------------------

    async def receive(self, delivery: Delivery) -> MessageMark:
        """Receive the next messages of a pair. Returns the durable mark up to which all are received. Raises
        Unavailable if it is not known."""
        self.check()
        if self.closing:
            raise Unavailable("the home is closing", code="closing")
        if not self.holds(delivery.receiver):
            raise Unavailable(f"partition {delivery.receiver} is not here", code="partition_elsewhere",
                              hint="the sender asks again where it is")  # fmt: skip
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[Any]] = []
        for message in delivery.messages:
            answers.append(loop.create_future())
            self._inbox.append(Asked(message.target, Arrival(message, delivery.first), answers[-1], False))
        self._wake.set()
        told = await asyncio.gather(*answers, return_exceptions=True)
        marks = [each for each in told if isinstance(each, MessageMark)]
        if not marks:
            raise next(each for each in told if isinstance(each, BaseException)).with_traceback(None)
        return max(marks, key=lambda mark: mark.place)

    def _take(self, draft: Draft, stream: Stream | None, asked: Asked) -> None:
        arrival: Arrival = asked.command
        key = (arrival.message.sender, arrival.message.receiver)
        if standing(self._pairs.mark(key), arrival.message, arrival.first, self.generation) == "next":
            if not self._decided(draft, stream, arrival, asked):
                return
        elif stream is not None and not stream.seq:
            self.streams.pop(stream.name, None)
        if asked.future is not None:
            draft.answers.append((asked, self._pairs.mark(key)))

    def _decided(self, draft: Draft, stream: Stream | None, arrival: Arrival, asked: Asked | None = None) -> bool:
        """Receives a message, whatever its result; False if a value has to be read first."""
        message, refusal, verdict = arrival.message, arrival.refusal, None
        key = (message.sender, message.receiver)
        if stream is not None and refusal is None:
            law: Law = stream.law
            stream.touched = draft.at_ms
            try:
                verdict = law.receive(stream, message, draft.at_ms)
            except Wanted as wanted:
                if asked is not None:
                    draft.asked.pop()
                    self._fetch_value(asked, stream, wanted)
                return False
            except AobError as error:
                refusal = error
            except Exception as error:
                refusal = OurError(f"{type(error).__name__}: {said(error)}")
                self._broke(draft, stream, Asked(message.target, arrival, None, False), error)
        writes = verdict is not None and bool(verdict.records or verdict.passed)
        if verdict is not None and stream is not None and writes and self._unread(draft, stream, verdict, asked):
            return False
        mail = draft.mail = draft.mail or Mail()
        mail.received[key] = self._pairs.received[key] = MessageMark(*key, *message.place, self.generation)
        if stream is not None:
            mail.reached[message.target] = None
        if verdict is not None and stream is not None:
            if verdict.events:
                self._fold(draft, stream, verdict)
            if verdict.messages:
                self._send(draft, stream, verdict.messages)
            if writes:
                self._attach(draft, stream, verdict)
        elif refusal is not None and not message.refused:
            why = f"{refusal.code}: {refusal.detail}"[:REFUSED_MAX]
            self._put(draft, self._numbered(draft, message.target, Outgoing(message.source, message.body), why))
        if stream is not None and not stream.seq:
            self.streams.pop(stream.name, None)
        return True

    # -- delivering ---------------------------------------------------------------------------------------------------

    async def _read_messages(self) -> None:
        outbox = [message async for message in every_message(self.store) if message.sender not in self.foreign]
        sent, received = await self.store.message_marks()
        self._pairs = Pairs(outbox, [mark for mark in sent if mark.sender not in self.foreign], received)
        for pair in self._pairs.pairs.values():
            self._move(pair)

    def _built(self, draft: Draft, segments: list[Segment], rows: Sequence[TicketRow] = ()) -> Batch:
        """Converts the draft to a batch for the store, with the marks of messages delivered in the meantime."""
        batch = build(self.epochs.now, draft, segments, rows)
        self._pairs.fill(batch, draft.mail)
        return batch

    def _went_out(self, mail: Mail) -> None:
        """The messages of a commit are durable: start their delivery."""
        for message in sorted(mail.outbox, key=lambda each: each.place):
            pair = self._pairs.pair((message.sender, message.receiver))
            pair.waiting.append(message)
            self._move(pair)
        for name in mail.reached:
            self.law_of(name).reached(name)

    def _move(self, pair: Pair) -> None:
        if pair.waiting and not pair.moving and not self.closing:
            pair.moving = True
            self.aside(self._deliver(pair))

    async def _deliver(self, pair: Pair) -> None:
        """Delivers until the pair is empty, or the shard was recovered: then another task does."""
        pause_s = AGAIN_S
        try:
            while pair.waiting and self._pairs.pairs.get(pair.key) is pair:
                delivery = pair.delivery()
                try:
                    mark = await (self.receive if self.holds(pair.key[1]) else self.post)(delivery)
                except Exception as error:
                    known = isinstance(error, AobError)
                    logger().info("messages_wait", sender=pair.key[0], receiver=pair.key[1],
                                  why=said(error), exc_info=None if known else error)  # fmt: skip
                else:
                    if self._delivered(mark):
                        pause_s = AGAIN_S
                        continue
                    logger().warning("messages_not_taken", sender=pair.key[0], receiver=pair.key[1],
                                     first=delivery.first, mark=mark.place)  # fmt: skip
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, AGAIN_MAX_S)
        finally:
            pair.moving = False

    def _delivered(self, mark: MessageMark) -> int:
        """Returns how many messages a mark newly covers; as many waiting commands continue."""
        count = self._pairs.delivered(mark)
        if count and self._held:
            room = self._pairs.pair((mark.sender, mark.receiver)).room
            self._inbox.extendleft(reversed([self._held.popleft() for _ in range(min(len(self._held), room))]))
            self._wake.set()
        return count

    async def _nowhere(self, delivery: Delivery) -> MessageMark:
        raise Unavailable("the other shards of this home are not there yet", code="shard_down",
                          hint="it is delivered when they are")  # fmt: skip
