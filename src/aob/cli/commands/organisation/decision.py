"""`aob decision`: the calls of models, listed and looked into."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from aob.cli.picture import indented, short
from aob.cli.screen import Screen
from aob.cli.values import json_from
from aob.cli.words import Commands, asks, command, group, lists
from aob.core.answers import JsonObject, JsonValue

if TYPE_CHECKING:
    from aob.core.decision import answers

COLUMNS = ("decision", "at", "by", "model", "chose", "tokens", "usd", "ms")
NONE = "no decisions: no agent has asked a model"
WHEN = "an instant of RFC 3339, or 1h for an hour ago"


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob decision`."""
    mine = group(commands, common, "decision", "look into what models were asked and what they decided")
    listed = asks("decisions", lists(COLUMNS, _row, NONE, of="decisions", more="--before"))
    one = command(mine, common, "list", "list calls of models, newest first", listed)
    one.add_argument("--agent", default="", help="of this agent on topics")
    one.add_argument("--key", default="", help="of this key of an agent")
    one.add_argument("--run", default="", metavar="RUN", help="of this run")
    one.add_argument("--correlation", default="", metavar="ID", help="of all that followed from one record or run")
    one.add_argument("--since", default="", metavar="WHEN", help=f"from then on: {WHEN}")
    one.add_argument("--until", default="", metavar="WHEN", help="before then")
    one.add_argument("--limit", type=int, default=50, help="rows (50)")
    one.add_argument("--before", default="", metavar="CURSOR", help="go on after a page: what it printed")
    one = command(mine, common, "show", "show one call: all it was asked, and its answer", asks("decision", _shown))
    one.add_argument("decision", metavar="DECISION")
    text = "ask again from a decision on, with another prompt, model or tool; nothing outside is called"
    one = command(mine, common, "fork", text, asks("fork_decision", _forked, system=_text, task=_text, tools=_tools))
    one.add_argument("decision", metavar="DECISION")
    one.add_argument("--model", default="", help="another model")
    one.add_argument("--system", default=None, metavar="TEXT|@FILE", help="another system prompt")
    one.add_argument("--task", default=None, metavar="TEXT|@FILE", help="another task: the first message")
    one.add_argument(
        "--tools", default=None, metavar="JSON|FILE|-", help="other versions: {NAME: {description, schema}}"
    )
    one.add_argument("--calls-max", type=int, default=8, help="calls of the model (8)")
    one = command(
        mine, common, "diff", "say where two decisions, or two runs, differ first", asks("diff_decisions", _differ)
    )
    one.add_argument("first", metavar="DECISION|RUN")
    one.add_argument("second", metavar="DECISION|RUN")


def maker(row: "answers.DecisionRow") -> str:
    """Who decided."""
    return f"{row['agent']}/{row['key']}" if row["agent"] else f"{row['run']} {row['node']}"


def badge(row: "answers.DecisionRow") -> str:
    """The model that was asked, and which brain answered."""
    brain = row["brain"]
    label = str(brain.get("label", "")) if isinstance(brain, dict) else ""
    return " ".join(filter(None, (row["model"], f"({label})" if label else "", "cached" if row["cached"] else "")))


def _row(row: "answers.DecisionRow") -> tuple[str, ...]:
    chose = ", ".join(row["calls"]) if row["calls"] else row["chosen"]
    tokens = f"{row['tokens_in']}+{row['tokens_out']}" if row["tokens_in"] is not None else ""
    usd = f"{row['cost_usd']:g}" if row["cost_usd"] is not None else ""
    return row["id"], row["at"], maker(row), badge(row), chose, tokens, usd, f"{row['took_ms']:g}"


def _shown(view: "answers.DecisionView", args: Namespace, screen: Screen) -> None:
    screen.line(f"{view['id']}  {view['at']}  by {maker(view)}, attempt {view['attempt']}, call {view['call']}")
    screen.line(f"  model    {badge(view)}")
    screen.line(f"  prompt   {view['prompt'][:16]}  request {view['request'][:16]}")
    if view["tools"]:
        screen.line(f"  tools    {', '.join(f'{name} {hash[:12]}' for name, hash in view['tools'].items())}")
    screen.line(f"  chose    {view['chosen']} {', '.join(view['calls'])}".rstrip())
    cost = "unknown" if view["cost_usd"] is None else f"{view['cost_usd']:g} USD"
    screen.line(f"  cost     {cost}, {view['tokens_in']}+{view['tokens_out']} tokens, {view['took_ms']:g} ms")
    if view["gone"]:
        screen.line("what it was asked and answered is no longer there", style="dim")
    asked = view["asked"] or {}
    for name, text in _said(asked):
        screen.line(f"{name}:")
        screen.lines(f"  {line}" for line in text.splitlines())
    for name, value in (("answer", view["answer"]), ("error", view["error"])):
        if value is not None:
            screen.line(f"{name}:")
            screen.lines(indented(value))


def _said(asked: JsonObject) -> list[tuple[str, str]]:
    """The system prompt and the messages of a request, as text."""
    found = [("system", str(asked["system"]))] if asked.get("system") else []
    messages: list[JsonValue] = asked.get("messages") or []
    for each in messages:
        if isinstance(each, dict):
            calls = [f"calls {call['name']} {short(call['args'])}" for call in each.get("calls", ())]
            found.append((str(each.get("role")), "\n".join(filter(None, (str(each.get("text", "")), *calls)))))
    return found


def _text(given: str | None) -> str | None:
    """A text, or that of a file."""
    return Path(given[1:]).read_text(encoding="utf-8") if given is not None and given.startswith("@") else given


def _tools(given: str | None) -> JsonValue:
    return {} if given is None else json_from(given, "--tools")


def chose(step: "answers.TriedStep | None") -> str:
    """A choice in one line."""
    if step is None:
        return "nothing"
    if step["calls"]:
        return ", ".join(f"{call['name']} {short(call['args'])}" for call in step["calls"])
    if step["error"] is not None:
        return f"error {short(step['error'])}"
    return short(step["output"]) if step["output"] is not None else short(step["text"])


def _forked(told: "answers.Tried", args: Namespace, screen: Screen) -> None:
    screen.line(f"{told['model']}, in a shadow: nothing outside was called")
    for number, step in enumerate(told["steps"], 1):
        screen.line(f"  {number}  {chose(step)}")
    if told["unknown"]:
        screen.line(f"  {told['unknown']} calls of tools are not in the record, and were refused", style="dim")
    _diverges(told["divergence"], screen)


def _differ(told: "answers.DecisionDiff", args: Namespace, screen: Screen) -> None:
    if not told["same"]:
        screen.line(f"{told['first'] or 'nothing'}  {told['second'] or 'nothing'}")
    _diverges(told["divergence"], screen)


def _diverges(found: "answers.Divergence | None", screen: Screen) -> None:
    if found is None:
        screen.line("the same choices")
        return
    screen.line(f"they differ first in step {found['step'] + 1}, in {found['what']}:")
    screen.diff([f"- {chose(found['first'])}", f"+ {chose(found['second'])}"])
