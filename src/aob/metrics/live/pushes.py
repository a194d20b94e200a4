"""Pushes between two instants, newest first: of contracts, schemas, workflows and default versions, with author and
time."""

from collections.abc import Callable, Iterator

from aob.core.errors import Invalid, Problem
from aob.core.metric_answers import Push, Pushes
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs import metric_verbs as verbs
from aob.metrics.contracts import Contracts, Declared, Defaulted, Registered


class PushLog:
    """The verb `pushes`. `workflows` lists the pushes of a tenant's workflows."""

    def __init__(self, contracts: Contracts, workflows: Callable[[str], Iterator[Push]]) -> None:
        self._contracts, self._workflows = contracts, workflows

    @performs(verbs.PUSHES)
    async def pushes(self, who: Caller, args: verbs.ListPushes) -> Pushes:
        """Pushes after `since_ms` up to `until_ms`."""
        since_ms, until_ms, limit = args.since_ms, args.until_ms, args.limit
        if until_ms <= since_ms:
            raise Invalid("the span is empty", [Problem("?to", "is not after `from`", "bad_span")])
        found = [
            push
            for push in (*self._of_contracts(who.tenant), *self._workflows(who.tenant))
            if since_ms < push["at"] <= until_ms
        ]
        found.sort(key=lambda push: (-push["at"], push["kind"], push["name"]))
        return {"since": since_ms, "until": until_ms, "pushes": found[:limit], "truncated": len(found) > limit}

    def _of_contracts(self, tenant: str) -> Iterator[Push]:
        for each in self._contracts.history(tenant):
            if isinstance(each, Declared):
                for label in each.names:
                    kind, _, name = label.partition(" ")
                    name, _, version = name.rpartition("@")
                    yield {"kind": kind, "name": name, "version": version, "by": each.by, "at": each.at_ms}
            elif isinstance(each, Registered):
                yield {"kind": "schema", "name": each.subject, "version": str(each.version), "by": each.by,
                       "at": each.at_ms}  # fmt: skip
            elif isinstance(each, Defaulted):
                yield {"kind": "default", "name": each.event, "version": str(each.version), "by": each.by,
                       "at": each.at_ms}  # fmt: skip
