"""The organisations of all tenants in memory, and the way of a command to the law of one. `rules` are the newest rules
that every process of the home knows."""

from collections.abc import Callable
from typing import Any

from aob.core.organisation import commands as cmd
from aob.core.organisation import state as org
from aob.core.policy import Caller
from aob.core.rules import DECLARED_RULES, check_followed
from aob.journal import Decided, Journal, Stream
from aob.organisation.law import PREFIX


class Organisations:
    """What each tenant has declared. Shared by the verbs of topics, of agents and of the whole."""

    def __init__(self, journal: Journal, rules: Callable[[], int]) -> None:
        self._journal, self._rules = journal, rules
        self.partitions = journal.partitions

    def stream(self, tenant: str) -> Stream | None:
        """The stream of a tenant's organisation; None before the first event. Raises the error that makes it
        unknown."""
        self._journal.check()
        return self._journal.streams.get(PREFIX + tenant)

    @property
    def now_ms(self) -> int:
        """The time of the home."""
        return self._journal.now_ms

    def tenants(self) -> list[str]:
        """The tenants that have declared anything. Raises the error that makes it unknown."""
        self._journal.check()
        return [name.removeprefix(PREFIX) for name in self._journal.streams if name.startswith(PREFIX)]

    def of(self, tenant: str) -> org.Organisation:
        """What a tenant has declared, as it is decided. Raises the error that makes it unknown."""
        stream = self.stream(tenant)
        return stream.state if stream is not None else org.Organisation()

    async def settled(self, tenant: str) -> org.Organisation:
        """What a tenant has declared once all of it is durable, so that nothing is told that may be lost."""
        stream = self.stream(tenant)
        if stream is not None:
            await self._journal.settled(stream)
        return self.of(tenant)

    async def ask(self, who: Caller, asked: cmd.Command, reads: Callable[[org.Organisation], Any]) -> Decided:
        """Sends a command; `reads` makes `said` of the answer from the state right after it. Raises Conflict
        `members_differ` while a process of an older release, which knows no such stream, may come to own the shard."""
        check_followed(self._rules(), "what a tenant declares", DECLARED_RULES)
        return await self._journal.ask(PREFIX + who.tenant, asked, reads=lambda decided: reads(decided.stream.state))
