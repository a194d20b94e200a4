"""Dead letters: read, group, replay through the gate (unchanged or corrected), discard. A replay is accepted by the
commit that holds its events and settles its letters. It keeps the event's time and is deduplicated by id, so an event
accepted in the meantime is a duplicate; one that is refused again stays open and is not counted again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import CallerError, Conflict, NotFound, Unavailable
from aob.core.event import Positions
from aob.core.ingest import Dedup, Event, Gate, Gated, Refused
from aob.core.metric_answers import DeadLetterGroup, DeadLetterPage, DeadLetterRow, Replayed
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import event_verbs as verbs
from aob.gate.pending_call import PendingCall
from aob.ports.dead_letters import DeadLetter, DeadLetters, DeadQuery, LetterLists, Letters, LettersFrom

LIMIT_MAX: Final = 1_000
REPLAY_MAX: Final = 10_000  # dead letters of one replay; repeat the call for further ones
ROWS_MAX: Final = 10_000  # rows of the view, the newest ones


class GateAndLog(Protocol):
    """The path through the gate and into the log."""

    now_ms: Callable[[], int]
    positions: Positions

    def gate(self, tenant: str) -> Gate:
        """The gate of a tenant with its current contracts."""

    def dedup(self, tenant: str) -> Dedup:
        """The deduplication memory of a tenant."""

    def claimed(self, tenant: str, gate: Gate, gated: Gated, size: int) -> PendingCall:
        """The accepted events, with their ids claimed."""

    async def post(self, call: PendingCall) -> None:
        """Waits until a call is durable and folded."""

    async def durable_rows(self) -> Sequence[int]:
        """The last row of each partition that is known to be durable."""


class DeadVerbs:
    """The verbs of dead letters, for all tenants. They are listed from a replica where there are `lists`."""

    def __init__(self, letters: DeadLetters, ingest: GateAndLog, lists: LetterLists | None = None) -> None:
        self._letters, self._ingest, self._lists = letters, ingest, lists

    @performs(verbs.LIST_DEAD)
    async def deadletters(self, who: Caller, args: verbs.ListDeadLetters) -> DeadLetterPage:
        """Dead letters, newest first. What is written up to `as_of` is in the answer."""
        limit = max(1, min(args.limit, LIMIT_MAX))
        query = DeadQuery(who.tenant, _state(args.state), args.type, args.reason, args.before, limit + 1)
        rows = await self._ingest.durable_rows()
        if self._lists is None:
            return self._page(await self._letters.page(query), limit, rows)
        source = await self._lists.letters()
        if source.log is not None:
            try:
                there = await source.log.last_rows()
                found = await source.log.letters.page(query)
            except Unavailable as error:
                source = LettersFrom(None, None, self._lists.failed(error))
            else:
                told = self._page(found, limit, list(map(min, rows, there)))
                return {**told, "read": {"source": "replica", "replayed_at": source.replayed_ms}}
        told = self._page(await self._letters.page(query), limit, rows)
        return {**told, "read": {"source": "store", "why": source.why}}

    def _page(self, found: Sequence[DeadLetter], limit: int, rows: Sequence[int]) -> DeadLetterPage:
        return {
            "deadletters": [row_of(letter) for letter in found[:limit]],
            "next": found[limit - 1].number if len(found) > limit else None,
            "as_of": self._ingest.positions.written({part: row for part, row in enumerate(rows) if row}),
        }  # fmt: skip

    @performs(verbs.GROUP_DEAD)
    async def deadletter_groups(self, who: Caller, args: verbs.GroupDeadLetters) -> list[DeadLetterGroup]:
        """Counts by type and rule, largest first."""
        state = args.state
        told: list[DeadLetterGroup] = []
        for type, rule, count in await self._letters.counts(who.tenant, _state(state)):
            group: DeadLetterGroup = {"type": type, "reason": rule, "count": count}
            if args.sample:
                newest = await self._letters.page(DeadQuery(who.tenant, _state(state), type, rule, 0, 1))
                if newest:
                    group["sample"] = row_of(newest[0])
            told.append(group)
        return told

    @performs(verbs.SHOW_DEAD)
    async def deadletter(self, who: Caller, args: verbs.NumberedDeadLetter) -> DeadLetterRow:
        """One of them. Raises NotFound."""
        return row_of(await self._letter(who.tenant, args.number))

    @performs(verbs.REPLAY_DEAD)
    async def replay_deadletters(self, who: Caller, args: verbs.ReplayDeadLetters) -> Replayed:
        """Replay by number, or all open ones of a type or reason. They keep their event time; one accepted in the
        meantime is a duplicate."""
        numbers, event = args.numbers, args.event
        letters = await self._matching(who.tenant, numbers, args.type, args.reason)
        lines = [letter.line for letter in letters]
        if event is not None:
            if len(letters) != 1 or len(numbers) != 1:
                raise CallerError("a mended event takes the place of one dead letter", code="bad_replay",
                                  hint="name its number, and no other")  # fmt: skip
            lines = [msgspec.json.encode(event)]
        return await self._again(who.tenant, letters, lines, args.dry_run)

    @performs(verbs.DISCARD_DEAD)
    async def discard_deadletters(self, who: Caller, args: verbs.DiscardDeadLetters) -> JsonObject:
        """Discard for good: they stay readable."""
        letters = [await self._letter(who.tenant, number) for number in dict.fromkeys(args.numbers)]
        wanted = [letter for letter in letters if letter.state == "open"]
        if wanted:
            settled = [(letter.number, "discarded", args.note[:500]) for letter in wanted]
            await self._letters.write([Letters(who.tenant, (), settled)])
        return {"discarded": len(wanted)}

    async def _letter(self, tenant: str, number: int) -> DeadLetter:
        found = await self._letters.letter(tenant, number)
        if found is None:
            raise NotFound(f"there is no dead letter {number}", code="deadletter_not_found")
        return found

    async def _matching(self, tenant: str, numbers: Sequence[int], type: str, reason: str) -> list[DeadLetter]:
        """The selected letters, oldest first."""
        if numbers:
            found = [await self._letter(tenant, number) for number in sorted(set(numbers))[:REPLAY_MAX]]
            if len(found) == 1 and found[0].state != "open":
                raise Conflict(f"dead letter {found[0].number} is {found[0].state}", code="deadletter_settled")
            return [letter for letter in found if letter.state == "open"]
        if not (type or reason):
            raise CallerError("say which dead letters: numbers, a type or a reason", code="bad_replay")
        matched = await _newest(self._letters, DeadQuery(tenant, "open", type, reason, limit=LIMIT_MAX), REPLAY_MAX)
        return matched[::-1][:REPLAY_MAX]

    async def _again(self, tenant: str, letters: list[DeadLetter], lines: list[bytes], dry_run: bool) -> Replayed:
        ingest, now_ms = self._ingest, self._ingest.now_ms()
        gate = ingest.gate(tenant)
        looked: list[Event | Refused] = []
        for letter, line in zip(letters, lines, strict=True):
            found: Any = gate.look(line, now_ms)
            if not isinstance(found, Refused) and not found.time:
                found.at_ms = letter.at_ms  # an event without a time happened when it arrived
            looked.append(found)
        passed = [place for place, found in enumerate(looked) if not isinstance(found, Refused)]
        events: list[Any] = [looked[place] for place in passed]
        gated = Gated(len(passed), events, b"\n".join(lines[place] for place in passed), [])
        call = ingest.claimed(tenant, gate, gated, len(gated.text))
        again = {passed[place] for place in call.repeats}
        position: str | None = None
        if dry_run:
            ingest.dedup(tenant).forget(call.events)
        elif passed:
            call.settled = [
                (letters[place].number, "replayed", "duplicate" if place in again else "") for place in passed
            ]
            await ingest.post(call)
            position = ingest.positions.written(call.rows)
        verdicts = [_verdict(letters[place], found, place in again) for place, found in enumerate(looked)]
        return {
            "dry_run": dry_run, "matched": len(letters), "accepted": len(passed) - len(again), "duplicate": len(again),
            "rejected": len(letters) - len(passed), "position": position, "verdicts": verdicts,
        }  # fmt: skip


class DeadLetterRows:
    """The view `deadletters` of SQL."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    async def __call__(self, tenant: str) -> list[Mapping[str, JsonValue]]:
        """The newest letters of a tenant."""
        return [
            {
                "number": each.number, "time": each.at_ms, "type": each.type, "source": each.source, "id": each.id,
                "state": each.state, "reasons": msgspec.Raw(each.reasons or b"null"),
                "line": each.line.decode(errors="replace"), "note": each.note,
            }
            for each in await _newest(self._letters, DeadQuery(tenant, limit=LIMIT_MAX), ROWS_MAX)
        ]  # fmt: skip


async def _newest(letters: DeadLetters, query: DeadQuery, most: int) -> list[DeadLetter]:
    """The newest of a query, about `most`, a page at a time."""
    found: list[DeadLetter] = []
    while len(found) < most:
        page = await letters.page(query)
        found += page
        if len(page) < query.limit:
            break
        query = msgspec.structs.replace(query, before=page[-1].number)
    return found


def _state(state: str) -> str:
    """`all` means every state."""
    return "" if state == "all" else state


def _verdict(letter: DeadLetter, found: Event | Refused, repeated: bool) -> JsonObject:
    if isinstance(found, Refused):
        reasons = [msgspec.to_builtins(reason) for reason in found.reasons]
        return {"number": letter.number, "verdict": "rejected", "reasons": reasons}
    return {"number": letter.number, "verdict": "duplicate" if repeated else "accepted"}


def row_of(letter: DeadLetter) -> DeadLetterRow:
    """A dead letter as shown in answers: the event if it is readable, else the line."""
    row: DeadLetterRow = {
        "number": letter.number, "at": letter.at_ms, "type": letter.type, "source": letter.source, "id": letter.id,
        "state": letter.state, "reasons": msgspec.json.decode(letter.reasons, type=list[JsonObject]),
    }  # fmt: skip
    try:
        row["event"] = msgspec.json.decode(letter.line.decode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        row["line"] = letter.line.decode(errors="replace")
    if letter.note:
        row["note"] = letter.note
    return row
