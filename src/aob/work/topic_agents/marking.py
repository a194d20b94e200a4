"""`@agent`: marks an async function as an agent that consumes records, keeps a state a key, and produces records.
Marking registers nothing: a scan makes the table."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec

from aob.core.agent import Rules, keys
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.core.hint import meant
from aob.core.organisation import names
from aob.core.rights import is_role
from aob.work.frameworks import Foreign, Mapped, adapted
from aob.work.handlers import VERSION_CHARS, doc_of, marked_in, version_of, where

AGENT_MARK: Final = "__aob_agent__"
CONCURRENCY: Final = 16  # records of one partition that an agent handles at once
CONCURRENCY_MAX: Final = 256
VERSION_MAX: Final = 1_000_000
LISTED_MAX: Final = 100  # topics or capabilities of one agent


class AgentMark(msgspec.Struct, frozen=True):
    """What `@agent` writes on a function. An empty name means the function's name."""

    consumes: tuple[str, ...]
    produces: tuple[str, ...]
    capabilities: tuple[str, ...]
    name: str
    concurrency: int
    rules: Mapping[str, Any]
    state: Any
    secrets: tuple[str, ...]
    code: str = ""
    version: int = 0
    migrate: Mapping[int, Callable[..., Any]] = {}
    kind: Literal["event", "service"] = "event"


class Agent(msgspec.Struct, frozen=True, eq=False):
    """An agent ready to be called: `fn(record)`, or `fn(record, ctx)` if `takes_ctx`. `code` is the hash of its text,
    `state` the type of its state (None: plain JSON). `at_home`: only the home itself has what it needs, as the threads
    of graphs."""

    name: str
    fn: Callable[..., Any]
    consumes: tuple[str, ...]
    produces: tuple[str, ...]
    capabilities: tuple[str, ...]
    concurrency: int
    rules: Rules
    state: Any
    takes_ctx: bool
    code: str
    doc: str
    secrets: tuple[str, ...] = ()
    version: int = 0
    migrate: Mapping[int, Callable[..., Any]] = {}
    older: Mapping[int, "Agent"] = {}
    at_home: bool = False
    kind: Literal["event", "service"] = "event"

    def of(self, version: int) -> "Agent | None":
        """The version with this number. Without declared versions there is one, which does what all keys need."""
        return self if version == self.version or not self.version else self.older.get(version)

    def way(self, frm: int, to: int) -> list[Callable[..., Any]] | None:
        """The functions that make a state of one version a state of another; None where there is no way."""
        target = self.of(to)
        if target is None or frm == to:
            return None
        if frm in target.migrate:
            return [target.migrate[frm]]
        for between in sorted(target.migrate, reverse=True):
            before = self.way(frm, between) if frm < between < to else None
            if before is not None:
                return [*before, target.migrate[between]]
        return None


def agent(
    *,
    consumes: Iterable[str] = (),
    produces: Iterable[str] = (),
    capabilities: Iterable[str] = (),
    name: str = "",
    concurrency: int = CONCURRENCY,
    attempts: int = 3,
    backoff: str = "1s",
    backoff_max: str = "1m",
    deadline: str = "",
    progress: str | Mapping[str, str] = "",
    on_poison: Literal["skip", "park"] = "skip",
    while_waiting: Literal["enqueue", "reject", "rollback", "interrupt"] = "enqueue",
    on_uncertain: Literal["ask", "repeat", "fail"] = "fail",
    depth_max: Mapping[str, int] | None = None,
    budget: Mapping[str, float] | None = None,
    over_budget: Literal["stop", "ask", "degrade"] = "stop",
    approver: str = "approve",
    notify: Iterable[str] = (),
    state: Any = None,
    secrets: Iterable[str] = (),
    kind: Literal["event", "service"] = "event",
    input: Callable[[Foreign], Foreign] | None = None,
    output: str | Callable[..., Foreign] | None = None,
    version: int = 0,
    migrate: Mapping[int, Callable[..., Any]] | None = None,
) -> Callable[[Foreign], Foreign]:
    """Mark an async function of `(record)` or `(record, ctx)` as an agent; or make one of the builder of a graph of
    LangGraph or an agent of pydantic-ai, for which `input` makes the input of a record, and `output` is the topic of
    what comes out, or a function of `(value, record, ctx)`.

    One of kind `service` is given no records: it is called with `ctx` alone, in one process at a time, and emits what
    it finds; when it ends it begins again, after `backoff`.

    It is called with each record of the topics in `consumes`, in the order of their key, one at a time a key and
    `concurrency` at a time a partition. What it emits, its state and the position are one commit. A failure is tried
    `attempts` times, after `backoff`, doubled up to `backoff_max`, for at most `deadline`; then the record is a dead
    letter, a record of the topic `dead.NAME`, and the key goes on, or with `on_poison="park"` lets up to 1,000 records
    wait until somebody frees it. An effect that was cut off is repeated, fails its
    record, or people of the role `approver` are asked (`on_uncertain`), as about a budget (`over_budget`); `notify` are
    the addresses that hear of it. `while_waiting` says what becomes of a record that comes while its key waits for an
    answer. An attempt without a sign of life for `progress`, of all types of records or by type, is stopped, and has
    failed. `depth_max` are the depths that records of a topic may have, `budget` what one key may spend a day. `state`
    is the type of its state: a dataclass, a msgspec struct or a pydantic model. Versions with numbers of their own run
    side by side; `migrate` makes the state of an older one that of this.
    """
    rules = {
        "attempts": attempts, "backoff": backoff, "backoff_max": backoff_max, "deadline": deadline,
        "progress": {"": progress} if isinstance(progress, str) else dict(progress),
        "on_poison": on_poison, "while_waiting": while_waiting, "on_uncertain": on_uncertain,
        "depth_max": dict(depth_max or {}), "budget": dict(budget or {}), "over_budget": over_budget,
        "approver": approver, "notify": _texts(notify),
    }  # fmt: skip
    mark = AgentMark(
        _texts(consumes), _texts(produces), _texts(capabilities), name, concurrency, rules, state, _texts(secrets),
        version=version, migrate=dict(migrate or {}), kind=kind,
    )  # fmt: skip

    return lambda given: _marked(given, mark, Mapped(input, output))


def _marked(given: Foreign, mark: AgentMark, mapped: Mapped) -> Foreign:
    if not inspect.isroutine(given) and not isinstance(given, partial):
        return _adapted(given, mark, mapped)
    setattr(given, AGENT_MARK, mark)
    return given


def _adapted(given: Foreign, mark: AgentMark, mapped: Mapped) -> Foreign:
    """The function that handles records with an agent of another framework."""
    made, text = adapted(given, mapped)
    made.__name__ = made.__qualname__ = mark.name
    code = hashlib.sha256(text.encode()).hexdigest()[:VERSION_CHARS]
    setattr(made, AGENT_MARK, msgspec.structs.replace(mark, code=code))
    return made


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def scan_agents(*sources: object) -> dict[str, Agent]:
    """The agents of modules, classes' instances or functions, by name, the newest version of each. Raises Invalid
    listing every function that cannot be one, and every name used twice."""
    versions: dict[str, dict[int, Agent]] = {}
    problems: list[Problem] = []
    for fn in (each for source in sources for each in marked_in(source, AGENT_MARK, AgentMark)):
        try:
            found = agent_of(fn)
        except Invalid as error:
            problems.extend(error.problems)
            continue
        others = versions.setdefault(found.name, {})
        known = others.setdefault(found.version, found)
        if known.fn != fn or (len(others) > 1 and 0 in others):
            first = next(iter(others.values())) if known.fn == fn else known
            why = f"the name `{found.name}` is taken by {where(first.fn)}"
            hint = 'give one another: @agent(name="...", …), or each a version=…'
            problems.append(Problem(where(fn), why, "agent_twice", hint=hint))
        elif known.consumes != next(iter(others.values())).consumes:
            why = f"the versions of `{found.name}` consume different topics"
            problems.append(Problem(where(fn), why, "bad_agent", hint="consumes=[…] is the same for all of them"))
    if problems:
        raise Invalid("the application's agents cannot be used", problems)
    return {name: _newest(others) for name, others in versions.items()}


def _newest(versions: Mapping[int, Agent]) -> Agent:
    newest = versions[max(versions)]
    older = {number: each for number, each in versions.items() if each is not newest}
    return msgspec.structs.replace(newest, older=older) if older else newest


def agent_of(fn: Callable[..., Any]) -> Agent:
    """The agent of one marked function. Raises Invalid with every reason why it cannot be one."""
    mark: AgentMark = getattr(fn, AGENT_MARK)
    inner = inspect.unwrap(fn)
    name = mark.name or getattr(inner, "__name__", "")
    problems = [
        Problem(where(inner), f"`{name}` {why}", "bad_agent", hint=hint) for why, hint in _unfit(mark, fn, name)
    ]
    if problems:
        raise Invalid("not an agent", problems)
    code = f"v{mark.version}" if mark.version else mark.code or version_of(inner)
    return Agent(
        name, fn, mark.consumes, mark.produces, mark.capabilities, mark.concurrency, _rules(mark.rules), mark.state,
        "ctx" in inspect.signature(fn).parameters, code, doc_of(inner), mark.secrets,
        version=mark.version, migrate=mark.migrate, at_home=bool(mark.code) or mark.kind == "service", kind=mark.kind,
    )  # fmt: skip


def _unfit(mark: AgentMark, fn: Callable[..., Any], name: str) -> Iterator[tuple[str, str]]:
    inner = inspect.unwrap(fn)
    if not inspect.iscoroutinefunction(inner):
        yield "is not async", "write it as `async def`"
    parameters = [each for each in inspect.signature(fn).parameters if each != "ctx"]
    if mark.kind == "service":
        if parameters or "ctx" not in inspect.signature(fn).parameters:
            yield f"takes {', '.join(parameters) or 'nothing'}", "a service takes ctx: (ctx)"
    elif len(parameters) != 1:
        yield f"takes {', '.join(parameters) or 'nothing'}", "it takes the record, and ctx if it wants: (record, ctx)"
    try:
        names.check_name(name, "an agent")
    except Invalid as error:
        yield f"has no name for an agent: {error.detail}", error.fields.get("hint", "") or error.hint
    if mark.kind not in ("event", "service"):
        yield f"has kind={mark.kind!r}", meant(str(mark.kind), ("event", "service"), "kinds")
    elif mark.kind == "service" and mark.consumes:
        yield "is a service, and nobody gives it records", "leave consumes out"
    elif mark.kind == "event" and not mark.consumes:
        yield "consumes nothing", 'name a topic: @agent(consumes=["orders"])'
    for what, texts in (("consumes", mark.consumes), ("produces", mark.produces), ("capabilities", mark.capabilities)):
        if len(texts) > LISTED_MAX or not all(texts):
            yield f"has {what} that are not up to {LISTED_MAX} texts", f'{what}=["…"]'
    if mark.concurrency not in range(1, CONCURRENCY_MAX + 1):
        yield f"has concurrency={mark.concurrency!r}", f"a number from 1 to {CONCURRENCY_MAX}"
    if mark.version not in range(VERSION_MAX + 1):
        yield f"has version={mark.version!r}", f"a number from 1 to {VERSION_MAX:,}"
    if mark.migrate and (not mark.version or any(each not in range(1, VERSION_MAX + 1) for each in mark.migrate)):
        yield "has migrate= without versions", "@agent(version=2, migrate={1: function_of_the_state})"
    yield from _wrong_rules(mark.rules)


_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "on_poison": ("skip", "park"),
    "while_waiting": ("enqueue", "reject", "rollback", "interrupt"), "on_uncertain": ("ask", "repeat", "fail"),
    "over_budget": ("stop", "ask", "degrade"),
}  # fmt: skip
ATTEMPTS_MAX: Final = 100


def _wrong_rules(rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, words in _WORDS.items():
        if rules[field] not in words:
            yield f"has {field}={rules[field]!r}", meant(str(rules[field]), words, "words")
    if not isinstance(rules["attempts"], int) or not 1 <= rules["attempts"] <= ATTEMPTS_MAX:
        yield f"has attempts={rules['attempts']!r}", f"a number from 1 to {ATTEMPTS_MAX}"
    for field in ("backoff", "backoff_max", "deadline"):
        if not _is_duration(rules[field] or "0s"):
            yield f"has {field}={rules[field]!r}", 'a duration: "500ms", "10s", "5m"'
    for type, longest in rules["progress"].items():
        if not _is_duration(longest or "0s") or len(rules["progress"]) > LISTED_MAX:
            yield f"has progress {type}={longest!r}", 'a duration, or one by type: {"order.big": "5m", "": "30s"}'
    if not is_role(rules["approver"]):
        yield f"has approver={rules['approver']!r}", 'the name of a role: "approve"'
    if len(rules["notify"]) > LISTED_MAX or not all(rules["notify"]):
        yield "has notify that are not addresses", 'notify=["mailto:ada@example.org"]'
    for topic, depth in rules["depth_max"].items():
        if not isinstance(depth, int) or not 1 <= depth <= keys.DEPTH_LIMIT:
            yield f"has depth_max {topic}={depth!r}", f"a number from 1 to {keys.DEPTH_LIMIT:,}"
    for unit, limit in rules["budget"].items():
        if not isinstance(limit, int | float) or not limit > 0:
            yield f"has budget {unit}={limit!r}", "a number above 0"


def _is_duration(given: Any) -> bool:
    try:
        parse_duration(given)
    except (TypeError, ValueError):
        return False
    return True


def _rules(said: Mapping[str, Any]) -> Rules:
    return Rules(
        said["attempts"], parse_duration(said["backoff"]), parse_duration(said["backoff_max"]),
        deadline_ms=parse_duration(said["deadline"] or "0s"),
        on_poison=said["on_poison"], while_waiting=said["while_waiting"], on_uncertain=said["on_uncertain"],
        depths=said["depth_max"], budget=said["budget"], over_budget=said["over_budget"], approver=said["approver"],
        notify=said["notify"],
        progress={type: ms for type, each in said["progress"].items() if (ms := parse_duration(each or "0s"))},
    )  # fmt: skip
