"""Records and marks that decisions bring with them: appended, and moved, in the commit of the decision. What that needs
of the store is read before the decision counts: it is asked again then."""

from collections.abc import Iterable

from aob.core.errors import AobError
from aob.journal.batch import Draft
from aob.journal.deciding import Asked
from aob.journal.law.law import Made, Passed, Verdict
from aob.journal.law.stream import Stream
from aob.journal.topics.appending import Appending
from aob.journal.topics.commands import Place
from aob.journal.topics.draft import Appends
from aob.ports.log import content_digest
from aob.ports.topics import GroupMark, KeyRow, key_of


class Attaching(Appending):
    """The topics of a shard, as its decisions write to them. The journal commits."""

    def __init__(self) -> None:
        super().__init__()
        self._absent: tuple[int, set[tuple[Place, bytes]]] = (0, set())
        """Keys that the store does not have, as read in a life of the memory of topics."""

    def _unread(self, draft: Draft, stream: Stream, verdict: Verdict, asked: Asked | None) -> bool:
        """Whether something of the store is missing for a decision: then it is being read, and the command waits, if
        there is one."""
        tenant, ends, known = stream.tenant, self.topics.ends, self.topics.marks
        if (
            all((tenant, each.topic, each.partition) in ends and not each.repeated for each in verdict.records)
            and all((each.group, (tenant, each.topic, each.partition)) in known for each in verdict.passed)
        ):  # fmt: skip
            return False
        places = {(tenant, each.topic, each.partition) for each in verdict.records}
        lacks = [place for place in places if place not in self.topics.ends]
        marks = {
            (each.group, (tenant, each.topic, each.partition)) for each in verdict.passed
        } - self.topics.marks.keys()  # fmt: skip
        keys = [pair for pair in self._doubtful(tenant, verdict.records) if not self._is_known(*pair)]
        if not (lacks or marks or keys):
            return False
        if asked is None:
            return True
        draft.asked.pop()
        self._waiting[stream.name] = [asked]
        self.aside(self._read_places(stream.name, lacks, marks, keys))
        return True

    @staticmethod
    def _doubtful(tenant: str, records: Iterable[Made]) -> list[tuple[Place, bytes]]:
        """The keys of those records that may have been appended before."""
        return [
            ((tenant, each.topic, each.partition), key_of(each.record.source, each.record.id))
            for each in records if each.repeated
        ]  # fmt: skip

    def _is_known(self, place: Place, key: bytes) -> bool:
        life, absent = self._absent
        return self.topics.known(place, key) is not None or (life == self.topics.life and (place, key) in absent)

    async def _read_places(
        self, stream: str, places: list[Place], marks: set[tuple[str, Place]], keys: list[tuple[Place, bytes]]
    ) -> None:
        error: AobError | None = None
        life = self.topics.life
        try:
            ends = {place: await self.store.topic_end(*place) for place in places}
            found = {pair: await self.stored_mark(*pair) for pair in marks}
            known = [(pair, (await self.store.keyed(*pair[0], [pair[1]])).get(pair[1])) for pair in keys]
        except AobError as failed:
            error = failed
        else:
            if life == self.topics.life:
                self._learn(ends, found)
                absent = self._absent[1] if self._absent[0] == life else set()
                for pair, at in known:
                    if at is None:
                        absent.add(pair)
                    else:
                        self.topics.keys.setdefault(pair, (*at, 0))
                self._absent = life, absent
        self._resume(stream, error)

    def _learn(self, ends: dict[Place, int], marks: dict[tuple[str, Place], GroupMark | None]) -> None:
        for place, end in ends.items():
            self.topics.ends.setdefault(place, (end, 0))
        for pair, mark in marks.items():
            self.topics.marks.setdefault(pair, (mark, 0))

    def _attach(self, draft: Draft, stream: Stream, verdict: Verdict) -> None:
        """Appends the records of a decision and moves its marks."""
        appends = draft.appends = draft.appends or Appends()
        for made in verdict.records:
            self._append_made(draft, appends, stream.tenant, made)
        for each in verdict.passed:
            self._pass(draft, appends, stream.tenant, each)

    def _append_made(self, draft: Draft, appends: Appends, tenant: str, made: Made) -> None:
        place, record = (tenant, made.topic, made.partition), made.record
        key = key_of(record.source, record.id)
        if made.repeated:
            self._absent[1].discard((place, key))
            if self.topics.known(place, key) is not None:
                return
        offset, digest = self.topics.ends[place][0], content_digest(record)
        appends.add(place, offset, [record], draft.at_ms)
        appends.keys.append(KeyRow(*place, key, offset, digest))
        self.topics.ends[place] = offset + 1, draft.row
        self.topics.keys[place, key] = offset, digest, draft.row

    def _pass(self, draft: Draft, appends: Appends, tenant: str, each: Passed) -> None:
        pair = each.group, (tenant, each.topic, each.partition)
        mark, _ = self.topics.marks[pair]
        generation = mark.generation if mark is not None else 1
        if each.generation < generation:
            return
        low, done = passed(mark.low if mark is not None else 0, mark.done if mark is not None else (), each.offset)
        moved = GroupMark(tenant, each.group, each.topic, each.partition, low, done, draft.at_ms, generation)
        appends.marks[tenant, each.group, each.topic, each.partition] = moved
        self.topics.marks[pair] = moved, draft.row


def passed(low: int, done: tuple[int, ...], offset: int) -> tuple[int, tuple[int, ...]]:
    """How far a group is once it has passed this record, too: all below the first are done, and of later ones those of
    the second, sorted."""
    if offset < low or offset in done:
        return low, done
    if offset > low:
        return low, tuple(sorted((*done, offset)))
    count = 1
    while count <= len(done) and done[count - 1] == low + count:
        count += 1
    return low + count, done[count - 1 :]
