"""Calls of an agent, each journaled: the intent before it, the result and its cost after it. A call recorded by an
earlier attempt is not repeated: its record is used. A model call has no effect, so an interrupted one is repeated; a
tool call has the effect that its handler declares."""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter, time_ns
from typing import Final

import msgspec

from aob.core.decision import DECISION, SAYS_CHARS_MAX, Call
from aob.core.errors import AobError
from aob.core.value import canonical, decode, digest_of
from aob.ports.cache import Cache
from aob.ports.model import Json, Message, Model, ModelAnswer, ModelRequest, ToolCall, Usage, request_hash
from aob.ports.telemetry import Telemetry
from aob.work.agent.offer import Offer
from aob.work.agent.spans import told_call, told_tool
from aob.work.agent.tool_context import ToolContext
from aob.work.effect import may_have_happened
from aob.work.job import UNCERTAIN, Context, WorkError, permanent
from aob.work.outcome import fault_of, finished

RESULT_CHARS_MAX: Final = 50_000  # how much of a tool's result a model is shown

KEY: Final = "model/"  # cached answers have this prefix and the hash of the request as key

Perform = Callable[[Offer, dict[str, Json], Context], Awaitable[object]]
"""Calls a tool's handler with arguments by name."""


class Answered(msgspec.Struct, frozen=True):
    """One model call, as settled: the hashes of the whole request, of the prompt's version, of each tool offered and of
    the schema asked for; the answer with its brain, tokens and cost; whether it was cached; and what was `asked`, as
    `asked_of` makes it (of an earlier release: nothing)."""

    request: str
    prompt: str
    tools: dict[str, str]
    output: str
    temperature: float | None
    answer: ModelAnswer
    cached: bool = False
    asked: dict[str, Json] = {}


class Calls:
    """Makes the calls of one conversation. `name` tells it from others of the same visit; empty: there is one."""

    def __init__(
        self, ctx: Context, model: Model, cache: Cache | None, perform: Perform, name: str = "",
        telemetry: Telemetry | None = None,
    ) -> None:  # fmt: skip
        self._ctx, self._model, self._cache, self._perform = ctx, model, cache, perform
        self._telemetry, self._conversation = telemetry, f"{ctx.run_id}/{ctx.visit}"
        self._of: dict[str, Json] = {"of": name} if name else {}

    async def ask(self, request: ModelRequest, number: int, prompt: str) -> Answered:
        """Ask the model, or return what an earlier attempt recorded: the record of call `number` counts even if the
        request has changed since (the graph shown, our release), or a resumed agent would ask everything again. Raises
        WorkError with the model's fault, transient when another attempt may help."""
        intent = await self._ctx.intend("model", {"call": number, "effect": "none", **self._of})
        if not intent.granted:
            return msgspec.convert(intent.recorded, Answered)
        name = request_hash(request)
        told = decision_of(request, name, number, prompt, str(self._of.get("of", "")))
        kept, begun = await self.recall(name), perf_counter()
        try:
            answer = kept or await self._model.ask(request)
        except AobError as error:
            failed = model_failure(error)
            told = msgspec.structs.replace(told, chosen="error", says=str(error)[:SAYS_CHARS_MAX], took_ms=took(begun))
            told_call(self._telemetry, request, told, None, failed.fault.code, self._conversation)
            await self._ctx.settle(None, intent=intent, error=failed.fault, usage={DECISION: msgspec.to_builtins(told)})
            raise failed from error
        told = msgspec.structs.replace(
            told, chosen=answer.chosen, calls=tuple(call.name for call in answer.calls),
            says=answer.text[:SAYS_CHARS_MAX], took_ms=took(begun),
        )  # fmt: skip
        told_call(self._telemetry, request, told, answer, conversation=self._conversation)
        record = Answered(
            name, prompt, told.tools, told.output, request.temperature, answer, kept is not None, asked_of(request)
        )
        usage = {**usage_of(record), DECISION: msgspec.to_builtins(told)}
        await self._ctx.settle(msgspec.to_builtins(record), intent=intent, usage=usage)
        return record

    async def recall(self, name: str) -> ModelAnswer | None:
        """A cached answer. A failing cache, or an entry of an older release, is a miss."""
        try:
            data = await self._cache.get(self._ctx.tenant, KEY + name) if self._cache else None
            return None if data is None else msgspec.json.decode(data, type=ModelAnswer)
        except (AobError, msgspec.MsgspecError) as error:
            self._ctx.log("model_cache_missed", reason=str(error))
            return None

    async def keep(self, record: Answered) -> None:
        """Cache a valid answer for the same request of the same tenant."""
        if self._cache is None or record.cached:
            return
        try:
            await self._cache.put(self._ctx.tenant, KEY + record.request, msgspec.json.encode(record.answer))
        except AobError as error:
            self._ctx.log("model_answer_not_kept", reason=str(error))

    async def use(self, asked: ToolCall, offer: Offer, number: int) -> Message:
        """Call a tool, or return what an earlier attempt recorded. The model gets a permanent fault as an answer and
        may do without; a transient one ends the attempt, so that the node's retries decide. Raises WorkError; it is
        `uncertain` when a tool of effect `once` failed and may have acted: then the intent stays without a result."""
        what = {"tool": offer.tool.name, "effect": offer.effect, "args": asked.args}
        intent = await self._ctx.intend("tool", what)
        if not intent.granted:
            return result_of(asked, intent.recorded)
        begun_ns = time_ns()
        try:
            made = await self._perform(offer, asked.args, ToolContext(self._ctx, number))
            recorded: dict[str, Json] = {"result": decode(finished(made).data)}
        except Exception as error:
            failed = failure_of(error, offer)
            told_tool(self._telemetry, asked.name, asked.id, begun_ns, failed.fault.code)
            if failed.fault.code == UNCERTAIN:
                raise failed from error
            if failed.fault.transient:
                await self._ctx.settle(None, intent=intent, error=failed.fault)
                raise failed from error
            recorded = {"fault": msgspec.structs.asdict(failed.fault)}
        else:
            told_tool(self._telemetry, asked.name, asked.id, begun_ns)
        await self._ctx.settle(recorded, intent=intent)
        return result_of(asked, recorded)


def decision_of(request: ModelRequest, name: str, number: int, prompt: str, conversation: str) -> Call:
    """What a decision record says of a request, before its answer."""
    return Call(
        number, request.model, name, prompt, {tool.name: tool.hash for tool in request.tools},
        digest_of(canonical(request.output)).hex(), request.temperature, request.tokens_max, conversation,
    )  # fmt: skip


def asked_of(request: ModelRequest) -> dict[str, Json]:
    """A request as it is kept with its answer: without the graph of the `context`, which the messages show."""
    asked: dict[str, Json] = msgspec.to_builtins(request)
    return {**asked, "context": {name: value for name, value in asked["context"].items() if name != "graph"}}


def took(begun_s: float) -> float:
    """Milliseconds since then."""
    return round((perf_counter() - begun_s) * 1_000, 3)


def usage_of(record: Answered) -> dict[str, Json]:
    """The usage of one call for the record; a cached answer costs nothing."""
    spent = Usage() if record.cached else record.answer.usage
    return {**msgspec.to_builtins(spent), "cached": record.cached, "brain": msgspec.to_builtins(record.answer.brain)}


def model_failure(error: AobError) -> WorkError:
    """A model's error as the fault of the attempt, with its fields (`kind`, `retry_after_s`)."""
    fault = fault_of(error)
    return WorkError(
        str(error), code=fault.code, transient=fault.transient, detail={**(fault.detail or {}), **error.fields}
    )


def failure_of(error: Exception, offer: Offer) -> WorkError:
    """A tool's exception as a fault; of a tool that must not be repeated blindly only what is certain."""
    fault = fault_of(error)
    failed = WorkError(fault.message, code=fault.code, transient=fault.transient, detail=fault.detail)
    if offer.effect != "once" or not may_have_happened(fault):
        return failed
    why = f"it is not known whether the tool {offer.tool.name} has acted: {fault.message}"
    return permanent(why, code=UNCERTAIN, tool=offer.tool.name, cause={"code": fault.code, "message": fault.message})


def result_of(call: ToolCall, recorded: Mapping[str, Json]) -> Message:
    """A tool's result as the model gets it."""
    if "fault" in recorded:
        return refused(call, str(recorded["fault"]["message"]))
    return Message("tool", shown(recorded["result"]), call=call.id)


def refused(call: ToolCall, why: str) -> Message:
    """The answer that the model gets for a call that was not made or failed."""
    return Message("tool", why, call=call.id, failed=True)


def shown(value: Json) -> str:
    """A value as text for a model; a long one says that it was cut."""
    text = value if isinstance(value, str) else canonical(value).decode()
    if len(text) <= RESULT_CHARS_MAX:
        return text
    return f"{text[:RESULT_CHARS_MAX]}\n(cut here: {len(text)} characters in all)"
