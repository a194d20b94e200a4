"""`Model`: answers one request with structured output or tool calls, usage, and which brain answered. A request is
plain data; an answer depends only on the request and the brain behind the port. The port keeps no conversation,
performs no tool and never retries a call: that is the caller's decision."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from aob.core.errors import Unavailable
from aob.core.value import canonical, digest_of

Json: TypeAlias = Any  # any JSON value

HASH_VERSION: Final = 1
"""Increased when `request_hash` normalises differently: older cached answers and recordings are then misses."""

Stop = Literal["", "refused", "context", "paused"]  # why an answer is unusable although the model answered

FaultKind = Literal["rate_limited", "overloaded", "timeout", "connection", "server"]
"""Why a model is temporarily `model_unavailable`; the error's field `kind`."""


class Tool(msgspec.Struct, frozen=True):
    """A tool offered to the model. `schema` is the JSON Schema of its arguments; `hash` names this exact version."""

    name: str
    description: str
    schema: dict[str, Json]
    hash: str


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call that the model requests. `id` pairs it with its result inside one conversation only."""

    id: str
    name: str
    args: Json


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message. A `user` message has text; an `assistant` message text, calls or both; a `tool` message is the
    result (`text`) of the call whose id is `call`, and `failed` says that the tool did not do what was asked."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call: str = ""
    failed: bool = False


class ModelRequest(msgspec.Struct, frozen=True):
    """A request to a model. `model` is the full name (`script:NAME`, `recorded:NAME`, `PROVIDER:MODEL`). `output` is
    the JSON Schema of the wanted answer, None for text. `tokens_max` bounds the tokens of the answer, 0 = unbounded.
    `context` (node, input, graph) is for rules of scripts: it is never sent to a provider and not part of the hash."""

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    output: dict[str, Json] | None = None
    tools: tuple[Tool, ...] = ()
    temperature: float | None = None
    tokens_max: int = 0
    context: Mapping[str, Json] = {}


class Usage(msgspec.Struct, frozen=True):
    """Tokens and money of one call. None is unknown, never a guess; 0 is known to be none."""

    tokens_in: int | None = 0
    tokens_out: int | None = 0
    cost_usd: float | None = 0.0


class Brain(msgspec.Struct, frozen=True, omit_defaults=True):
    """The brain that answered, for the badge that people see. `label` is the whole sentence of the badge: `scripted`,
    `recorded on 2026-03-01 with openai:gpt-5`, `live anthropic:claude-sonnet-4-5`."""

    kind: Literal["scripted", "recorded", "live"]
    label: str
    model: str
    recorded_on: str = ""


class ModelAnswer(msgspec.Struct, frozen=True):
    """A model's answer. `output` is the structured answer when one was asked for and the text was JSON, else UNSET; it
    is not yet checked against its schema. `calls` are tool calls to perform before asking again. `cut`: the answer is
    incomplete because it reached a limit of tokens. `stop` says why else it is unusable: `refused` by the model or a
    filter, `context` at the end of the model's context window, `paused` when it wants to go on; `stop_word` is the
    provider's own word for it. `text` then holds what was said."""

    brain: Brain
    output: Json = msgspec.UNSET
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    usage: Usage = Usage()
    cut: bool = False
    stop: Stop = ""
    stop_word: str = ""

    @property
    def chosen(self) -> str:
        """What the model chose to do next: `tools`, `answer`, or why it stopped."""
        return self.stop or ("tools" if self.calls else "answer")


class Model(Protocol):
    """A brain that answers in JSON: a script, a recording, a provider."""

    async def ask(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `unavailable(...)` for a temporary failure; CallerError `model_refused` when a retry cannot
        help (rejected request, credentials, a context that is too long); NotFound `model_unknown` when there is no such
        model; NotFound `model_no_answer` when a script has no rule or a recording no exchange for this request."""


class Models(Model, Protocol):
    """All brains of a home behind one interface."""

    def name_of(self, name: str) -> str:
        """The full model name of a request: the home's default for an empty one."""


def unavailable(detail: str, kind: FaultKind, retry_after_s: float = 0.0) -> Unavailable:
    """The error of a model that temporarily does not answer: `model_unavailable`, with `kind` and, if the provider says
    how long to wait, `retry_after_s` as fields."""
    fields: dict[str, Json] = {"kind": kind}
    if retry_after_s > 0:
        fields["retry_after_s"] = retry_after_s
    return Unavailable(f"the model does not answer ({kind}): {detail}", code="model_unavailable", **fields)


def request_hash(request: ModelRequest, *, named: bool = True) -> str:
    """The sha256 hex of a request's normalised canonical JSON; the same in every process and on every day.

    Normalised: tools by name, ids of tool calls by their order, line ends and trailing white space of texts.
    `context` and `tokens_max` are left out. `named=False` leaves the model's name out too, so that a recording made
    with one model is found under the name `recorded:NAME`.
    """
    order = {call.id: f"call-{n}" for n, call in enumerate(c for m in request.messages for c in m.calls)}
    content = {
        "version": HASH_VERSION,
        "model": request.model if named else "",
        "system": _tidy(request.system),
        "messages": [_normal(message, order) for message in request.messages],
        "output": request.output,
        "tools": [msgspec.structs.asdict(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)],
        "temperature": None if request.temperature is None else float(request.temperature),
    }
    return digest_of(canonical(content)).hex()


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _normal(message: Message, order: Mapping[str, str]) -> dict[str, Json]:
    return {
        "role": message.role,
        "text": _tidy(message.text),
        "calls": [{"id": order[call.id], "name": call.name, "args": call.args} for call in message.calls],
        "call": order.get(message.call, message.call),
        "failed": message.failed,
    }
