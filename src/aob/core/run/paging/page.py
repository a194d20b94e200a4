"""A run as one page of bytes, and back: exactly the run that its events make. Raises for what JSON cannot hold; whoever
reads a page makes sure first that this same code has written it."""

from typing import Final

import msgspec

from aob.core.intents import WrittenIntent, read_intents, write_intents
from aob.core.run.record.event import NodeHeld
from aob.core.run.state.run import Run, Token
from aob.core.value import Cell, canonical, decode


class _Token(msgspec.Struct, array_like=True, gc=False):
    visit: str
    scope: str
    node: str
    attempt: int
    state: str
    verify: bool
    lost: int
    crashes: int
    kept: NodeHeld | None
    resume: list[Cell]
    error: list[Cell]
    intents: list[WrittenIntent] | None


class _Page(msgspec.Struct, array_like=True, gc=False):
    """`run` is without the fields that stand beside it."""

    run: Run
    tokens: list[_Token]
    waiting: list[tuple[str, str, dict[str, int]]]
    usage: Cell
    error: list[Cell]


_pages: Final = msgspec.json.Decoder(_Page)
_encode: Final = msgspec.json.Encoder().encode


def encode_run(run: Run) -> bytes:
    """The page of a run."""
    plain = msgspec.structs.replace(run, tokens={}, waiting={}, usage={}, error=None)
    waiting = [(name, key, visits) for (name, key), visits in run.waiting.items()]
    tokens = [_written_token(token) for token in run.tokens.values()]
    return _encode(_Page(plain, tokens, waiting, msgspec.Raw(canonical(run.usage)), _maybe(run.error)))


def decode_run(data: bytes) -> Run:
    """The run of a page. Raises msgspec.DecodeError."""
    page = _pages.decode(data)
    run = page.run
    run.tokens = {token.visit: _read_token(token) for token in page.tokens}
    run.waiting = {(name, key): visits for name, key, visits in page.waiting}
    run.usage, run.error = decode(page.usage), _one(page.error)
    return run


def _written_token(token: Token) -> _Token:
    return _Token(
        token.visit, token.scope, token.node, token.attempt, token.state, token.verify, token.lost, token.crashes,
        token.kept, _maybe(token.resume), _maybe(token.error), write_intents(token.intents),
    )  # fmt: skip


def _read_token(page: _Token) -> Token:
    return Token(
        page.visit, page.scope, page.node, page.attempt, page.state, read_intents(page.intents), page.kept,
        _one(page.resume), _one(page.error), page.verify, page.lost, page.crashes,
    )  # fmt: skip


def _maybe(cell: Cell | None) -> list[Cell]:
    return [] if cell is None else [cell]


def _one(cells: list[Cell]) -> Cell | None:
    return cells[0] if cells else None
