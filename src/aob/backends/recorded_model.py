"""`recorded:NAME`: replays recorded exchanges of a model, and the recorder that writes them. A file `NAME.jsonl` holds
one exchange a line, found by the hash of the normalised request without the model's name. A request that was not
recorded is an error, or goes to the fallback given (a script); an answer is never guessed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from aob.core.errors import Invalid, NotFound, Problem
from aob.ports.model import Brain, Json, Model, ModelAnswer, ModelRequest, request_hash

EXCHANGE_BYTES_MAX: Final = 4_000_000
_ID: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Exchange(msgspec.Struct, frozen=True):
    """One line of a recording. `hash` is `request_hash(request, named=False)`, `on` the day as YYYY-MM-DD; the request
    is there for people to read, the answer names the model that gave it."""

    hash: str
    on: str
    request: dict[str, Json]
    answer: ModelAnswer


class Recording:
    """The exchanges of one file. Raises Invalid naming the line that is not an exchange."""

    def __init__(self, data: bytes) -> None:
        self._by_hash: dict[str, Exchange] = {}
        for number, line in enumerate(data.splitlines(), 1):
            if not line.strip():
                continue
            try:
                exchange = msgspec.json.decode(line, type=Exchange)
            except msgspec.MsgspecError as error:
                raise Invalid("this is not a recording", [Problem("", str(error), line=number)]) from error
            self._by_hash[exchange.hash] = exchange

    def find(self, request: ModelRequest) -> Exchange | None:
        """The exchange recorded for this request."""
        return self._by_hash.get(request_hash(request, named=False))


class RecordedModel:
    """Answers `recorded:NAME` from files of a folder, read again when they change."""

    def __init__(self, folder: Path, fallback: Model | None = None) -> None:
        self._folder = folder
        self._fallback = fallback
        self._read: dict[str, tuple[tuple[int, int], Recording]] = {}

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """The recorded answer, with nothing spent; see `Model.ask` for the errors."""
        name = request.model.removeprefix("recorded:")
        found = self._recording(name).find(request)
        if found is None and self._fallback is not None:
            return await self._fallback.ask(request)
        if found is None:
            why = f"recording {name} has no exchange for this request ({request_hash(request, named=False)[:12]})"
            hint = "record it with the real model, or give a script to fall back to"
            raise NotFound(why, code="model_no_answer", hint=hint)
        spent = msgspec.structs.replace(found.answer.usage, cost_usd=0.0)
        return msgspec.structs.replace(found.answer, brain=_badge(found), usage=spent)

    def _recording(self, name: str) -> Recording:
        path = self._folder / f"{name}.jsonl"
        if not name or not _ID.issuperset(name) or not path.is_file():
            why = f"there is no recording {name[:80]!r}"
            raise NotFound(why, code="model_unknown", hint="put NAME.jsonl into the home's folder of recordings")
        stat = path.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(name)
        if known and known[0] == version:
            return known[1]
        recording = Recording(path.read_bytes())
        self._read[name] = (version, recording)
        return recording


class RecorderModel:
    """Calls another model and appends each exchange to a file. Errors are not recorded."""

    def __init__(self, model: Model, path: Path, today: Callable[[], str]) -> None:
        self._model, self._path, self._today = model, path, today
        self._lock = asyncio.Lock()

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """The answer of the other model. Raises its errors, and Invalid for an exchange that is too large."""
        answer = await self._model.ask(request)
        plain = msgspec.to_builtins(msgspec.structs.replace(request, context={}))
        exchange = Exchange(request_hash(request, named=False), self._today(), plain, answer)
        line = msgspec.json.encode(exchange) + b"\n"
        if len(line) > EXCHANGE_BYTES_MAX:
            raise Invalid(f"the exchange is larger than {EXCHANGE_BYTES_MAX} bytes and was not recorded")
        async with self._lock:
            await asyncio.to_thread(self._append, line)
        return answer

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(line)


def _badge(exchange: Exchange) -> Brain:
    brain = exchange.answer.brain
    source = brain.model if brain.kind == "live" else f"{brain.model} ({brain.kind})"
    return Brain("recorded", f"recorded on {exchange.on} with {source}", brain.model, exchange.on)
