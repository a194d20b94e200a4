"""A graph of LangGraph as an agent: one thread a key, a record goes on from the checkpoint of the record before it, an
interrupt is a ticket. The head of a thread is the state of the key, so it moves with the commit of the record."""

import asyncio
import inspect
from typing import Final

from langgraph.config import get_config
from langgraph.graph import StateGraph
from langgraph.types import Command

from aob.core.value import canonical, digest_of
from aob.work.frameworks.mapping import Foreign, Made, Mapped, jsonable, refused
from aob.work.job import WorkError

CTX: Final = "ctx"  # where nodes find their context: config["configurable"]["ctx"]
_ASKED: Final = frozenset(("form", "choices", "to", "deadline", "notify", "shown", "escalate"))


class NodeContext:
    """What a node of a graph may ask for: `config["configurable"]["ctx"]`. What it sends is the output of the graph,
    and people are asked by `interrupt`: so a node has no `emit`, `reply`, `later`, `set_state` of its own."""

    def __init__(self, ctx: Foreign) -> None:
        self.agent, self.key, self.tenant, self.attempt = ctx.agent, ctx.key, ctx.tenant, ctx.attempt
        self.degraded, self.idempotency = ctx.degraded, ctx.idempotency
        self.intend, self.settle, self.ask, self.metric = ctx.intend, ctx.settle, ctx.ask, ctx.metric
        self.log, self.secret, self.memory = ctx.log, ctx.secret, ctx.memory


def graph_handler(given: Foreign, mapped: Mapped) -> Made:
    """The function that handles records with a graph. Raises Invalid for one that is compiled."""
    if not isinstance(given, StateGraph):
        saver = getattr(given, "checkpointer", None)
        why = f"compiled with {type(saver).__name__}" if saver else "compiled"
        raise refused(
            f"the graph is {why}: its checkpoints would not be in the commit of the record",
            "give the builder: aob.agent(…)(builder), without .compile()",
        )
    compiled = given.compile()

    async def handled(record: Foreign, ctx: Foreign) -> None:
        handling = _Handling(compiled, ctx)
        await handling.run(mapped, record)
        await mapped.give(handling.values, record, ctx)

    return handled, _text(given)


def _text(builder: Foreign) -> str:
    """The code of the nodes and what leads where."""
    found = [repr(sorted(builder.edges))]
    for name, node in sorted(builder.nodes.items()):
        fn = getattr(node.runnable, "func", None) or getattr(node.runnable, "afunc", None) or node.runnable
        try:
            found.append(f"{name}: {inspect.getsource(fn)}")
        except (OSError, TypeError):
            found.append(f"{name}: {type(fn).__qualname__}")
    for name, branches in sorted(builder.branches.items()):
        found.append(f"{name}: {sorted(branches)}")
    return "\n".join(found)


def _task() -> str:
    """The task of the node that is at work, the same whenever it is done again; empty outside of nodes."""
    try:
        return str(get_config()["configurable"].get("checkpoint_ns") or "")
    except RuntimeError:
        return ""


class _Handling:
    """One record and the graph."""

    def __init__(self, compiled: Foreign, ctx: Foreign) -> None:
        if not hasattr(ctx, "record_saver"):
            why = f"{ctx.agent} is a graph: its records are handled in the home's own process, where its threads are"
            raise WorkError(why, code="graphs_absent", transient=False)
        self._ctx, self._run = ctx, ctx.idempotency
        self._saver = ctx.record_saver()
        self._graph = compiled.copy({"checkpointer": self._saver, "store": ctx.memory()})
        self._config: Foreign = {
            "configurable": {"thread_id": ctx.key, CTX: NodeContext(ctx)}, "metadata": {"run_id": self._run},
        }  # fmt: skip
        self.values: Foreign = None

    async def run(self, mapped: Mapped, record: Foreign) -> None:
        """Runs the graph to its end, from where an earlier attempt was. Raises what its nodes raise."""
        ctx = self._ctx
        ctx.place = _task
        bases = {said["checkpoint"] for said in (ctx.state, ctx.left) if isinstance(said, dict)}
        if not await self._saver.begin(ctx.key, self._run, bases):
            await self._graph.ainvoke(mapped.given(record), self._config)
        before = ""
        while True:
            snapshot = await self._graph.aget_state(self._config)
            at = str(snapshot.config["configurable"]["checkpoint_id"])
            if snapshot.interrupts:
                given: Foreign = Command(resume=await self._answers(snapshot.interrupts, at))
            elif not snapshot.next:
                break
            elif at == before:
                raise WorkError(f"the graph does not go on from {', '.join(snapshot.next)}", code="graph_stuck")
            else:
                given = None
            before = at
            ctx.begin_again()
            await self._graph.ainvoke(given, self._config)
        ctx.set_state({"checkpoint": at})
        names = self._graph.output_channels
        whole = isinstance(names, str)
        self.values = snapshot.values if whole else {n: snapshot.values[n] for n in names if n in snapshot.values}

    async def _answers(self, interrupts: Foreign, at: str) -> dict[str, Foreign]:
        """The answers that are there, by interrupt; each has a ticket of its own. Raises what ends the attempt while
        none is."""
        found = await self._saver.aget_tuple(self._config)
        writes = found.pending_writes if found is not None else ()
        answered = {task: len(value) for task, channel, value in writes if channel == "__resume__"}
        tasks = {each.id: task for task, channel, value in writes if channel == "__interrupt__" for each in value}
        await self._ctx.heartbeat({"checkpoint": at})
        told = await asyncio.gather(
            *(self._asked(each, answered.get(tasks.get(each.id, ""), 0)) for each in interrupts), return_exceptions=True
        )
        answers = {
            each.id: said for each, said in zip(interrupts, told, strict=True) if not isinstance(said, BaseException)
        }
        if not answers:
            raise next(said for said in told if isinstance(said, BaseException))
        return answers

    async def _asked(self, interrupt: Foreign, nth: int) -> Foreign:
        """Asks people. An interrupt's id is that of its task, which may have several, one after another."""
        value = jsonable(interrupt.value)
        id = f"{interrupt.id}.{nth}.{digest_of(canonical(value)).hex()[:16]}"
        if isinstance(value, str) and value:
            return await self._ctx.interrupt(value, id=id)
        if isinstance(value, dict) and isinstance(value.get("question"), str):
            more = {name: each for name, each in value.items() if name in _ASKED}
            return await self._ctx.interrupt(value["question"], id=id, **more)
        return await self._ctx.interrupt(f"{self._ctx.agent} asks about {self._ctx.key}", shown=value, id=id)
