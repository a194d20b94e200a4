"""What a handler may request of its run, as requests over the stream. Implements `aob.work.job.Context`. A request that
a lost stream left without an answer is sent again; its numbers make the repeat do nothing twice."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import said, shown
from aob.core.value import canonical, decode
from aob.ports.workers import Fault
from aob.work import Intended, Intents, WorkError
from aob.work.secrets import unnamed
from aob.worker.blobs import Values
from aob.worker.holding import Held, Holding
from aob.worker.wire import pb

GONE: Final = "token_gone"
LINE_MAX: Final = 16 * 1024  # bytes of the fields of one line


class StreamContext:
    """The context of one attempt, alive as long as the attempt."""

    def __init__(self, holding: Holding, values: Values, held: Held, resume: JsonValue) -> None:
        self._holding, self._values, self._held = holding, values, held
        self._intents = Intents(held.job.visit)
        self._proposals = 0
        self._name: dict[str, Any] = {"run": held.job.run, "visit": held.job.visit, "attempt": held.job.attempt}
        self.run_id, self.visit, self.attempt = held.key
        self.key, self.tenant, self.resume = held.job.key, held.job.tenant, resume

    def log(self, message: str, /, **fields: Any) -> None:
        """Write a line to the visit's log, in the home."""
        text = message if type(message) is str else shown(message)
        line = pb.Log(**self._name, message=_text(text)[:LINE_MAX], fields=_fields(fields))
        self._holding.tell(self._held, pb.WorkerItem(log=line), keep=True)

    def secret(self, name: str) -> str:
        """No secret: the handler names none."""
        raise unnamed(name)

    async def heartbeat(self, checkpoint: JsonValue = None) -> None:
        """Report liveness; a checkpoint is committed."""
        if checkpoint is None:
            self._holding.tell(self._held, pb.WorkerItem(beat=pb.Beat(**self._name)))
            return
        data, ref = await self._values.out(canonical(checkpoint))
        await self._ask(lambda n: pb.WorkerItem(beat=pb.Beat(**self._name, ask=n, checkpoint=data, ref=ref)))

    async def intend(self, kind: str, what: Mapping[str, JsonValue]) -> Intended:
        """Commit the intent of an effect, or return what an earlier attempt recorded for it."""
        data = canonical(dict(what))
        key, count = self._intents.next(kind, data)
        found = await self._ask(
            lambda n: pb.WorkerItem(intend=pb.Intend(**self._name, ask=n, kind=kind, what=data, count=count))
        )
        if found.WhichOneof("item") == "recorded":
            recorded = found.recorded
            value = await self._values.into(recorded.result, recorded.ref if recorded.HasField("ref") else None)
            return Intended(False, decode(value), recorded.number)
        number = found.granted.number
        self._intents.granted(number, key, count)
        return Intended(True, None, number)

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
        told = {"code": error.code, "message": error.message, "transient": error.transient, "detail": error.detail} \
            if error is not None else result  # fmt: skip
        data, ref = await self._values.out(canonical(told))
        spent = canonical(dict(usage)) if usage else b""
        failed = error is not None
        await self._ask(lambda n: pb.WorkerItem(settle=pb.Settle(
            **self._name, ask=n, number=number, result=data, ref=ref, failed=failed, usage=spent
        )))  # fmt: skip
        self._intents.settled(number, failed=failed)

    async def propose(self, operations: list[JsonObject], reason: str) -> Mapping[str, JsonValue]:
        """Propose a patch. Returns its state, and every problem when it is invalid."""
        self._proposals += 1
        data, number = canonical(operations), self._proposals
        return await self._answer(lambda n: pb.WorkerItem(
            propose=pb.Propose(**self._name, ask=n, number=number, operations=data, reason=reason)
        ))  # fmt: skip

    async def graph(self) -> Mapping[str, JsonValue]:
        """The current workflow document, the state of its nodes, and how many agents a patch may still add."""
        return await self._answer(lambda n: pb.WorkerItem(graph=pb.Graph(**self._name, ask=n)))

    async def call(self, name: str, args: bytes, count: int) -> JsonValue:
        """What an agent asks of the home by the name of a call; `count` makes a repeat do nothing twice."""
        return await self._value(
            lambda n: pb.WorkerItem(call=pb.Call(**self._name, ask=n, name=name, args=args, count=count))
        )

    async def _answer(self, make: Any) -> JsonObject:
        value: Any = await self._value(make)
        told: JsonObject = value
        return told

    async def _value(self, make: Any) -> JsonValue:
        answer = (await self._ask(make)).answer
        return decode(await self._values.into(answer.value, answer.ref if answer.HasField("ref") else None))

    async def _ask(self, make: Any) -> pb.ServerItem:
        item = await self._holding.ask(self._held, make)
        if item.WhichOneof("item") != "refused":
            return item
        refused = item.refused
        if refused.code == GONE:
            raise asyncio.CancelledError
        detail = {"hint": refused.hint} if refused.hint else None
        raise WorkError(refused.message, code=refused.code, transient=not refused.permanent, detail=detail)


def _fields(fields: Mapping[str, object]) -> bytes:
    """The fields of a line as JSON: what is no JSON as text. Never raises."""
    if not fields:
        return b""
    try:
        data = msgspec.json.encode(fields, enc_hook=shown)
    except Exception as error:  # a field of the handler's own may raise anything when it is read
        data = msgspec.json.encode({"log_error": said(error)})
    return data if len(data) <= LINE_MAX else msgspec.json.encode({"cut_bytes": len(data)})


def _text(text: str) -> str:
    """A text in a form that UTF-8 can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
