"""Caches outputs by all that they depend on: a job may reuse the output of the same work on the same input. Only for
work that is declared deterministic and without effect. A cache entry is metadata and a pointer; the value is a blob.
Missing, damaged or unreachable data is a miss, never an error."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final

import msgspec

from aob.core.errors import said
from aob.core.value import canonical
from aob.ports.logger import Logger
from aob.ports.workers import Done, Job
from aob.work.outcome import finished

if TYPE_CHECKING:
    from aob.ports.blobs import Blobs
    from aob.ports.cache import Cache
    from aob.work.facts import Facts

MEMO_VERSION: Final = 1  # increased when keys or entries change meaning: older entries are then misses

TTL_MS: Final = 30 * 86_400_000

READS: Final = frozenset({"read_only", "read_through"})
WRITES: Final = frozenset({"read_through", "write_only"})


class Entry(msgspec.Struct, frozen=True):
    """A cache entry: where the value is, and its origin."""

    digest: bytes
    size: int
    at_ms: int
    run: str
    visit: str
    work: str
    version: str


class MemoCounts(msgspec.Struct):
    """Counts since the start; `broken` are entries whose value is missing or damaged."""

    hits: int = 0
    misses: int = 0
    broken: int = 0
    kept: int = 0


class Memo:
    """The output cache of a home. `facts` gives the version of a handler."""

    def __init__(
        self,
        cache: "Cache",
        blobs: "Blobs",
        facts: "Facts",
        now_ms: Callable[[], int],
        *,
        ttl_ms: int = TTL_MS,
        log: Logger | None = None,
    ) -> None:
        self._cache, self._blobs, self._facts, self._now_ms = cache, blobs, facts, now_ms
        self._ttl_ms = ttl_ms
        self._log = log or Logger("aob.work")
        self.counts = MemoCounts()

    def serves(self, job: Job) -> bool:
        """Whether the job asks for caching, and may be cached."""
        spec = job.task.spec
        return spec.cache != "off" and spec.effect == "none" and bool(spec.deterministic)

    async def performed(self, job: Job, work: Callable[[], Coroutine[object, object, object]]) -> Done:
        """The cached output, or that of `work`, by the node's policy: `read_only` never writes, `read_through` writes
        after a miss, `write_only` never reads. Raises what `work` raises."""
        policy = job.task.spec.cache
        key = self.key(job)
        if policy in READS:
            data = await self._recall(job.tenant, key)
            if data is not None:
                self.counts.hits += 1
                return Done(data, memo=True)
            self.counts.misses += 1
        output = await work()
        done = output if isinstance(output, Done) else finished(output)
        if policy in WRITES:
            await self._keep(job, key, done)
        return done

    def key(self, job: Job) -> str:
        """The sha256 of all that an output depends on: tenant, kind, config, version of the code, input, and the rules
        for reading them."""
        version = self._version(job)
        node = job.task
        parts = [MEMO_VERSION, job.tenant, node.kind, version, node.config, job.has_input_map, job.input, node.rules]
        return hashlib.sha256(canonical(parts)).hexdigest()

    def _version(self, job: Job) -> str:
        facts = self._facts.of(job.tenant).get(getattr(job.task.config, "handler", ""))
        return facts.version if facts is not None else ""

    async def _recall(self, tenant: str, key: str) -> bytes | None:
        try:
            raw = await self._cache.get(tenant, key)
            if raw is None:
                return None
            entry = msgspec.msgpack.decode(raw, type=Entry)
            return await self._blobs.get(tenant, entry.digest)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a library's own error, too: anything unreachable is a miss
            self.counts.broken += 1
            self._log.info("memo_missed", key=key, reason=said(error))
            return None

    async def _keep(self, job: Job, key: str, done: Done) -> None:
        try:
            ref = await self._blobs.put(job.tenant, done.data)
            work = getattr(job.task.config, "handler", "") or job.task.kind
            entry = Entry(ref.digest, ref.size, self._now_ms(), job.run, job.visit, work, self._version(job))
            await self._cache.put(job.tenant, key, msgspec.msgpack.encode(entry), self._ttl_ms)
            self.counts.kept += 1
        except Exception as error:
            # The output is right whether it is cached or not.
            self._log.warning("memo_not_kept", key=key, reason=said(error))
