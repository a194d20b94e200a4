"""The answers of the API about decisions, as shapes. Data only."""

from typing import TypedDict

from aob.core.answers import JsonObject, JsonValue


class DecisionRow(TypedDict):
    """One call of a model. It was made by a node of a `run`, or by an `agent` for a record of a `key`: what it is not
    is empty. `visit`, `attempt` and `number` say where in it, `call` numbers the calls of one conversation. `chosen` is
    what the model chose to do next: `answer`, `tools` (then `calls` are their names), `error`, or why it stopped;
    `says` is the beginning of its answer. `brain` says who answered, `cached` that an earlier answer was taken. Tokens,
    cost (USD) and `took_ms` are those of the call; null is unknown. `position` is that of its record."""

    id: str
    at: str
    position: str
    run: str
    workflow: str
    node: str
    agent: str
    key: str
    version: int
    visit: str
    attempt: int
    number: int
    call: int
    model: str
    chosen: str
    calls: list[str]
    says: str
    brain: JsonValue
    cached: bool
    failed: bool
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    took_ms: float
    correlationid: str
    causationid: str


class DecisionPage(TypedDict):
    """Decisions, newest first. `next` is the cursor of the page after it, which may be empty: `looked_at` is how many
    decisions were looked at for this one."""

    decisions: list[DecisionRow]
    next: str | None
    looked_at: int


class DecisionView(DecisionRow):
    """A decision with its inputs and its answer. `request`, `prompt`, `tools` and `output` are the hashes of the whole
    request, of the prompt's version, of each tool offered and of the schema asked for. `asked` is what the model was
    asked and `answer` what it answered, or `error`; `body` is the hash under which they lie, empty where they are in
    the record itself, and `gone` says that they are no longer there."""

    request: str
    prompt: str
    tools: dict[str, str]
    output: str
    temperature: float | None
    tokens_max: int
    body: str
    gone: bool
    asked: JsonObject | None
    answer: JsonValue
    error: JsonValue
