"""What workers say on their streams: each item of a frame goes to the leases, or becomes a request to the run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias

from aob.core.errors import AobError, CallerError, NotFound
from aob.core.problem import outward
from aob.core.value import Ref, canonical, decode
from aob.ports.logger import Logger
from aob.ports.workers import Done, Fault, Result
from aob.rpc import VALUE_MAX
from aob.rpc import worker_pb2 as pb
from aob.work.job import Intended, WorkError
from aob.work.outcome import OUTPUT_MAX
from aob.work.remote.jobs import done_of, fault_of_item, ref_item, spent
from aob.work.remote.lease import Lease
from aob.work.remote.worker import Worker
from aob.work.remote.workers import Hub

REQUESTS_MAX: Final = 2_000  # of one worker at a time
FETCHES_MAX: Final = 16  # stored values that are read for results at a time
KIND_MAX: Final = 200
REASON_MAX: Final = 10_000
GONE: Final = "token_gone"
BROKE: Final = "request_broke"
NOT_STORED: Final = Fault("output_not_stored", "the output is not among the blobs", True)
log: Final = Logger("aob.work")
Item: TypeAlias = Any  # a message of protobuf with run, visit and attempt; those of requests have `ask` too
Fetch = Callable[[str, bytes], Awaitable[bytes]]
Does = Callable[[Lease, Item], Coroutine[object, object, pb.ServerItem]]


class Requests:
    """Reads the frames of workers. `fetch` reads a stored value of a tenant, `put` stores one."""

    def __init__(
        self, workers: Hub, fetch: Fetch, put: Callable[[str, bytes], Awaitable[Ref]]
    ) -> None:  # fmt: skip
        self._workers, self._fetch, self._put = workers, fetch, put
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._open: dict[str, int] = {}
        self._reading: set[Lease] = set()  # leases whose stored result is being read
        self._fetches = asyncio.Semaphore(FETCHES_MAX)
        self._takes: dict[str, Callable[[Worker, Item], None]] = {
            "want": lambda worker, item: workers.wants(worker, item.jobs),
            "decline": lambda worker, item: workers.declined(worker, (item.run, item.visit), item.attempt),
            "done": self._done,
            "fail": self._fail,
            "beat": self._beat,
            "intend": partial(self._ask, self._intend),
            "settle": partial(self._ask, self._settle),
            "propose": partial(self._ask, self._propose),
            "graph": partial(self._ask, self._graph),
            "call": partial(self._ask, self._call),
            "log": self._log,
            "draining": lambda worker, item: workers.drains(worker),
        }

    def take(self, worker: Worker, frame: pb.WorkerFrame) -> None:
        """One frame. Raises CallerError for an item that cannot be."""
        worker.seen_s = self._workers.clock().time()
        takes = self._takes
        for item in frame.items:
            what = item.WhichOneof("item")
            if what is None or what not in takes:
                raise CallerError(f"an item is {what or 'empty'}", code="worker_frame")
            takes[what](worker, getattr(item, what))

    async def stop(self) -> None:
        """End what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- reports ----------------------------------------------------------------------------------------------------

    def _done(self, worker: Worker, item: pb.Done) -> None:
        if not item.HasField("ref"):
            self._reported(worker, item, _result_of(worker, item, item.output))
            return
        lease = self._lease(worker, item)
        if lease is None:
            self._reported(worker, item, NOT_STORED)
        elif lease not in self._reading:  # a repeat is not read beside the first
            self._reading.add(lease)
            self._begin(worker, self._done_of(worker, lease, item))

    async def _done_of(self, worker: Worker, lease: Lease, item: pb.Done) -> None:
        result: Result = NOT_STORED
        try:
            async with self._fetches:
                result = _result_of(worker, item, await self._value(lease, b"", item))
            if isinstance(result, Done) and len(result.data) == item.ref.size:
                result.ref = Ref(item.ref.sha256, item.ref.size)
        except AobError as error:
            log.warning("output_not_stored", worker=worker.id, run=lease.job.run, code=error.code, detail=error.detail)
            result = Fault("output_not_stored", outward(error).detail, True, {"code": error.code})
        finally:
            self._reading.discard(lease)
        self._reported(worker, item, result)

    def _reported(self, worker: Worker, item: pb.Done, result: Result) -> None:
        self._workers.reported(worker, (item.run, item.visit), item.attempt, result, False)

    def _fail(self, worker: Worker, item: pb.Fail) -> None:
        fault = fault_of_item(item)
        self._workers.reported(worker, (item.run, item.visit), item.attempt, fault, item.unexpected)

    def _log(self, worker: Worker, item: pb.Log) -> None:
        lease = self._lease(worker, item)
        if lease is None:
            return
        try:
            fields = decode(item.fields) if item.fields else {}
        except (ValueError, RecursionError):
            fields = {"fields": item.fields[:200].decode("utf-8", "replace")}
        named = fields if isinstance(fields, dict) else {"fields": fields}
        # Its first parameter takes no name, so that a field may be called `message`.
        self._context_of(lease).log(item.message, **named)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _beat(self, worker: Worker, item: pb.Beat) -> None:
        lease = self._lease(worker, item)
        if lease is not None:
            lease.beat()
        if item.ask:
            self._ask(self._save, worker, item)

    def _ask(self, does: Does, worker: Worker, item: Item) -> None:
        lease = self._lease(worker, item)
        if lease is None:
            self._refuses(worker, _refused(item, GONE, "this attempt is not here"))
        elif self._open.get(worker.id, 0) >= REQUESTS_MAX:
            self._answer(worker, _refused(item, "too_many_requests", f"{REQUESTS_MAX} requests wait for an answer"))
        else:
            lease.beat()
            self._begin(worker, self._asked(does, worker, lease, item))

    def _begin(self, worker: Worker, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="aob-request")
        self._tasks[task] = worker.id
        self._open[worker.id] = self._open.get(worker.id, 0) + 1
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        id = self._tasks.pop(task)
        self._open[id] -= 1
        if not self._open[id]:
            del self._open[id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("request_broke", worker=id, exc_info=error)

    async def _asked(
        self,
        does: Does,
        worker: Worker,
        lease: Lease,
        item: Item,
    ) -> None:
        try:
            answer = await does(lease, item)
            lease.beat()
        except asyncio.CancelledError:  # the token is gone
            answer = _refused(item, GONE, f"{item.visit} may not act any more")
        except WorkError as error:
            fault = error.fault
            answer = _refused(item, fault.code, fault.message, permanent=not fault.transient)
        except AobError as error:
            told = outward(error)
            answer = _refused(item, error.code, told.detail, told.hint, isinstance(error, CallerError))
        except (ValueError, RecursionError) as error:
            answer = _refused(item, "bad_json", f"a value is no JSON: {error}", permanent=True)
        except Exception as error:
            log.error("request_broke", worker=worker.id, run=item.run, visit=item.visit, exc_info=error)
            answer = _refused(item, BROKE, "something broke on our side")
        self._refuses(self._workers.workers.get(worker.id, worker), answer)

    def _refuses(self, worker: Worker, answer: pb.ServerItem) -> None:
        """As `_answer`. A request of a run that goes to another owner is not refused: that one is asked the same."""
        if answer.WhichOneof("item") != "refused" or self._workers.owns(answer.refused.run):
            self._answer(worker, answer)

    def _answer(self, worker: Worker, answer: pb.ServerItem) -> None:
        if worker.line is not None:
            worker.line.put(answer)

    async def _save(self, lease: Lease, item: pb.Beat) -> pb.ServerItem:
        checkpoint = decode(await self._value(lease, item.checkpoint, item))
        await self._context_of(lease).heartbeat(checkpoint)
        return _recorded(item)

    async def _intend(self, lease: Lease, item: pb.Intend) -> pb.ServerItem:
        what = decode(item.what)
        if not isinstance(what, dict) or not item.kind or len(item.kind) > KIND_MAX or not item.count:
            raise CallerError("an intent has a kind, an object and a count from 1", code="bad_intent")
        intended: Intended = await self._context_of(lease).intend(item.kind, what, counted=item.count)
        if intended.granted:
            return pb.ServerItem(granted=pb.Granted(
                run=item.run, visit=item.visit, attempt=item.attempt, ask=item.ask, number=intended.number
            ))  # fmt: skip
        answer = _recorded(item, intended.number)
        await self._fill(lease.tenant, answer.recorded, "result", canonical(intended.recorded))
        return answer

    async def _settle(self, lease: Lease, item: pb.Settle) -> pb.ServerItem:
        result = decode(await self._value(lease, item.result, item))
        usage = decode(item.usage) if item.usage else None
        if usage is not None and not isinstance(usage, dict):
            raise CallerError("usage is an object", code="bad_usage")
        error = None
        if item.failed:
            said = result if isinstance(result, dict) else {}
            error = Fault(
                str(said.get("code", "failed")), str(said.get("message", "")), bool(said.get("transient", True)),
                said.get("detail"),
            )  # fmt: skip
        intent = Intended(True, None, item.number)
        await self._context_of(lease).settle(result, intent=intent, error=error, usage=usage)
        return _recorded(item, item.number)

    async def _propose(self, lease: Lease, item: pb.Propose) -> pb.ServerItem:
        operations = decode(item.operations)
        if not isinstance(operations, list) or not item.number:
            raise CallerError("a patch is a list of operations, and has a number from 1", code="bad_patch")
        told = await self._context_of(lease).propose(operations, item.reason[:REASON_MAX], counted=item.number)
        return await self._told(lease, item, canonical(told))

    async def _graph(self, lease: Lease, item: pb.Graph) -> pb.ServerItem:
        return await self._told(lease, item, canonical(await self._context_of(lease).graph()))

    async def _call(self, lease: Lease, item: pb.Call) -> pb.ServerItem:
        args = decode(item.args) if item.args else {}
        call = getattr(self._context_of(lease), "call", None)
        if not isinstance(args, dict) or not item.count or call is None:
            raise CallerError("an agent calls by name, with an object of arguments and a count from 1", code="bad_call")
        return await self._told(lease, item, canonical(await call(item.name, args, item.count)))

    # -- values -----------------------------------------------------------------------------------------------------

    async def _told(self, lease: Lease, item: Item, data: bytes) -> pb.ServerItem:
        told = pb.Answer(run=item.run, visit=item.visit, attempt=item.attempt, ask=item.ask)
        await self._fill(lease.tenant, told, "value", data)
        return pb.ServerItem(answer=told)

    async def _fill(self, tenant: str, item: Item, name: str, data: bytes) -> None:
        if len(data) > VALUE_MAX:
            item.ref.CopyFrom(ref_item(await self._put(tenant, data)))
        else:
            setattr(item, name, data)

    async def _value(self, lease: Lease, data: bytes, item: Item) -> bytes:
        """A value that a worker sends, or has put among the blobs."""
        if not item.HasField("ref"):
            return data or b"null"
        if item.ref.size > OUTPUT_MAX or len(item.ref.sha256) != 32:  # a sha256
            raise CallerError(f"a value has at most {OUTPUT_MAX} bytes", code="output_too_large")
        try:
            return await self._fetch(lease.tenant, item.ref.sha256)
        except KeyError as error:
            raise NotFound("the value is not among the blobs", code="blob_not_found") from error

    def _lease(self, worker: Worker, item: Item) -> Lease | None:
        lease = worker.leases.get((item.run, item.visit))
        if lease is None or lease.job.attempt != item.attempt:
            return None
        lease.begun = True
        return lease

    def _context_of(self, lease: Lease) -> Item:
        if lease.ctx is None:
            lease.ctx = lease.owner.guard.context(lease.job)
        return lease.ctx


def _recorded(item: Item, number: int = 0) -> pb.ServerItem:
    return pb.ServerItem(recorded=pb.Recorded(
        run=item.run, visit=item.visit, attempt=item.attempt, ask=item.ask, number=number
    ))  # fmt: skip


def _result_of(worker: Worker, item: pb.Done, output: bytes) -> Result:
    """What a worker reports; one that performs built-in kinds says what they have used, too."""
    result = done_of(output, item.took_us)
    return spent(result, item) if worker.offers else result


def _refused(item: Item, code: str, message: str, hint: str = "", permanent: bool = False) -> pb.ServerItem:
    return pb.ServerItem(refused=pb.Refused(
        run=item.run, visit=item.visit, attempt=item.attempt, ask=item.ask, code=code, message=message, hint=hint,
        permanent=permanent,
    ))  # fmt: skip
