"""Decides commands to an organisation. Pure; a refused command changes nothing."""

from aob.core.organisation import agents, topics
from aob.core.organisation import command as cmd
from aob.core.organisation import event as ev
from aob.core.organisation.parts import Organisation


def decide(state: Organisation, command: cmd.Command, now_ms: int) -> list[ev.OrganisationEvent]:
    """The events of a command; none when it changes nothing. Raises CallerError when it is refused; a refused request
    for a topic is an event instead."""
    match command:
        case cmd.RequestTopic():
            return topics.requested(state, command, now_ms)
        case cmd.ChangeTopic():
            return topics.changed(state, command, now_ms)
        case cmd.DeleteTopic():
            return topics.deleted(state, command, now_ms)
        case cmd.RestoreTopic():
            return topics.restored(state, command, now_ms)
        case cmd.PassTopic():
            return topics.passed(state, command, now_ms)
        case cmd.NoteTopicPurged():
            return topics.purged(state, command, now_ms)
        case cmd.SetNamespace():
            return topics.namespace_set(state, command, now_ms)
        case cmd.RegisterAgent():
            return agents.registered(state, command, now_ms)
        case cmd.DeployAgent():
            return agents.deployed(state, command, now_ms)
        case cmd.RollBackAgent():
            return agents.rolled_back(state, command, now_ms)
        case cmd.PauseAgent():
            return agents.paused(state, command, now_ms)
        case cmd.ResumeAgent():
            return agents.resumed(state, command, now_ms)
        case cmd.ScaleAgent():
            return agents.scaled(state, command, now_ms)
        case cmd.RetireAgent():
            return agents.retired(state, command, now_ms)
