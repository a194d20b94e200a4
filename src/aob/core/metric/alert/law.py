"""The law of alerts: decides the events of a command from state and time. Pure. ok -> pending once `when` holds, firing
once it has held for `for`, clearing once `clear` holds, ok once that has held for `clear_for`. Between `when` and
`clear` the phase stays: that is the hysteresis. A firing whose value is missing for `clear_for` becomes `no_data`, not
ok, until the value returns, for a day at most."""

from collections.abc import Iterator
from typing import Final

import msgspec

from aob.core.contract_model import AlertContract
from aob.core.errors import Conflict, NotFound
from aob.core.metric.alert import command as cmd
from aob.core.metric.alert import events as ev
from aob.core.metric.alert.events import NO_DATA_MS, AlertEvent, Phase
from aob.core.metric.alert.state import AlertState, Instance

INSTANCES_MAX: Final = 256
"""Instances of one alert that may be other than ok at once; further ones wait for a free place."""


def decide(state: AlertState, command: cmd.AlertCommand, now_ms: int) -> list[AlertEvent]:
    """The events of a command; none when it changes nothing. Raises Conflict for a version that is not newer, NotFound
    for an alert that is already dropped."""
    match command:
        case cmd.Weigh():
            return list(_weigh(state, command))
        case cmd.Put():
            if command.contract.version <= max(command.known, state.own.version if state.own else 0, state.dropped):
                raise Conflict(f"alert {state.name} has changed meanwhile", code="alert_moved", hint="read it again")
            return [ev.AlertPut(command.contract, command.by, now_ms)]
        case cmd.Drop():
            return list(_drop(state, command, now_ms))
        case cmd.Silence():
            if command.until_ms == state.silenced_ms:
                return []
            return [ev.AlertSilenced(command.until_ms, command.reason, command.by, now_ms)]
        case cmd.Tell():
            instance = state.instances.get(command.key)
            heard = instance is None or instance.told_ms == command.firing_ms
            return [] if heard else [ev.AlertTold(command.key, command.firing_ms, command.position)]
        case cmd.Begin():
            return list(_begin(state, command, now_ms))
        case cmd.Resume():
            due = state.due.get(command.start_key)
            if due is None or due.run_id:
                return []
            return [msgspec.structs.replace(due, open=state.runs, run_id=command.run_id)]
        case cmd.Settle():
            if command.start_key not in state.due:
                return []
            return [ev.StartSettled(command.key, command.start_key, command.run_id, command.reason, now_ms)]
        case cmd.RunOver():
            return [ev.StartedRunEnded(command.run_id, now_ms)] if command.run_id in state.runs else []


def _weigh(state: AlertState, command: cmd.Weigh) -> Iterator[AlertEvent]:
    contract, at_ms = command.contract, command.at_ms
    seen = {each.key: each for each in command.seen}
    gone = [
        msgspec.structs.replace(command.absent, key=key, by=each.by)
        for key, each in state.instances.items() if key not in seen
    ]  # fmt: skip
    room = INSTANCES_MAX - len(state.instances)
    for each in (*gone, *command.seen):
        known = state.instances.get(each.key)
        if known is None:
            if not each.holds or room <= 0:
                continue
            room -= 1
        yield from _turns(known or Instance(each.key, each.by), each, contract, at_ms, command.position)


def _turns(
    instance: Instance, seen: cmd.Seen, contract: AlertContract, at_ms: int, position: str
) -> Iterator[ev.AlertTurned]:
    phase, since_ms = instance.phase, instance.since_ms
    if phase == "pending" and instance.version != contract.version:
        phase = "ok"  # the pending time counted for another version
    turned = next_phase(phase, seen, contract, at_ms - since_ms)
    if turned == "pending" and contract.for_ms == 0:
        turned = "firing"
    if turned == "clearing" and contract.clear_for_ms == 0:
        turned = "no_data" if seen.missing else "ok"
    if turned != phase or phase != instance.phase:
        starts = contract.start if turned == "firing" else ""
        yield ev.AlertTurned(seen.key, seen.by, turned, at_ms, seen.value, contract.version, position, starts)


def next_phase(phase: Phase, seen: cmd.Seen, contract: AlertContract, passed_ms: int) -> Phase:
    """The next phase for this value after `passed_ms` in the current phase."""
    if phase == "ok":
        return "pending" if seen.holds else "ok"
    if phase == "no_data":
        if seen.holds:
            return "pending"
        return "no_data" if seen.missing and passed_ms < NO_DATA_MS else "ok"
    if phase == "pending":
        if not seen.holds:
            return "ok"
        return "firing" if passed_ms >= contract.for_ms else "pending"
    if seen.holds or not seen.clears:
        return "firing"
    if phase == "firing":
        return "clearing"
    if passed_ms < contract.clear_for_ms:
        return "clearing"
    return "no_data" if seen.missing else "ok"


def _drop(state: AlertState, command: cmd.Drop, now_ms: int) -> Iterator[AlertEvent]:
    if command.version <= state.dropped:
        raise NotFound(f"there is no alert {state.name}", code="alert_not_found", hint="see /v1/alerts")
    yield ev.AlertDropped(command.version, command.by, now_ms)
    for instance in state.instances.values():
        if instance.phase != "ok":
            yield ev.AlertTurned(instance.key, instance.by, "ok", now_ms, None, instance.version)


def _begin(state: AlertState, command: cmd.Begin, now_ms: int) -> Iterator[AlertEvent]:
    contract, instance = command.contract, state.instances.get(command.key)
    if instance is None or instance.phase != "firing" or not instance.starts or state.silent(now_ms):
        return
    key = state.start_key(instance)
    if command.refused:
        yield ev.StartSettled(command.key, key, "", command.refused, now_ms)
        return
    cooling = state.begun_ms is not None and now_ms - state.begun_ms < contract.cooldown_ms
    if not cooling and state.has_place(contract):
        rule, run_id = contract, command.run_id
        yield ev.StartDue(command.key, key, rule.start, rule.tag, command.inputs, state.runs, now_ms, run_id)
