"""Verbs of workers of other processes: who they are, which builds they have, and to which one a run is pinned."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.errors import Conflict
from aob.core.hint import nearest
from aob.core.policy import Caller
from aob.core.run.record import commands as cmd
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs, run_verbs
from aob.ports.store import HeadQuery
from aob.runs.core import Core

PAGE: Final = 500
LIVE: Final = ("RUNNING", "WAITING")


class Fleet:
    """Verbs over the workers that one core gives jobs to."""

    core: Core

    @performs(key_verbs.WORKERS)
    async def workers(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The workers of the tenant."""
        return self._workers(who.tenant)

    def _workers(self, tenant: str) -> list[JsonObject]:
        elsewhere = self.core.dispatch.queue.elsewhere
        return elsewhere.told(tenant) if elsewhere is not None else []

    @performs(key_verbs.BUILDS)
    async def builds(self, who: Caller, args: NoArgs) -> list[JsonObject]:
        """The builds of workers and of live runs, by name."""
        runs = await self._pinned(who.tenant)
        workers = self._workers(who.tenant)
        names = sorted(runs.keys() | {each["build"] for each in workers if each["build"]})
        found: list[JsonObject] = []
        for name in names:
            mine = [each for each in workers if each["build"] == name]
            handlers = sorted({handler for each in mine for handler in each["handlers"]})
            found.append({"build": name, "workers": len(mine), "handlers": handlers, "runs": runs[name]})
        return found

    async def _pinned(self, tenant: str) -> Counter[str]:
        """How many live runs are pinned to each build."""
        runs = Counter[str]()
        for status in LIVE:
            before, size = None, PAGE
            while size == PAGE:
                page = await self.core.store.heads(HeadQuery("run", tenant, status, "", before, PAGE))
                size = len(page)
                for head in page:
                    before = (head.started_ms, head.stream)
                    if b'"build"' in head.info and (build := msgspec.json.decode(head.info).get("build")):
                        runs[build] += 1
        return runs

    @performs(run_verbs.REPIN)
    async def repin(self, who: Caller, args: run_verbs.RepinRun) -> JsonObject:
        """Pin a run to another build. Raises Conflict for a build that no worker has."""
        stream = await self.core.stream(who, args.run_id)
        known = sorted({each["build"] for each in self._workers(who.tenant) if each["build"]})
        was = stream.state.build
        if args.build not in known and args.build != was:
            meant = nearest(args.build, known)
            hint = f"did you mean {meant}?" if meant else f"builds here: {', '.join(known[:10]) or 'none'}"
            raise Conflict(f"no worker has the build {args.build!r}", code="build_not_found", hint=hint)
        decided = await self.core.journal.ask(args.run_id, cmd.Repin(args.build, who.name))
        self.core.dispatch.queue.relane(decided.stream)
        return {"run_id": args.run_id, "build": args.build, "was": was}


def joined(answers: Iterable[list[JsonObject]], names: Sequence[str], sums: Sequence[str] = ()) -> list[JsonObject]:
    """The rows of several shards, one for each value of `names`. What shards tell of one process is the same in each;
    `sums` are added."""
    found: dict[tuple[Any, ...], JsonObject] = {}
    for row in chain.from_iterable(answers):
        known = found.setdefault(tuple(row[name] for name in names), row)
        if known is not row:
            known.update({name: known[name] + row[name] for name in sums})
    return [found[key] for key in sorted(found)]
