"""The topics of seed 002 as doors: agents that read `task-requests` and `plan-requests`, check each request and ask for
what it says, as a call does."""

import asyncio
from typing import Final

from msgspec import structs

from aob.core.agent_name import work_stream
from aob.core.answers import JsonObject
from aob.core.errors import Busy, CallerError, Unavailable
from aob.core.task import Kind, plans, requests, tasks
from aob.core.task import commands as cmd
from aob.core.task import messages as msg
from aob.journal import Journal
from aob.ports.store import AWAY, AWAY_AGAIN_S
from aob.work import WorkError
from aob.work.topic_agents import Agent, Collecting, Received, agent, scan_agents

ATTEMPTS: Final = 10


def request_agents(journal: Journal | None) -> dict[str, Agent]:
    """The agents on the topics of requests, by name: their dead letters are the requests that are refused."""
    found = scan_agents(_reader("task", journal), _reader("plan", journal))
    return {name: structs.replace(each, at_home=True) for name, each in found.items()}


def _reader(kind: Kind, journal: Journal | None) -> object:
    topic, results = msg.REQUESTS[kind], msg.RESULTS[kind]

    @agent(
        consumes=[topic],
        produces=[topic, results],
        name=topic,
        attempts=ATTEMPTS,
        capabilities=[f"takes requests for {kind}s"],
    )
    async def received(record: Received, ctx: Collecting) -> None:
        assert journal is not None
        try:
            request = requests.read_request(kind, record.data)
            if ctx.key != request.id:  # to where its id belongs
                ctx.emit(topic, record.type, record.data, subject=request.id)
                return
            depth = record.depth + 1
            command = cmd.Submit(request, record.source, record.correlationid or record.id, depth)
            state = await _submitted(journal, kind, ctx.tenant, request, command)
        except CallerError as error:
            detail = [str(each) for each in getattr(error, "problems", ())] or None
            raise WorkError(error.detail, code=error.code, transient=False, detail=detail) from error
        if state is not None:
            ctx.emit(results, f"{kind}.result", state, subject=request.id)

    return received


async def _submitted(
    journal: Journal, kind: Kind, tenant: str, request: requests.Request, command: cmd.Submit
) -> JsonObject | None:
    """Asks for it; returns the result again if it was asked for before and has ended. Waits while the store is away."""
    stream = work_stream(kind, tenant, request.id)
    while True:
        try:
            decided = await journal.ask(stream, command, reads=lambda now: _again(now.stream.state))
            again: JsonObject | None = None if decided.events else decided.said
            return again
        except Busy as busy:
            await asyncio.sleep(busy.retry_after_s)
        except Unavailable as error:
            if error.code not in AWAY or not await journal.mended():
                raise
            await asyncio.sleep(AWAY_AGAIN_S)


def _again(state: tasks.Task | plans.Plan) -> JsonObject | None:
    return state.result() if state.final else None
