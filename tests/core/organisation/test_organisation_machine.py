"""The law of an organisation under a state machine: legal moves mostly, illegal ones on purpose, and after each of them
the state is what its events make of nothing, at any position."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aob.core.errors import CallerError
from aob.core.organisation import commands as cmd
from aob.core.organisation import events as ev
from aob.core.organisation import evolve
from aob.core.organisation.naming import namespace_of
from aob.core.organisation.parts import Definition, Topic, TopicSpec, Version
from tests.core.organisation.org_desk import HOUR, Desk, folded

NAMES = st.sampled_from(["orders", "acme.shop.a", "acme.shop.b", "acme.shop.c", "bad..name", "runs"])
AGENTS = st.sampled_from(["triage", "acme.shop.clerk", "acme.shop.helper"])
SPANS = st.sampled_from([0, 1, HOUR, 48 * HOUR])
SPECS = st.builds(
    TopicSpec, st.sampled_from(["ann", "bob"]), lives_ms=st.sampled_from([0, 0, 1, HOUR]),
    expires_at_ms=st.sampled_from([0, 0, 1, 10 * HOUR]),
)  # fmt: skip


class OrganisationMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.desk, self.versions = Desk(), dict[tuple[str, int], Version]()

    def ask(self, command: cmd.Command) -> None:
        before = dict(self.desk.state.topics)
        try:
            events = self.desk.ask(command)
        except CallerError:
            return
        if events and all(isinstance(each, ev.TopicRefused) for each in events):
            assert self.desk.state.topics == before, "a refused request changes nothing"
        for name in before.keys() - self.desk.state.topics.keys():
            assert any(isinstance(each, ev.TopicDeleted) and each.topic == name for each in events)
        assert isinstance(command, cmd.DeleteTopic | cmd.DeployAgent) or self.desk.ask(command) == [], (
            "the same again changes nothing"
        )

    @rule(name=NAMES, spec=SPECS)
    def request(self, name: str, spec: TopicSpec) -> None:
        before = self.desk.state.topics.get(name)
        self.desk.request(name, spec)
        after = self.desk.state.topics.get(name)
        assert before is None or after == before, "a request never changes what is declared"

    @rule(name=NAMES, spec=SPECS)
    def change(self, name: str, spec: TopicSpec) -> None:
        self.ask(cmd.ChangeTopic("ann", "", name, spec))

    @rule(name=NAMES, drain_ms=SPANS, keep_ms=SPANS)
    def delete(self, name: str, drain_ms: int, keep_ms: int) -> None:
        before = self.desk.state.topics.get(name)
        self.ask(cmd.DeleteTopic("ann", "", name, drain_ms, keep_ms))
        after = self.desk.state.topics.get(name)
        if before is not None and before.state != "active" and after is not None:
            assert after.until_ms <= end_of(before), "a deletion only becomes sooner"

    @rule(name=NAMES)
    def undelete(self, name: str) -> None:
        self.ask(cmd.RestoreTopic("ann", "", name))

    @rule(name=AGENTS, owner=st.sampled_from(["", "ann"]), handler=st.sampled_from("abc"), source=NAMES)
    def register(self, name: str, owner: str, handler: str, source: str) -> None:
        definition = Definition(handler=handler, consumes=(source,) if handler == "c" else ())
        self.ask(cmd.RegisterAgent("ann", "", name, owner, definition))

    @rule(name=AGENTS, version=st.integers(0, 3), slots=st.sampled_from([None, 0, 100, 5_000, 10_000]))
    def deploy(self, name: str, version: int, slots: int | None) -> None:
        self.ask(cmd.DeployAgent("ann", "", name, version, slots, "a", "b"))

    @rule(name=AGENTS)
    def roll_back(self, name: str) -> None:
        agent = self.desk.state.agents.get(name)
        try:
            self.desk.ask(cmd.RollBackAgent("ann", "", name))
        except CallerError:
            return
        assert agent is not None
        assert self.desk.state.agents[name].deployments == agent.deployments[:-1]

    @rule(name=AGENTS, command=st.sampled_from([cmd.PauseAgent, cmd.ResumeAgent, cmd.RetireAgent]))
    def turn(self, name: str, command: type[cmd.PauseAgent | cmd.ResumeAgent | cmd.RetireAgent]) -> None:
        self.ask(command("ann", "", name))

    @rule(name=AGENTS, instances=st.integers(0, 4))
    def scale(self, name: str, instances: int) -> None:
        before = self.desk.state.agents.get(name)
        self.ask(cmd.ScaleAgent("ann", "", name, instances))
        if before is not None and before.instances < self.desk.state.agents[name].instances:
            quota = self.desk.state.namespace(namespace_of(name)).instances
            living = [each for each in self.desk.state.agents.values() if not each.retired]
            assert sum(each.instances for each in living if namespace_of(each.name) == namespace_of(name)) <= quota

    @rule(topics=st.none() | st.integers(0, 3))
    def quota(self, topics: int | None) -> None:
        self.ask(cmd.SetNamespace("root", "", "acme.shop", topics=topics, agents=topics, instances=topics))

    @rule(name=NAMES)
    def ring_too_early_or_twice(self, name: str) -> None:
        topic = self.desk.state.topics.get(name)
        events = self.desk.ask(cmd.PassTopic(name))
        assert not events or (topic is not None and 0 < topic.due_ms <= self.desk.now_ms)

    @rule(ms=SPANS)
    def time_passes(self, ms: int) -> None:
        self.desk.after(ms)

    @invariant()
    def every_prefix_folds_to_what_was(self) -> None:
        events, state = self.desk.events, self.desk.state
        assert folded(events) == state
        assert evolve(folded(events[: len(events) // 2]), events[len(events) // 2 :]) == state

    @invariant()
    def versions_never_change(self) -> None:
        for agent in self.desk.state.agents.values():
            assert [each.number for each in agent.versions] == list(range(1, len(agent.versions) + 1))
            for each in agent.versions:
                assert self.versions.setdefault((agent.name, each.number), each) == each
            assert agent.deployment.versions() <= {each.number for each in agent.versions}
            assert agent.deployment.shares[-1].end == 10_000
        assert self.versions.keys() == {(a.name, v.number) for a in self.desk.state.agents.values() for v in a.versions}

    @invariant()
    def what_is_there_is_whole(self) -> None:
        state = self.desk.state
        for name, topic in state.topics.items():
            assert topic.name == name
            assert topic.state == "active" or topic.until_ms > 0
            namespace = namespace_of(name)
            assert namespace == "default" or namespace in state.namespaces


def end_of(topic: Topic) -> int:
    """When a topic that goes is gone at the latest."""
    return topic.until_ms + (topic.keep_ms if topic.state == "draining" else 0)


OrganisationMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestOrganisation = OrganisationMachine.TestCase
