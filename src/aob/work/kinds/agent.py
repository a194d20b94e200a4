"""`agent`: a model works on a task with tools, may propose a patch, and returns a checked answer. Every model and tool
call is journaled before and after; nothing recorded is repeated. The output of the node is the structured answer
itself; its usage holds the brain and the spending."""

from typing import TYPE_CHECKING, Final, Literal

from aob.core.node import AgentConfig
from aob.ports.model import Json, Message, ModelAnswer, ToolCall
from aob.ports.workers import Done, Job
from aob.work.agent import Answered, Calls, Form, Ledger, Offer, Prompt, examples, offers, refused, told
from aob.work.calling import call
from aob.work.job import Context, permanent
from aob.work.outcome import finished

if TYPE_CHECKING:
    from aob.work.tools import Tools

RETURNS_MAX: Final = 3
"""How often an invalid answer, and how often an invalid patch, is returned to the model with the reasons."""

TOOL_CALLS_MAX: Final = 64
CUT: Final = "the answer was cut off at the limit of tokens, so this call may not be whole: make fewer calls at a time"
ACCEPTED: Final = frozenset({"applied", "approved", "proposed"})
"""States of a proposal after which the agent is done; while it is `proposed` the run holds the token (`hold`)."""


async def perform(job: Job, ctx: Context, tools: "Tools", name: str = "") -> Done:
    """The answer of the agent. `name` tells its conversation from others of the same visit. Raises WorkError: transient
    when the model or a tool may answer later, else permanent (`answer_invalid`, `patch_invalid`, `tool_missing`, a
    limit by its name, what the model refuses)."""
    agent = Agent(job, ctx, tools, name)
    if agent.config.patch:
        agent.prompt.show(await ctx.graph())
    return await agent.work()


class Agent:
    """One visit of an agent: the conversation so far, and what it has spent."""

    def __init__(self, job: Job, ctx: Context, tools: "Tools", name: str = "") -> None:
        config: AgentConfig = job.task.config
        self.config, self._job, self._ctx, self._tools = config, job, ctx, tools
        self._offers = offers(config.tools, tools.handlers)
        self._form = Form(config.output, patch=config.patch)
        offered = tuple(offer.tool for offer in self._offers.values())
        # By its full name: a cached answer must not outlive a change of the home's default model.
        model = tools.model.name_of(config.model)
        self.prompt = Prompt(config, job.task.id, job.input, model=model, schema=self._form.schema, tools=offered)
        self._ledger = Ledger(config)
        self._calls = Calls(
            ctx, tools.model, tools.cache if config.cache else None, self._perform, name, tools.telemetry
        )
        self._messages: list[Message] = []
        self._said: list[str] = []
        self._returned: dict[str, int] = {"answer": 0, "patch": 0}
        self._used = 0

    async def work(self) -> Done:
        """Ask until an answer is acceptable, or a limit is reached."""
        while True:
            self._ledger.check()
            request = self.prompt.request(self._messages, self._ledger.tokens_left())
            record = await self._calls.ask(request, self._ledger.calls + 1, self.prompt.version)
            self._ledger.add(record.answer.usage, record.answer.brain, cached=record.cached)
            self._job.pulse()
            if record.answer.stop:
                self._stopped(record.answer)
                continue
            done = await (self._use(record) if record.answer.calls else self._conclude(record))
            if done is not None:
                return done

    def _stopped(self, answer: ModelAnswer) -> None:
        """Handle a reply that is no answer. Raises WorkError (permanent) unless the model wants to go on."""
        if answer.stop == "paused":
            self._said.append(answer.text)
            self._messages.append(Message("assistant", answer.text.strip() or "(paused)"))
            self._messages.append(Message("user", "Go on where you stopped."))
            return
        detail = {"stop": answer.stop_word, "answer": answer.text[:10_000], "usage": self._ledger.usage()}
        said = f"({answer.stop_word}): {answer.text[:500] or 'without a word'}"
        if answer.stop == "context":
            why = f"the model has reached the end of what it can take {said}"
            raise permanent(why, code="context_exceeded", **detail)
        raise permanent(f"the model refuses to answer {said}", code="answer_refused", **detail)

    async def _perform(self, offer: Offer, args: dict[str, Json], ctx: Context) -> object:
        return await call(offer.handler, (), args, ctx, self._tools, self._job.pulse, tenant=self._job.tenant)

    async def _use(self, record: Answered) -> None:
        """Make the tool calls that the model requests, in order; a call that is not allowed gets a refusal instead."""
        answer = record.answer
        self._messages.append(Message("assistant", answer.text, answer.calls))
        reasons = []
        for asked in answer.calls:
            reason = CUT if answer.cut else self._refusal(asked)
            if reason:
                self._ctx.log("tool_call_refused", tool=asked.name, reason=reason)
                reasons.append(reason)
                self._messages.append(refused(asked, reason))
                continue
            self._used += 1
            self._messages.append(await self._calls.use(asked, self._offers[asked.name], self._used))
            self._job.pulse()
        if reasons:
            self._count("answer", reasons, answer)
        else:
            await self._calls.keep(record)

    def _refusal(self, asked: ToolCall) -> str:
        offer = self._offers.get(asked.name)
        if offer is None:
            allowed = ", ".join(self._offers) or "none"
            return f"`{asked.name}` is not among the tools of this step, which are: {allowed}"
        if not isinstance(asked.args, dict):
            return "the arguments do not fit: they are one JSON object with the parameters of the tool by name"
        if self._used >= TOOL_CALLS_MAX:
            return f"{TOOL_CALLS_MAX} tool calls were made, which is the limit: answer with what is known"
        wrong = offer.reasons(asked.args)
        return f"the arguments do not fit: {'; '.join(wrong)}" if wrong else ""

    async def _conclude(self, record: Answered) -> Done | None:
        answer = record.answer
        reasons = self._form.reasons(answer)
        if reasons:
            self._count("answer", reasons, answer)
            self._reply(answer, "This answer cannot be taken:", reasons)
            return None
        patch = self._form.patch(answer)
        if patch is None:
            return await self._finish(record, self._whole(self._form.value(answer)))
        verdict = await self._ctx.propose(patch["operations"], patch["reason"])
        self._job.pulse()
        if verdict["state"] in ACCEPTED:
            known = {key: verdict[key] for key in ("patch_id", "state", "version") if key in verdict}
            output = {**self._form.value(answer), "patch": {**known, "reason": patch["reason"]}}
            return await self._finish(record, output, patch=verdict["patch_id"])
        reasons = [told(problem) for problem in verdict.get("problems", ())] or [f"it is {verdict['state']}"]
        self._count("patch", reasons, answer, verdict.get("patch_id"))
        self.prompt.show(await self._ctx.graph())
        self._reply(answer, "This patch is not valid:", reasons, examples())
        return None

    def _whole(self, output: Json) -> Json:
        """A text with the parts that the model sent before it paused."""
        return "".join([*self._said, output]) if self._said and isinstance(output, str) else output

    async def _finish(self, record: Answered, output: Json, patch: str = "") -> Done:
        await self._calls.keep(record)
        return finished(output, usage=self._ledger.usage(), patch=patch)

    def _reply(self, answer: ModelAnswer, sentence: str, reasons: list[str], more: str = "") -> None:
        text = "\n".join([sentence, *(f"- {reason}" for reason in reasons), "Mend it and answer again.", more])
        self._messages.append(Message("assistant", answer.text.strip() or "(no answer)"))
        self._messages.append(Message("user", text.rstrip()))

    def _count(
        self, what: Literal["answer", "patch"], reasons: list[str], answer: ModelAnswer, patch_id: str | None = None
    ) -> None:
        self._returned[what] += 1
        if self._returned[what] <= RETURNS_MAX:
            return
        detail = {"reasons": reasons, "answer": answer.text[:10_000], "usage": self._ledger.usage()}
        raise permanent(
            f"the {what} is still wrong after {RETURNS_MAX} returns to the model: {reasons[0]}",
            code="answer_invalid" if what == "answer" else "patch_invalid",
            **({**detail, "patch_id": patch_id} if patch_id else detail),
        )
