"""Port `DeadLetters` on Postgres: numbers are dense per tenant; the database gives them in the commit that writes."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

import msgspec

from aob.backends.postgres.database import Database, Given
from aob.backends.postgres.text import read, stored
from aob.core.errors import Conflict, Unavailable
from aob.ports.dead_letters import DeadLetter, DeadQuery, Letters, Numbers, rule_of

_encode: Final = msgspec.json.Encoder().encode
_lasts: Final = msgspec.json.Decoder(list[int | None]).decode


class _Refused(msgspec.Struct):
    """A refused event of a commit; its reasons and its line lie in the commit's bytes from `start` on."""

    at_ms: int
    type: str
    rule: str
    source: str
    id: str
    start: int
    reasons: int
    line: int


class _Settled(msgspec.Struct):
    """A letter whose state changes."""

    number: int
    state: str
    note: str


class _Letters(msgspec.Struct):
    """The changes of a tenant."""

    tenant: str
    refused: list[_Refused]
    settled: list[_Settled]


class PostgresDeadLetters:
    """The letters of all tenants."""

    def __init__(self, db: Database) -> None:
        self._db, self._sql = db, db.statements("dead_letters.sql")

    async def write(self, letters: Sequence[Letters]) -> list[Numbers]:
        told = await written(self._db, self._sql["write"], encoded(letters))
        return numbers_of(letters, told or "[]")

    async def page(self, query: DeadQuery) -> list[DeadLetter]:
        asked = {
            "tenant": query.tenant, "state": query.state, "type": stored(query.type), "rule": stored(query.reason),
            "before": query.before, "limit": max(0, query.limit),
        }  # fmt: skip
        return [_letter(row) for row in await self._db.rows(self._sql["page"], asked)]

    async def letter(self, tenant: str, number: int) -> DeadLetter | None:
        row = await self._db.row(self._sql["letter"], (tenant, number))
        return None if row is None else _letter(row)

    async def counts(self, tenant: str, state: str = "open") -> list[tuple[str, str, int]]:
        found = await self._db.rows(self._sql["counts"], {"tenant": tenant, "state": state})
        told = [(read(type), read(rule), int(count)) for type, rule, count in found]
        return sorted(told, key=lambda each: (-each[2], *each[:2]))  # escaped texts have another order

    async def close(self) -> None:
        """Does nothing: the database is its process's."""


async def written(db: Database, statement: LiteralString, given: Given) -> Any:
    """What a function that writes answers. What the tables refuse is Unavailable too: nothing of it was written."""
    try:
        row = await db.row(statement, given)
    except Conflict as error:
        raise Unavailable(error.detail, code="store_failed", hint="run `aob db check`") from error
    return None if row is None else row[0]


def encoded(letters: Sequence[Letters]) -> tuple[str, bytes]:
    """Changes as the functions of the schema take them: JSON text, and the bytes that it names."""
    told, body, at = list[_Letters](), list[bytes](), 0
    for each in letters:
        refused = list[_Refused]()
        for letter in each.refused:
            sizes = len(letter.reasons), len(letter.line)
            names = stored(letter.type), stored(rule_of(letter)), stored(letter.source), stored(letter.id)
            refused.append(_Refused(letter.at_ms, *names, at, *sizes))
            body += (letter.reasons, letter.line)
            at += sum(sizes)
        settled = [_Settled(number, state, stored(note)) for number, state, note in each.settled]
        told.append(_Letters(each.tenant, refused, settled))
    return _encode(told).decode(), b"".join(body)


def numbers_of(letters: Sequence[Letters], lasts: str) -> list[Numbers]:
    """The numbers of the refused events, made of the last number of each tenant's."""
    return [
        () if last is None else tuple(range(last + 1 - len(each.refused), last + 1))
        for each, last in zip(letters, _lasts(lasts), strict=True)
    ]


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    number, at_ms, type, source, id, reasons, line, state, note = row
    return DeadLetter(number, at_ms, read(type), read(source), read(id), reasons, line, state, read(note))
