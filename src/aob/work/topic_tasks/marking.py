"""`@task` and `@planner`: mark an async function as what performs a type of tasks, or plans for a type of plans. Each
is an agent on the topic of its type. Marking registers nothing: a scan makes the table."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeVar

import msgspec

from aob.core.answers import JsonObject
from aob.core.duration import parse_duration
from aob.core.errors import Invalid, Problem
from aob.core.expression import Expression, ExpressionError, compile_expression
from aob.core.task import Kind, Types, limits, rules, topic_of
from aob.work.handlers import doc_of, marked_in, version_of, where
from aob.work.topic_agents import Agent, agent
from aob.work.topic_agents.marking import CONCURRENCY, agent_of
from aob.work.topic_tasks.input import checked
from aob.work.topic_tasks.performing import planning, working

WORK_MARK: Final = "__aob_work__"
_ERROR: Final = {"code": {"type": "string"}, "message": {"type": "string"}, "retryable": {"type": "boolean"}}
_SHAPES: Final[JsonObject] = {
    "error": {"type": "object", "properties": _ERROR, "required": list(_ERROR)}, "attempt": "int",
}  # fmt: skip
F = TypeVar("F", bound=Callable[..., object])


class WorkMark(msgspec.Struct, frozen=True):
    """What `@task` and `@planner` write on a function. `agent` are the arguments of `@agent`."""

    kind: Kind
    type: str
    input: object
    retry_on: str
    deadline: str
    of: JsonObject
    agent: JsonObject


class Work(msgspec.Struct, frozen=True):
    """The agents that perform types, by name, and the types."""

    agents: Mapping[str, Agent] = {}
    types: Types = Types()


def task(
    type: str,
    *,
    input: object = None,
    attempts: int = 3,
    backoff: str = "1s",
    backoff_max: str = "1m",
    retry_on: str = "",
    deadline: str = "",
    fail_plan: bool = False,
    mime_type: str = rules.JSON,
    produces: Iterable[str] = (),
    capabilities: Iterable[str] = (),
    concurrency: int = CONCURRENCY,
    on_uncertain: Literal["repeat", "fail"] = "fail",
    budget: Mapping[str, float] | None = None,
    secrets: Iterable[str] = (),
) -> Callable[[F], F]:
    """Mark an async function of `(parameters)` or `(parameters, ctx)` as what performs tasks of this type. What it
    returns is the task's result.

    `input` is the type of its parameters: a dataclass, a msgspec struct or a pydantic model; a request that does not
    fit is refused. A failure is tried `attempts` times, after `backoff`, doubled up to `backoff_max`, if `retry_on`
    says so: a condition in CEL over `error.code`, `error.message`, `error.retryable` and `attempt`. A task that has not
    ended after `deadline`, from its request on, fails. `fail_plan`: its failure is that of its plan, which else goes
    on. `produces` and what follows are as for `@agent`.
    """
    mark = WorkMark(
        "task", type, input, retry_on, deadline, {"mime_type": mime_type, "fail_plan": fail_plan},
        {"attempts": attempts, "backoff": backoff, "backoff_max": backoff_max, "produces": produces,
         "capabilities": capabilities, "concurrency": concurrency, "on_uncertain": on_uncertain, "budget": budget,
         "secrets": secrets},
    )  # fmt: skip
    return _marks(mark)


def planner(
    type: str,
    *,
    fan_out: int = limits.FAN_OUT,
    rounds: int = limits.ROUNDS,
    tasks: int = limits.TASKS,
    tries: int = limits.TRIES,
    attempts: int = 3,
    backoff: str = "1s",
    backoff_max: str = "1m",
    retry_on: str = "",
    deadline: str = "",
    capabilities: Iterable[str] = (),
    concurrency: int = CONCURRENCY,
    budget: Mapping[str, float] | None = None,
    secrets: Iterable[str] = (),
) -> Callable[[F], F]:
    """Mark an async function of `(context)` or `(context, ctx)` as the planner of plans of this type.

    It is called round by round with a `PlanContext` and returns `{"next_task_ids": […], "tasks": {id: {"task_type": …,
    "parameters": …}}, "metadata": {…}}`; an entry is an id in `tasks`, a type, or `type#key`. An empty list ends the
    plan. An answer that is no plan is shown to it as `context.failure`, `tries` times. A round has at most `fan_out`
    tasks, a plan `rounds` rounds and `tasks` tasks. What else: as for `@task`.
    """
    caps = {"fan_out": fan_out, "rounds": rounds, "tasks": tasks, "tries": tries}
    mark = WorkMark(
        "plan", type, None, retry_on, deadline, caps,
        {"attempts": attempts, "backoff": backoff, "backoff_max": backoff_max, "capabilities": capabilities,
         "concurrency": concurrency, "budget": budget, "secrets": secrets},
    )  # fmt: skip
    return _marks(mark)


def _marks(mark: WorkMark) -> Callable[[F], F]:
    def marked(function: F) -> F:
        setattr(function, WORK_MARK, mark)
        return function

    return marked


def scan_work(*sources: object) -> Work:
    """The tasks and planners of modules, classes' instances or functions. Raises Invalid listing every function that
    cannot be one, and every type used twice."""
    agents: dict[str, Agent] = {}
    tasks, plans = dict[str, rules.TaskType](), dict[str, rules.PlanType]()
    functions: dict[str, Callable[..., object]] = {}
    problems: list[Problem] = []
    for fn in (each for source in sources for each in marked_in(source, WORK_MARK, WorkMark)):
        mark: WorkMark = getattr(fn, WORK_MARK)
        name = topic_of(mark.kind, mark.type)
        if functions.setdefault(name, fn) != fn:
            why = f"the type `{mark.type}` is taken by {where(functions[name])}"
            problems.append(Problem(where(fn), why, "type_twice", hint="give one another type"))
            continue
        if name in agents:
            continue
        try:
            made = _type_of(fn, mark)
            if isinstance(made, rules.TaskType):
                tasks[mark.type] = made
            else:
                plans[mark.type] = made
            agents[name] = _agent_of(fn, mark, name)
        except Invalid as error:
            problems.extend(error.problems)
    if problems:
        raise Invalid("the application's tasks and planners cannot be used", problems)
    return Work(agents, Types(tasks, plans))


def _type_of(fn: Callable[..., object], mark: WorkMark) -> rules.TaskType | rules.PlanType:
    problems = [Problem(where(inspect.unwrap(fn)), why, "bad_type", hint=hint) for why, hint in _unfit(mark)]
    if problems:
        raise Invalid("not a type", problems)
    deadline_ms = parse_duration(mark.deadline or "0s")
    if mark.kind == "plan":
        return rules.PlanType(mark.type, **mark.of, deadline_ms=deadline_ms)
    return rules.TaskType(mark.type, checked(mark.input), deadline_ms=deadline_ms, **mark.of)


def _unfit(mark: WorkMark) -> Iterable[tuple[str, str]]:
    if len(mark.type) > limits.TYPE_CHARS_MAX:
        yield f"{mark.type[:40]!r} is too long", f"at most {limits.TYPE_CHARS_MAX} characters"
    try:
        parse_duration(mark.deadline or "0s")
    except ValueError:
        yield f"it has deadline={mark.deadline!r}", 'a duration: "10s", "5m"'
    most = {"fan_out": limits.FAN_OUT_MAX, "rounds": limits.ROUNDS_MAX, "tasks": limits.TASKS_MAX, "tries": 100}
    for cap, limit in most.items():
        value = mark.of.get(cap, 1)
        if not isinstance(value, int) or not 1 <= value <= limit:
            yield f"it has {cap}={value!r}", f"a number from 1 to {limit:,}"
    if mark.retry_on:
        try:
            _condition(mark.retry_on)
        except ExpressionError as error:
            yield f"its retry_on is no condition: {error}", 'CEL, such as error.code == "busy" && attempt < 5'


def _condition(text: str) -> Expression:
    return compile_expression(text, nodes=frozenset(), names=frozenset(_SHAPES), shapes=_SHAPES, want="bool")


def _agent_of(fn: Callable[..., object], mark: WorkMark, name: str) -> Agent:
    """The agent that performs a type: the function, wrapped, on the topic of its type."""
    retries = _condition(mark.retry_on) if mark.retry_on else None
    inner = inspect.unwrap(fn)
    takes = [each for each in inspect.signature(fn).parameters if each != "ctx"]
    if not inspect.iscoroutinefunction(inner) or len(takes) != 1:
        why = (
            f"`{mark.type}` is not async" if len(takes) == 1 else f"`{mark.type}` takes {', '.join(takes) or 'nothing'}"
        )
        hint = "write it as `async def`, with one argument, and ctx if it wants"
        raise Invalid("no task", [Problem(where(inner), why, "bad_type", hint=hint)])
    wrapped = working(fn, mark.input, retries) if mark.kind == "task" else planning(fn, retries)
    made = agent_of(agent(consumes=(name,), name=name, **mark.agent)(wrapped))
    return msgspec.structs.replace(made, code=version_of(inner), doc=doc_of(inner))
