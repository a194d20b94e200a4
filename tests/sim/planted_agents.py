"""Bugs of agents planted on purpose, each a context in which the code is wrong: what the world of agents must find."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import msgspec

from aob.core.agent import deciding, folding
from aob.core.agent.key import Open
from aob.core.agent.record import commands as cmd
from aob.core.agent.record import events as ev
from aob.core.agent.stepping import Step
from aob.journal import Verdict
from aob.journal.topics.attaching import Attaching
from aob.organisation.cycle.giving import Giving
from aob.organisation.cycle.law import AgentLaw
from aob.organisation.cycle.running import Agents
from aob.testing.world.loop import replaced
from tests.sim.planted import both, ruled

Planted = Callable[[], AbstractContextManager[None]]


def _nothing(*given: Any, **named: Any) -> None:
    """What is left out."""


def mark_not_in_the_commit() -> AbstractContextManager[None]:
    """What a key has taken is not marked."""
    return replaced((Attaching, "_pass", _nothing))


def workers_lose_their_records_in_a_recovery() -> AbstractContextManager[None]:
    """After a failed commit the records that keys have are given out again, as the same attempt."""
    go_on = Agents._take_up

    def forgetful(self: Any, stream: Any, reported: Any = ()) -> None:
        for name, visit in [each for each in self._handling if each[0] == stream.name]:
            self._stop(name, visit)
        go_on(self, stream, reported)

    return both(replaced((Agents, "_take_up", forgetful)), effects_are_never_in_doubt())


def effects_are_never_in_doubt() -> AbstractContextManager[None]:
    """An attempt that was cut off in an effect simply goes on."""
    return replaced((Open, "acts", property(lambda self: False)))


def a_reminder_runs_beside_a_record() -> AbstractContextManager[None]:
    """What a worker has is not taken away when the key begins something else."""
    return replaced((Giving, "_displace", _nothing))


def every_report_is_new() -> AbstractContextManager[None]:
    """The key does not remember what it has had."""
    return replaced((Step, "is_new", lambda self, given: True))


def what_left_is_still_handled() -> AbstractContextManager[None]:
    """A shard keeps what it had of a partition that is another's."""
    return replaced((Agents, "gone", _nothing))


def replies_are_lost() -> AbstractContextManager[None]:
    """The reply of another agent changes nothing."""
    return ruled(deciding._RULES, cmd.Replied, _nothing)


def reminders_never_ring() -> AbstractContextManager[None]:
    """Their timer is done, and that is all."""
    ring = deciding._RULES[cmd.Ring]

    def silent(step: Step, command: cmd.Ring) -> None:
        if command.timer.startswith("remind"):
            step.emit(ev.TimerDone(command.timer))
        else:
            ring(step, command)

    return ruled(deciding._RULES, cmd.Ring, silent)


def the_state_is_not_kept() -> AbstractContextManager[None]:
    """Of a record that the key had before its end the state is forgotten."""
    ended = folding._HANDLERS[ev.Ended]

    def forgetful(key: Any, event: ev.Ended) -> None:
        ended(key, event if key.open is None else msgspec.structs.replace(event, state=[]))

    return ruled(folding._HANDLERS, ev.Ended, forgetful)


def dead_letters_are_not_sent() -> AbstractContextManager[None]:
    """A record dies, and nobody can see it."""
    return replaced((Step, "_bury", _nothing))


def messages_of_agents_are_dropped() -> AbstractContextManager[None]:
    """A record for another shard is taken, and not appended."""
    return replaced((AgentLaw, "receive", lambda self, stream, message, now_ms: Verdict([], {})))


PLANTED: Final[tuple[Planted, ...]] = (
    mark_not_in_the_commit, workers_lose_their_records_in_a_recovery, a_reminder_runs_beside_a_record,
    every_report_is_new, what_left_is_still_handled, replies_are_lost, reminders_never_ring, the_state_is_not_kept,
    dead_letters_are_not_sent, messages_of_agents_are_dropped,
)  # fmt: skip
