"""Agents of every tenant: registrations and deployments are decided by the law of its organisation, reads come from
memory. Nothing about how well an agent is is kept here."""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

import msgspec

from aob.core.errors import Invalid, Problem
from aob.core.organisation import answers, names, overview, version_of
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation import state as org
from aob.core.policy import Caller
from aob.core.serving import Ranking, Thing
from aob.core.verb import performs
from aob.core.verbs.organisation import agent_verbs as verbs
from aob.organisation.organisations import Organisations

INDEXES_MAX: Final = 64  # tenants whose agents are indexed in memory for a search

Types = Callable[[str], Collection[str]]
"""The types of event that the gate of a tenant knows."""


class _Index(NamedTuple):
    """The agents of a tenant by what they can do, as of a number of events."""

    seq: int
    ranking: Ranking


class Agents:
    """The verbs of agents."""

    def __init__(self, organisations: Organisations, types: Types) -> None:
        self._tenants, self._types = organisations, types
        self._indexes: dict[str, _Index] = {}

    @performs(verbs.REGISTER)
    async def register_agent(self, who: Caller, args: verbs.RegisterAgent) -> answers.AgentRegistered:
        """Register an agent or its next version. Raises Invalid `unknown_source`, Conflict, TooLarge `quota`."""
        definition, known = args.definition(), self._types(who.tenant)
        types = tuple(name for name in definition.consumes if name in known)
        asked = cmd.RegisterAgent(who.name, who.id, args.agent, args.owner, definition, types)
        decided = await self._tenants.ask(who, asked, _agent(args.agent))
        agent: org.Agent = decided.said
        number = next(each.number for each in agent.versions if each.definition == definition)
        created = any(isinstance(event, ev.AgentRegistered) for event in decided.events)
        return {**overview.agent_row(agent), "registered": number, "created": created}

    @performs(verbs.LIST)
    async def agents(self, who: Caller, args: verbs.ListAgents) -> answers.AgentList:
        """A page of agents, by name."""
        state = await self._tenants.settled(who.tenant)
        found = [
            agent for name, agent in sorted(state.agents.items())
            if name > args.after and args.state in ("", overview.state_of(agent)) and args.owner in ("", agent.owner)
            and args.namespace in ("", names.namespace_of(name))
        ]  # fmt: skip
        page = found[: args.limit]
        return {
            "agents": [overview.agent_row(each) for each in page],
            "next": page[-1].name if len(found) > len(page) else None,
        }

    @performs(verbs.SHOW)
    async def agent(self, who: Caller, args: verbs.ShowAgent) -> answers.AgentView:
        """One agent with its versions. Raises NotFound."""
        agent = (await self._tenants.settled(who.tenant)).agent(args.agent)
        shown = agent.version(args.version)
        return {
            **overview.agent_row(agent), **_key(agent, args.key),
            "definition": msgspec.structs.asdict(shown.definition),
            "definition_of": shown.number,
            "versions": [{"version": each.number, "by": each.by, "at": each.at_ms} for each in agent.versions],
            "created_by": agent.created_by, "created_at": agent.created_ms,
        }  # fmt: skip

    @performs(verbs.FIND)
    async def find_agents(self, who: Caller, args: verbs.FindAgents) -> answers.AgentHits:
        """Agents by what they can do."""
        state = await self._tenants.settled(who.tenant)
        hits = self._index(who.tenant, state).find(args.words, limit=args.limit)
        return {"agents": [_hit(state.agents[thing.name], score, snippet) for thing, score, snippet in hits]}

    @performs(verbs.DEPLOY)
    async def deploy_agent(self, who: Caller, args: verbs.DeployAgent) -> answers.AgentRow:
        """Give a version keys. Raises NotFound, Conflict, Invalid, TooLarge."""
        ranged = bool(args.first or args.end)
        if ranged and args.percent is not None:
            raise Invalid("say a share or a range, not both", [Problem("/percent", "stands beside first or end")])
        slots = None if ranged else round((100 if args.percent is None else args.percent) * overview.PERCENT)
        return await self._changed(
            who, cmd.DeployAgent(who.name, who.id, args.agent, args.version, slots, args.first, args.end, args.reason)
        )

    @performs(verbs.ROLL_BACK)
    async def rollback_agent(self, who: Caller, args: verbs.AgentAndWhy) -> answers.AgentRow:
        """Restore the deployment before. Raises NotFound, Conflict `nothing_before`."""
        return await self._changed(who, cmd.RollBackAgent(who.name, who.id, args.agent, args.reason))

    @performs(verbs.SCALE)
    async def scale_agent(self, who: Caller, args: verbs.ScaleAgent) -> answers.AgentRow:
        """Set the number of instances. Raises NotFound, Conflict, TooLarge `quota`."""
        return await self._changed(who, cmd.ScaleAgent(who.name, who.id, args.agent, args.instances))

    @performs(verbs.PAUSE)
    async def pause_agent(self, who: Caller, args: verbs.AgentAndWhy) -> answers.AgentRow:
        """Pause an agent. Raises NotFound, Conflict."""
        return await self._changed(who, cmd.PauseAgent(who.name, who.id, args.agent, args.reason))

    @performs(verbs.RESUME)
    async def resume_agent(self, who: Caller, args: verbs.NamedAgent) -> answers.AgentRow:
        """Resume an agent. Raises NotFound, Conflict."""
        return await self._changed(who, cmd.ResumeAgent(who.name, who.id, args.agent))

    @performs(verbs.RETIRE)
    async def retire_agent(self, who: Caller, args: verbs.AgentAndWhy) -> answers.AgentRow:
        """Retire an agent. Raises NotFound."""
        return await self._changed(who, cmd.RetireAgent(who.name, who.id, args.agent, args.reason))

    async def _changed(self, who: Caller, asked: cmd.AgentCommand) -> answers.AgentRow:
        return overview.agent_row((await self._tenants.ask(who, asked, _agent(asked.agent))).said)

    def _index(self, tenant: str, state: org.Organisation) -> Ranking:
        """The agents of a tenant by their words, made anew when something has changed."""
        stream = self._tenants.stream(tenant)
        seq = stream.seq if stream is not None else 0
        known = self._indexes.pop(tenant, None)
        if known is None or known.seq != seq:
            known = _Index(seq, Ranking(_thing(agent) for agent in state.agents.values() if not agent.retired))
        self._indexes[tenant] = known
        if len(self._indexes) > INDEXES_MAX:
            del self._indexes[next(iter(self._indexes))]
        return known.ranking


def _key(agent: org.Agent, key: str | None) -> answers.KeyVersion:
    """The version that a key belongs to, where one is asked for."""
    return {} if key is None else {"key": key, "key_version": version_of(agent.deployment, agent.name, key)}


def _hit(agent: org.Agent, score: float, snippet: str) -> answers.AgentHit:
    return {
        "agent": agent.name, "score": score, "snippet": snippet, "state": overview.state_of(agent),
        "capabilities": list(agent.newest.definition.capabilities),
    }  # fmt: skip


def _thing(agent: org.Agent) -> Thing:
    can = agent.newest.definition
    text = " ".join((can.description, *can.consumes, *can.produces))
    return Thing("agent", agent.name, "; ".join(can.capabilities), text, f"/v1/agents/{agent.name}")


def _agent(name: str) -> Callable[[org.Organisation], org.Agent]:
    return lambda state: state.agents[name]
