"""A script: rules in YAML or JSON that answer requests. Stateless. The number of answers already in the conversation
selects the step of a rule, so a script answers the same after a crash. A request that no rule matches is an error."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
import yaml

from aob.core.errors import Invalid, NotFound, Problem
from aob.core.expression import EvalError, Expression, ExpressionError, compile_expression
from aob.ports.model import Json, ModelRequest, Usage

NAMES: Final = frozenset({"input", "node", "graph", "model", "task", "last", "turn", "results"})
"""What `when:` may use: the agent's input, its node id, the graph it was shown (`graph.document`, `graph.state`), the
model's name, the first and the last message's text, how many answers the conversation has, and the last result of each
tool by name."""


class ScriptedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call of a step; string leaves of `args` are filled by `{name}` from the agent's input."""

    name: str
    args: dict[str, Json] = {}


class ScriptedPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A patch proposal, put into the answer literally: braces belong to the nodes that it adds."""

    operations: list[dict[str, Json]]
    reason: str = ""


class ScriptedError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The call fails instead of answering. `times` (0 = always): so often for the same request, then the step answers.
    `refused` is permanent, `hang` never answers; the others are transient."""

    kind: Literal["rate_limited", "overloaded", "timeout", "connection", "server", "refused", "hang"]
    times: int = 0
    retry_after_s: float = 0.0


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One answer. `answer` (any JSON) and `text` are filled by `{name}` from the input; `patch` joins the answer;
    `tools` are called before the next step; `usage` is what is reported (default: nothing was spent)."""

    answer: Json = msgspec.UNSET
    text: str = ""
    tools: tuple[ScriptedCall, ...] = ()
    patch: ScriptedPatch | None = None
    error: ScriptedError | None = None
    usage: Usage = Usage()
    delay: str | int | float = 0
    cut: bool = False


class Rule(Step, frozen=True, kw_only=True):
    """A step, or several (`steps`), and when to use it: all of `when` (CEL), `contains` (a substring of the task),
    `matches` (a regular expression on the task, its named groups fill templates) and `node` that are given."""

    name: str = ""
    when: str = ""
    contains: str = ""
    matches: str = ""
    node: str = ""
    steps: tuple[Step, ...] = ()


class ScriptFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a script file."""

    rules: tuple[Rule, ...]
    description: str = ""


class Script:
    """Checked rules. Raises Invalid with every problem of the rules at once."""

    def __init__(self, name: str, rules: Sequence[Rule | Mapping[str, Json]]) -> None:
        self.name = name
        self.rules = tuple(_convert(name, {"rules": [_plain(rule) for rule in rules]}).rules)
        problems: list[Problem] = []
        self._tests = [_compile(rule, f"/rules/{n}", problems) for n, rule in enumerate(self.rules)]
        if problems:
            raise Invalid(f"script {name} is not usable", problems)

    @classmethod
    def parse(cls, name: str, data: bytes) -> "Script":
        """A script from YAML or JSON bytes. Raises Invalid when they are not a script."""
        try:
            content = yaml.safe_load(data)
        except yaml.YAMLError as error:
            raise Invalid(f"script {name} is not YAML: {error}") from error
        return cls(name, _convert(name, content).rules)

    def step(self, request: ModelRequest) -> tuple[Step, dict[str, Json]]:
        """The step that answers a request, and what its templates may use. Raises NotFound `model_no_answer`."""
        names = _names(request)
        for rule, test in zip(self.rules, self._tests, strict=True):
            groups = _match(rule, test, names)
            if groups is None:
                continue
            steps = rule.steps or (rule,)
            if names["turn"] >= len(steps):
                raise NotFound(
                    f"script {self.name}, rule {rule.name or rule.when or 'without a name'}: it has "
                    f"{len(steps)} steps and is asked for one more",
                    code="model_no_answer",
                    hint="add a step that answers after the last one, for example after the result of its tools",
                )
            return steps[names["turn"]], {**_fields(names["input"]), **groups, "results": names["results"]}
        why = f"script {self.name} has no rule for this task: {names['task'][:200]!r}"
        hint = "add a rule that matches; a rule without conditions matches everything"
        raise NotFound(why, code="model_no_answer", hint=hint)


def _plain(rule: Rule | Mapping[str, Json]) -> Json:
    return msgspec.to_builtins(rule) if isinstance(rule, Rule) else rule


def _convert(name: str, content: Json) -> ScriptFile:
    try:
        return msgspec.convert(content, ScriptFile)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise Invalid(f"script {name} is not usable", [Problem(path.rstrip("`") or "/", message)]) from error


def _compile(rule: Rule, path: str, problems: list[Problem]) -> tuple[Expression | None, re.Pattern[str] | None]:
    for n, step in enumerate(rule.steps or (rule,)):
        says = [step.answer is not msgspec.UNSET or step.patch is not None, bool(step.text), bool(step.tools)]
        if sum(says[:2]) > 1 or not (any(says) or step.error):
            where = f"{path}/steps/{n}" if rule.steps else path
            problems.append(Problem(where, "a step gives one of answer, text, tools or error"))
    test = pattern = None
    try:
        test = compile_expression(rule.when, nodes=frozenset(), names=NAMES, want="bool") if rule.when else None
    except ExpressionError as error:
        problems += [msgspec.structs.replace(found, path=f"{path}/when") for found in error.problems]
    try:
        pattern = re.compile(rule.matches) if rule.matches else None
    except re.error as error:
        problems.append(Problem(f"{path}/matches", f"not a regular expression: {error}"))
    return test, pattern


def _names(request: ModelRequest) -> dict[str, Json]:
    context = request.context
    called = {call.id: call.name for message in request.messages for call in message.calls}
    texts = [message.text for message in request.messages if message.role == "user"]
    return {
        "input": context.get("input"),
        "node": context.get("node", ""),
        "graph": context.get("graph"),
        "model": request.model,
        "task": texts[0] if texts else "",
        "last": request.messages[-1].text if request.messages else "",
        "turn": sum(message.role == "assistant" for message in request.messages),
        "results": {called.get(m.call, m.call): _value(m.text) for m in request.messages if m.role == "tool"},
    }


def _match(
    rule: Rule, test: tuple[Expression | None, re.Pattern[str] | None], names: Mapping[str, Json]
) -> dict[str, Json] | None:
    """The named groups of the rule's regular expression when the rule matches, else None."""
    when, pattern = test
    if (rule.node and rule.node != names["node"]) or rule.contains not in names["task"]:
        return None
    found = pattern.search(names["task"]) if pattern else None
    if pattern and not found:
        return None
    try:
        if when and when.eval(names) is not True:
            return None
    except EvalError:
        return None  # this input lacks a field: the rule is about another input
    return {name: value for name, value in found.groupdict().items() if value is not None} if found else {}


def _fields(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {"input": value}


def _value(text: str) -> Json:
    value = parsed(text)
    return text if value is msgspec.UNSET else value


def parsed(text: str) -> Json:
    """The value of a JSON text, UNSET for any other text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return msgspec.UNSET
