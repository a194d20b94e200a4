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
    conversation: str
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


class RecordedResult(TypedDict):
    """The result of a tool in a conversation, as the model was shown it."""

    name: str
    args: JsonValue
    text: str
    failed: bool


class ToolChoice(TypedDict):
    """A call of a tool that a model asked for."""

    name: str
    args: JsonValue


class TriedStep(TypedDict):
    """What a model chose in one call of a conversation: `calls` of tools, or an `output` (of a schema) or `text`."""

    chosen: str
    calls: list[ToolChoice]
    output: JsonValue
    text: str
    error: JsonValue
    brain: str
    usage: JsonObject


class Conversation(TypedDict):
    """A conversation from one decision on: what the model was asked then, the results that tools gave, and the steps.
    `whole`: nothing of it is gone."""

    decision: str
    asked: JsonObject | None
    results: list[RecordedResult]
    steps: list[TriedStep]
    whole: bool


class Divergence(TypedDict):
    """Where two lists of steps differ first: the number of the step from 0, in what (`calls`, `output`, `text`,
    `chosen`, `error`, or `length`), and both steps (null: it has none)."""

    step: int
    what: str
    first: TriedStep | None
    second: TriedStep | None


class Tried(TypedDict):
    """A conversation as it goes now: its steps, and how many calls of tools were `unknown` to the record, and refused.
    Of a fork `recorded` are the steps of the record, and `divergence` where they differ first (null: nowhere)."""

    model: str
    steps: list[TriedStep]
    unknown: int
    recorded: list[TriedStep]
    divergence: Divergence | None


class DecisionDiff(TypedDict):
    """Two conversations, or all those of two runs, at their first divergence (null: they chose the same). `first` and
    `second` are the decisions there, empty where one has none."""

    same: bool
    compared: int
    first: str
    second: str
    divergence: Divergence | None


class TraceNode(TypedDict):
    """A `run`, `record`, `decision` or `dead letter` in a tree of causes, `level` steps below its top: what it is,
    where it lies, and for decisions and dead letters what it `says`. `cause` is the id that it names as its cause."""

    kind: str
    id: str
    at: str
    topic: str
    position: str
    type: str
    subject: str
    source: str
    depth: int
    level: int
    cause: str
    says: str


class CausalTree(TypedDict):
    """All that was found of one correlation, each below its cause. `looked_at` is how many records were looked at,
    `cut` says what was not."""

    correlation: str
    nodes: list[TraceNode]
    looked_at: int
    cut: list[str]
