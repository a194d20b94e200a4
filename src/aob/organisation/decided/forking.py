"""The verbs that go on from decisions: conversations, forks in a shadow, tries, differences."""

from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.decision import answers, differs
from aob.core.errors import Conflict, Invalid, Problem
from aob.core.policy import Caller
from aob.core.value import canonical, digest_of
from aob.core.verb import performs
from aob.core.verbs.organisation import decision_verbs as verbs
from aob.organisation.decided.decisions import Decisions
from aob.ports.model import Message, ModelAnswer, ModelRequest, Models, Tool
from aob.work.trying import failed_step, results_in, step_of, tried

STEPS_MAX: Final = 1_000  # decisions of one conversation, or run, that are compared


class Forking:
    """The verbs. `models` are those of the home."""

    def __init__(self, decisions: Decisions, models: Models) -> None:
        self._decisions, self._models = decisions, models

    @performs(verbs.CONVERSATION)
    async def conversation(self, who: Caller, args: verbs.NamedDecision) -> answers.Conversation:
        """A conversation from a decision on. Raises NotFound `decision_not_found`."""
        begun = await self._decisions.decision(who, args.decision)
        rows = await self._after(who, begun)
        views = [begun, *[await self._decisions.decision(who, row["id"]) for row in rows]]
        last = next((each["asked"] for each in reversed(views) if each["asked"]), None)
        results = results_in(_messages(last)) if last else []
        whole = not any(each["gone"] for each in views)
        return {"decision": begun["id"], "asked": begun["asked"], "results": results, "whole": whole,
                "steps": [_step(each) for each in views]}  # fmt: skip

    async def _after(self, who: Caller, begun: answers.DecisionView) -> list[answers.DecisionRow]:
        """The decisions of the same conversation after one."""
        named = {"run": begun["run"]} if begun["run"] else {"agent": begun["agent"], "key": begun["key"]}
        page = await self._decisions.decisions(who, **named, since=begun["at"], limit=STEPS_MAX)
        same = ("visit", "conversation")
        return [
            row for row in reversed(page["decisions"])
            if all(row[each] == begun[each] for each in same) and row["call"] > begun["call"]  # type: ignore[literal-required]  # they are its members
        ]  # fmt: skip

    @performs(verbs.FORK)
    async def fork_decision(self, who: Caller, args: verbs.ForkDecision) -> answers.Tried:
        """Another way from a decision on. Raises NotFound, Conflict `decision_gone`, Invalid `tool_unknown`."""
        # as a replay, a fork tells what it goes on from: its role is enough
        told = await self.conversation(msgspec.structs.replace(who, roles=who.roles | {"view"}), args.decision)
        if told["asked"] is None:
            raise Conflict(f"what {args.decision} was asked is not kept", code="decision_gone",
                           hint="a call that failed, or whose run is pruned, cannot be asked again")  # fmt: skip
        request = _changed(_request(told["asked"]), args)
        steps, unknown = await tried(self._models, request, told["results"], args.calls_max)
        return {"model": request.model, "steps": steps, "unknown": unknown, "recorded": told["steps"],
                "divergence": differs(told["steps"], steps)}  # fmt: skip

    @performs(verbs.TRY)
    async def try_conversation(self, who: Caller, args: verbs.TryConversation) -> answers.Tried:
        """What a model chooses now. Raises Invalid for what is no request."""
        request = _request(args.asked)
        if args.model:
            request = msgspec.structs.replace(request, model=args.model)
        steps, unknown = await tried(self._models, request, args.results, args.calls_max)
        return {"model": request.model, "steps": steps, "unknown": unknown, "recorded": [], "divergence": None}

    @performs(verbs.DIFF)
    async def diff_decisions(self, who: Caller, args: verbs.DiffDecisions) -> answers.DecisionDiff:
        """Where two differ first. Raises NotFound."""
        first, second = await self._all(who, args.first), await self._all(who, args.second)
        found = differs([step for _, step in first], [step for _, step in second])
        at = found["step"] if found is not None else 0
        return {
            "same": found is None, "compared": min(len(first), len(second)), "divergence": found,
            "first": first[at][0] if found is not None and at < len(first) else "",
            "second": second[at][0] if found is not None and at < len(second) else "",
        }  # fmt: skip

    async def _all(self, who: Caller, id: str) -> list[tuple[str, answers.TriedStep]]:
        """The steps of a run, or of a conversation, each with its decision."""
        if id.startswith("run_"):
            page = await self._decisions.decisions(who, run=id, limit=STEPS_MAX)
            ids = [row["id"] for row in reversed(page["decisions"])]
        else:
            begun = await self._decisions.decision(who, id)
            ids = [id, *(row["id"] for row in await self._after(who, begun))]
        return [(each, _step(await self._decisions.decision(who, each))) for each in ids]


def _step(view: answers.DecisionView) -> answers.TriedStep:
    """The choice of a decision, as far as it is kept."""
    if view["failed"]:
        error = view["error"] if isinstance(view["error"], dict) else {}
        return failed_step(str(error.get("code", "")), str(error.get("message", view["says"])))
    if view["answer"] is not None:
        return step_of(msgspec.convert(view["answer"], ModelAnswer))
    calls: list[answers.ToolChoice] = [{"name": name, "args": None} for name in view["calls"]]
    return {"chosen": view["chosen"], "calls": calls, "output": None, "text": view["says"], "error": None, "brain": "",
            "usage": {}}  # fmt: skip


def _messages(asked: JsonObject) -> list[Message]:
    return msgspec.convert(asked.get("messages", []), list[Message])


def _request(asked: Mapping[str, object]) -> ModelRequest:
    try:
        return msgspec.convert(dict(asked), ModelRequest)
    except msgspec.ValidationError as error:
        raise Invalid("this is nothing to ask a model", [Problem("/asked", str(error), "bad_request")]) from error


def _changed(request: ModelRequest, args: verbs.ForkDecision) -> ModelRequest:
    """A request as the fork asks it."""
    unknown = [name for name in args.tools if name not in {tool.name for tool in request.tools}]
    if unknown:
        raise Invalid("the decision was offered no such tools", [
            Problem(f"/tools/{name}", "was not offered", "tool_unknown") for name in unknown
        ], code="tool_unknown")  # fmt: skip
    changes: dict[str, object] = {"tools": tuple(_tool(tool, args.tools.get(tool.name)) for tool in request.tools)}
    if args.model:
        changes["model"] = args.model
    if args.system is not None:
        changes["system"] = args.system
    if args.task is not None:
        first = msgspec.structs.replace(request.messages[0], text=args.task)
        changes["messages"] = (first, *request.messages[1:])
    return msgspec.structs.replace(request, **changes)


def _tool(tool: Tool, changed: verbs.ChangedTool | None) -> Tool:
    if changed is None:
        return tool
    description = tool.description if changed.description is None else changed.description
    schema = tool.schema if changed.schema is None else changed.schema
    identity = {"name": tool.name, "description": description, "schema": schema, "of": tool.hash}
    return Tool(tool.name, description, schema, digest_of(canonical(identity)).hex())
