"""What a handler may request of its run, as commands to the journal. Implements `aob.work.job.Context`."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Busy, Refused, Unavailable
from aob.core.event import held_id
from aob.core.policy import budget_left
from aob.core.run import Run
from aob.core.run.record import commands as cmd
from aob.core.value import Cell, Ref, canonical, decode, digest_of, inline, ref_in
from aob.journal import Decided, Journal, Stream
from aob.ports.store import AWAY, AWAY_AGAIN_S
from aob.ports.workers import Fault, Job
from aob.runs.values import Values
from aob.work import Intended, Intents
from aob.work.secrets import unnamed


class RunContext:
    """The context of one attempt, alive as long as the attempt. After a cancel every request raises CancelledError."""

    def __init__(
        self,
        journal: Journal,
        stream: Stream | None,
        job: Job,
        values: Values,
        open_log: Callable[[str, str, str], Callable[..., None]],
    ) -> None:
        self._journal, self._job, self._values, self._open_log = journal, job, values, open_log
        self._stream = stream
        self._log: Callable[..., None] | None = None
        self._proposals = 0
        self._intents = Intents(job.visit)
        self.patch = ""
        self.run_id, self.visit, self.attempt = job.run, job.visit, job.attempt
        self.key, self.tenant, self.resume = job.key, job.tenant, job.resume

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the visit's log."""
        if self._log is None:
            self._log = self._open_log(self.run_id, self.visit, self.tenant)
        self._log(message, self.attempt, fields)

    def secret(self, name: str) -> str:
        """No secret: the handler names none."""
        raise unnamed(name)

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Report liveness; a checkpoint is committed."""
        self._job.pulse()
        if checkpoint is not None:
            cell = await self._cell(canonical(checkpoint))
            await self._granted(cmd.Save(self.visit, self.attempt, cell))

    async def intend(self, kind: str, what: Mapping[str, JsonValue], counted: int = 0) -> Intended:
        """Commit the intent of an effect, or return what an earlier attempt recorded for the same kind, content and
        count: the k-th request of this attempt matches the k-th of the visit, independent of order. `counted` is the
        count of a worker that counts itself; it settles by number."""
        data = canonical(dict(what))
        key, count = ((kind, digest_of(data)), counted) if counted else self._intents.next(kind, data)

        def reads(decided: Decided) -> Any:
            return msgspec.structs.replace(decided.stream.state.tokens[self.visit].intents.find(*key, count))

        decided = await self._granted(cmd.Intend(self.visit, self.attempt, count, kind, key[1], Raw(data)), reads)
        if self.visit not in decided.stream.state.tokens:
            raise asyncio.CancelledError  # cancelled in the meantime
        found = decided.said
        if not decided.events and found.result is not None and not found.failed:
            return Intended(False, await self._load(found.result), found.number)
        if not counted:
            self._intents.granted(found.number, key, count)
        return Intended(True, None, found.number)

    async def settle(
        self,
        result: JsonValue,
        *,
        intent: Intended | None = None,
        error: Fault | None = None,
        usage: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Record the result of an intent: the given one, or the only one that this task has open."""
        number = intent.number if intent is not None else self._intents.only_open()
        if not number:
            return  # an earlier attempt recorded the result already
        told = msgspec.structs.asdict(error) if error is not None else result
        data = canonical(told)
        beside = data if not inline(data) and self._values.beside(data) else None
        cell = await self._cell(data) if beside is None else Ref(digest_of(data), len(data)).cell()
        spent = dict(usage) if usage else None
        await self._granted(cmd.Settle(self.visit, self.attempt, number, cell, error is not None, spent, beside))
        self._intents.settled(number, failed=error is not None)

    async def propose(self, operations: list[JsonObject], reason: str, counted: int = 0) -> Mapping[str, JsonValue]:
        """Propose a patch. Returns its state, and every problem when it is invalid. `counted` is the number of the
        proposal, of a worker that counts itself."""
        self._proposals = counted or self._proposals + 1
        data = canonical(operations)
        id = held_id("patch", self.run_id, self.visit, self._proposals, data)
        command = cmd.Propose(id, self.visit, "agent", reason, "", Raw(data), digest_of(data), self.visit)
        decided = await self._granted(command, lambda now: now.stream.state.patches[id].state)
        state: str = decided.said
        if state in {"proposed", "applied"}:
            self.patch = id
        return {"patch_id": id, "state": state, "problems": decode(decided.stream.state.patches[id].problems) or []}

    async def graph(self) -> Mapping[str, JsonValue]:
        """The current workflow document, the state of its nodes, and how many agents a patch may still add."""
        stream = self._journal.streams.get(self.run_id) or self._stream
        if stream is None:
            return {}
        run: Run = stream.state
        document = stream.derived.graphs.document(len(run.graph_ops))
        done = run.scopes[""].done
        live = {token.node for token in run.tokens.values() if not token.scope}
        state = {
            node: "ready" if node in live else done[node].on if node in done else "not begun"
            for node in document.get("nodes", {})
        }
        left = budget_left(stream.derived.rules, run.agents, document)
        return {"document": document, "state": state, "agents_left": left}

    async def _granted(self, command: Any, reads: Callable[[Decided], Any] | None = None) -> Decided:
        """Sends a command to the run. Waits while the store is unavailable: this is not the handler's fault."""
        while True:
            try:
                return await self._journal.ask(self.run_id, command, reads=reads)
            except Refused as refused:
                if refused.code == "token_gone":
                    raise asyncio.CancelledError from None
                raise
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
            except Unavailable as error:
                if self._journal.broken is None:
                    if error.code not in AWAY:
                        raise
                    await asyncio.sleep(AWAY_AGAIN_S)  # a full disk refuses new runs, but not this
                elif not await self._journal.mended():
                    raise asyncio.CancelledError from None

    async def _cell(self, data: bytes) -> Cell:
        if inline(data):
            return Raw(data)
        digest = digest_of(data)
        while True:
            try:
                await self._values.put(self.tenant, data)
                return Ref(digest, len(data)).cell()
            except Unavailable as error:
                if error.code not in AWAY:
                    raise
                await asyncio.sleep(AWAY_AGAIN_S)

    async def _load(self, cell: Cell) -> JsonValue:
        value = decode(cell)
        ref = ref_in(value)
        if ref is None:
            return value
        return decode(await self._values.fetch(self.tenant, ref.digest))
