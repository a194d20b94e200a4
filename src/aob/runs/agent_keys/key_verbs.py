"""Keys of agents as people see and steer them, on the shard that has them."""

from typing import Final

from aob.core.agent import Key
from aob.core.agent import keys as the
from aob.core.agent.record import commands as cmd
from aob.core.agent.shown import AgentKeyList, AgentKeyRow, AgentKeyView, key_view
from aob.core.agent_name import agent_key_of, agent_stream
from aob.core.errors import Invalid, NotFound
from aob.core.event import partition_of
from aob.core.policy import Caller
from aob.core.verb import performs
from aob.core.verbs.organisation import agent_key_verbs as verbs
from aob.ports.store import HeadQuery
from aob.runs.core import Core

HELD: Final = (the.PAUSE, the.POISON, the.BUDGET)
"""Holds that a person may end."""


class AgentKeys:
    """Verbs of keys. `core` is the shard."""

    core: Core

    @performs(verbs.KEYS)
    async def agent_keys(self, who: Caller, args: verbs.ListKeys) -> AgentKeyList:
        """A page of keys, by name, the last one first."""
        before = (0, agent_stream(who.tenant, args.agent, args.before)) if args.before else None
        found = await self.core.store.heads(
            HeadQuery("agent", who.tenant, args.status.upper(), args.agent, before, args.limit + 1)
        )  # fmt: skip
        shown = [head for head in found if not self.core.journal.foreign or self._here(head.stream)]
        rows: list[AgentKeyRow] = [
            {"key": agent_key_of(each.stream), "status": each.status, "reason": each.reason}
            for each in shown[: args.limit]
        ]
        return {"keys": rows, "next": rows[-1]["key"] if len(found) > args.limit and rows else None}

    def _here(self, stream: str) -> bool:
        return partition_of(stream, self.core.journal.partitions) not in self.core.journal.foreign

    @performs(verbs.KEY)
    async def agent_key(self, who: Caller, args: verbs.ShowKey) -> AgentKeyView:
        """One key. Raises NotFound `key_not_found`."""
        return key_view(await self._key(who, args.agent, args.key))

    @performs(verbs.STEER)
    async def steer_key(self, who: Caller, args: verbs.SteerKey) -> AgentKeyView:
        """Holds or frees a key, gives up a record of it, or replays a dead letter. Raises NotFound `key_not_found`
        `not_in_hand` `not_dead`, Conflict `not_held`, Busy."""
        key = await self._key(who, args.agent, args.key)
        decided = None
        for command in _commands(key, who, args):
            decided = await self.core.journal.ask(key.name, command, reads=lambda now: key_view(now.stream.state))
        assert decided is not None
        told: AgentKeyView = decided.said
        return told

    async def _key(self, who: Caller, agent: str, name: str) -> Key:
        stream = await self.core.journal.load(agent_stream(who.tenant, agent, name))
        if stream is None or not stream.seq:
            raise NotFound(f"{agent} has had no record of {name!r}", code="key_not_found",
                           hint=f"aob agent keys {agent} lists those it knows")  # fmt: skip
        await self.core.journal.settled(stream)
        key: Key = stream.state
        return key


def _commands(key: Key, who: Caller, args: verbs.SteerKey) -> list[cmd.KeyCommand]:
    by = who.name
    if args.act == "hold":
        return [cmd.Hold(by)]
    if args.act == "free":
        held = [reason for reason in HELD if reason in key.holds]
        return [cmd.Free(reason, by, args.again) for reason in held] or [cmd.Free(the.PAUSE, by)]
    if not args.visit and (args.act == "replay" or key.open is None):
        raise Invalid(f"say which record to {args.act}: its visit", hint=f"aob agent key {args.agent} {args.key}")
    if args.act == "cancel":
        return [cmd.Cancel(args.visit or (key.open.visit if key.open is not None else ""), by, args.reason)]
    return [cmd.Replay(args.visit, by)]
