"""`aob eval`: assertions over what models decided, made from recorded runs, and held against a model."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from aob.cli.commands.organisation.decision import chose
from aob.cli.finding import find_run
from aob.cli.screen import Screen
from aob.cli.words import Aob, Commands, command, group
from aob.core.answers import JsonObject, JsonValue
from aob.core.errors import Invalid, Problem
from aob.core.json_schema import schema_problems

DECISIONS_MAX: Final = 1_000  # of one run
FAILED: Final = 1  # the exit code when an assertion does not hold
COLUMNS: Final = ("eval", "holds", "chose", "why not")
KNOWN: Final = frozenset({"tools", "output", "output_schema", "contains", "chosen"})
"""What `expect` may say: the names of the tools called, in order; the output; a JSON Schema of it; a text in the
answer; the last choice."""


class Eval(msgspec.Struct, forbid_unknown_fields=True):
    """One eval: what a model is asked, the results of tools, what is expected, and the steps of the record."""

    name: str
    asked: JsonObject
    expect: JsonObject
    results: list[JsonObject] = []
    steps: list[JsonObject] = []


class EvalFile(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a file of evals."""

    evals: list[Eval]


def add(commands: Commands, common: ArgumentParser) -> None:
    """The words of `aob eval`."""
    mine = group(commands, common, "eval", "hold a model to what was decided before")
    one = command(mine, common, "make", "print evals made of the decisions of runs, as JSON", make)
    one.add_argument("run", metavar="RUN|DECISION", nargs="+", help="runs, or first decisions of conversations")
    one = command(mine, common, "run", "ask a model again and check; exit 1 if an assertion does not hold", run)
    one.add_argument("file", metavar="FILE")
    one.add_argument("--model", default="", help="another model than the recorded one")
    one.add_argument("--recorded", action="store_true", help="check the recorded steps, and ask no model")


async def make(aob: Aob, args: Namespace, screen: Screen) -> None:
    """Print a file of evals."""
    found = list[Eval]()
    for id in args.run:
        for row in await _begins(aob, id):
            told = await aob.conversation(row)
            if told["asked"] is None:
                continue
            steps: Any = told["steps"]
            results: Any = told["results"]
            found.append(Eval(row, told["asked"], _expected(steps), results, steps))
    text = msgspec.json.format(msgspec.json.encode(EvalFile(found)), indent=2).decode()
    screen.line(text)


async def _begins(aob: Aob, id: str) -> list[str]:
    """The first decision of each conversation of a run."""
    if id.startswith("decision_"):
        return [id]
    page = await aob.decisions(run=await find_run(aob, id), limit=DECISIONS_MAX)
    return [row["id"] for row in reversed(page["decisions"]) if row["call"] == 1 and not row["failed"]]


def _expected(steps: Sequence[Mapping[str, Any]]) -> JsonObject:
    tools: JsonValue = [call["name"] for step in steps for call in step["calls"]]
    last = steps[-1]
    said: JsonObject = {"output": last["output"]} if last["output"] is not None else {}
    return {"tools": tools, "chosen": last["chosen"], **said}


async def run(aob: Aob, args: Namespace, screen: Screen) -> int:
    """Check every eval of a file; 1 if one does not hold."""
    rows = list[JsonObject]()
    for each in read(await asyncio.to_thread(Path(args.file).read_bytes), args.file):
        steps: Any = each.steps
        model = "recorded"
        if not args.recorded:
            results: Any = each.results
            told = await aob.try_conversation(each.asked, results, args.model)
            steps, model = told["steps"], told["model"]
        wrong: Any = failures(each.expect, steps)
        rows.append({"name": each.name, "holds": not wrong, "model": model, "failures": wrong, "steps": steps})
    failed = sum(not row["holds"] for row in rows)
    if not screen.told({"evals": rows, "failed": failed}):
        screen.table(COLUMNS, map(_row, rows), none="no evals")
        screen.line(f"{len(rows) - failed} of {len(rows)} hold")
    return FAILED if failed else 0


def read(data: bytes, name: str) -> list[Eval]:
    """The evals of a file. Raises Invalid for what is none."""
    try:
        found = msgspec.json.decode(data, type=EvalFile).evals
    except msgspec.MsgspecError as error:
        raise Invalid(f"{name} is no file of evals: {error}", hint="aob eval make RUN > FILE") from error
    wrong = [
        Problem(f"/evals/{number}/expect/{key}", f"is none of {', '.join(sorted(KNOWN))}")
        for number, each in enumerate(found) for key in each.expect.keys() - KNOWN
    ]  # fmt: skip
    if wrong:
        raise Invalid(f"{name} expects what nobody checks", wrong)
    return found


def failures(expect: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why steps are not as expected; empty when they are."""
    last: Mapping[str, Any] = steps[-1] if steps else {}
    tools = [call["name"] for step in steps for call in step["calls"]]
    output, text = last.get("output"), str(last.get("text", ""))
    said = text if output is None else msgspec.json.encode(output).decode()
    found = list[str]()
    if "tools" in expect and tools != expect["tools"]:
        found.append(f"tools {tools} and not {expect['tools']}")
    if "chosen" in expect and last.get("chosen") != expect["chosen"]:
        found.append(f"chose {last.get('chosen')} and not {expect['chosen']}")
    if "output" in expect and output != expect["output"]:
        found.append(f"output {output} and not {expect['output']}")
    if "output_schema" in expect:
        found += [f"output {problem}" for problem in schema_problems(expect["output_schema"], output)]
    if "contains" in expect and str(expect["contains"]) not in said:
        found.append(f"{expect['contains']!r} is not in the answer")
    return found


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        "yes" if row["holds"] else "NO",
        chose(row["steps"][-1] if row["steps"] else None),
        "; ".join(row["failures"]),
    )
