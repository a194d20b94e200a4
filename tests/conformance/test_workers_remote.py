"""Workers of other processes against the one suite of `Workers`, over a real gRPC connection."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aob.core.policy import LOCAL, Caller
from aob.core.value import Ref
from aob.ports.workers import Job, Lane, Report, Result, Workers
from aob.server.workers import Door, listening
from aob.testing.conformance.workers import Perform, WorkersSuite
from aob.work import Facts
from aob.work.remote import Guard, Hub, RemoteWorkers, Requests, Sending
from tests.workers.client import Client, Ctx

KEY = "a-key-of-a-worker"


class Keys:
    """One key."""

    def authenticate(self, secret: str) -> Caller | None:
        return Caller("acme", "worker", frozenset({"work"}), "key_1") if secret == KEY else None

    def holder(self, key_id: str) -> Caller | None:
        return self.authenticate(KEY)


class Owner:
    """Hears the reports."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.guard = Guard(self.context, lambda job: None)
        self.hub: Hub | None = None

    def report(self, job: Job, result: Result) -> None:
        """As a journal whose commit follows at once."""
        assert self.hub is not None
        try:
            self._report(job, result)
        finally:
            self.hub.committed(job.run, [job.visit])

    def context(self, job: Job) -> Any:
        raise AssertionError("nothing is asked")

    def stands(self, run: str, visit: str, attempt: int, tenant: str) -> bool:
        return False

    def lane_of(self, job: Job) -> Lane:
        return Lane(job.task.config.handler)

    async def pin(self, job: Job, build: str) -> None:
        raise AssertionError("nothing is pinned")

    def look(self) -> None:
        pass

    def parked(self) -> list[Any]:
        return []


class TestRemoteWorkers(WorkersSuite):
    """One worker over a connection."""

    @pytest.fixture(autouse=True)
    async def stack(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as self._stack:
            yield

    async def make(self, perform: Perform, report: Report) -> Workers:
        async def put(tenant: str, data: bytes) -> Ref:
            raise AssertionError("nothing is large")

        async def fetch(tenant: str, digest: bytes) -> bytes:
            raise AssertionError("nothing is large")

        owner = Owner(report)
        hub = owner.hub = Hub(Sending(put, lambda work: None), Facts({}))
        self._stack.callback(hub.stop)
        requests = Requests(hub, fetch, put)
        self._stack.push_async_callback(requests.stop)
        where = await self._stack.enter_async_context(listening(Door(hub, requests, [Keys()]), "127.0.0.1", 0))

        async def performed(job: Job, ctx: Ctx) -> object:
            return await perform(job)

        await self._stack.enter_async_context(Client(where.address, KEY, performed))
        assert LOCAL.may("work")
        return RemoteWorkers(hub, owner)
