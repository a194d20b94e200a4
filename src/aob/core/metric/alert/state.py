"""The state of one alert, folded from its events, and the actions it calls for. Pure; reads no clock. An instance (one
value of the dimensions of `by`) is kept only while it holds information."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import AlertContract, ContractSet
from aob.core.event import derived_id
from aob.core.metric.alert import events as ev
from aob.core.metric.alert.events import NO_DATA_MS, AlertEvent, Phase

HISTORY_MAX: Final = 100  # phase changes, silences and starts that an alert keeps for reading; its record keeps all

TOLD_MAX: Final = 1_000  # notified turns that an alert keeps for webhooks that lag, with their positions


class Instance(msgspec.Struct):
    """One value of the dimensions. `firing_ms` is when it began to fire (0: not firing; negative: since when its value
    is missing), `told_ms` the value that subscribers were last notified of. `starts` is the workflow that this firing
    must still start."""

    key: str
    by: Mapping[str, str]
    phase: Phase = "ok"
    since_ms: int = 0
    firing_ms: int = 0
    told_ms: int = 0
    value: JsonValue = None
    version: int = 0
    position: str = ""
    starts: str = ""


class Owed(msgspec.Struct):
    """The actions due: instances to notify about, keys whose start may be due, starts of an earlier release that were
    never requested; and when to check again without an event."""

    tell: list[Instance]
    begin: list[str]
    resume: list[ev.StartDue]
    wake_ms: int | None


class AlertState:
    """The state of an alert."""

    def __init__(self, tenant: str, name: str) -> None:
        self.tenant, self.name = tenant, name
        self.own: AlertContract | None = None
        self.dropped = 0
        self.silenced_ms = 0
        self.instances: dict[str, Instance] = {}
        self.due: dict[str, ev.StartDue] = {}
        self.runs: tuple[str, ...] = ()  # runs that it started and that are not known to have ended
        self.begun_ms: int | None = None
        self.history: deque[JsonObject] = deque(maxlen=HISTORY_MAX)
        self.told: deque[tuple[int, JsonObject]] = deque(maxlen=TOLD_MAX)

    def contract(self, known: ContractSet) -> AlertContract | None:
        """The version in force, from contract files or a caller; None when there is none or it is dropped."""
        found = known.alert(self.name)
        if self.own is not None and (found is None or self.own.version >= found.version):
            found = self.own
        return found if found is not None and found.version > self.dropped else None

    def silent(self, now_ms: int) -> bool:
        return now_ms < self.silenced_ms

    def has_place(self, contract: AlertContract) -> bool:
        """Whether another run may be open."""
        return len(self.runs) + len(self.due) < contract.open_runs_max

    def start_key(self, instance: Instance) -> str:
        """The idempotency key of a firing's start: the same in every process and after every restart."""
        return derived_id("alert", self.tenant, self.name, instance.key, instance.firing_ms)

    def owed(self, contract: AlertContract | None, now_ms: int) -> Owed:
        """The actions due; the same again until events record that they happened."""
        found = Owed([], [], [due for due in self.due.values() if not due.run_id], None)
        wakes: list[int] = []
        silent = self.silent(now_ms)
        for instance in self.instances.values():
            waits = instance.told_ms != instance.firing_ms
            if waits and not silent:
                found.tell.append(instance)
            calls = bool(instance.starts) and instance.phase == "firing" and contract is not None
            if (waits or calls) and silent:
                wakes.append(self.silenced_ms)
            if contract is None:
                continue
            if calls and not silent:
                ready_ms = now_ms if self.begun_ms is None else self.begun_ms + contract.cooldown_ms
                if ready_ms > now_ms:
                    wakes.append(ready_ms)
                elif self.has_place(contract):
                    found.begin.append(instance.key)
            if instance.phase == "pending":
                wakes.append(instance.since_ms + contract.for_ms)
            elif instance.phase == "no_data":
                wakes.append(instance.since_ms + NO_DATA_MS)
            elif instance.phase == "clearing":
                wakes.append(instance.since_ms + contract.clear_for_ms)
        found.wake_ms = min(wakes, default=None)
        return found

    # -- events -----------------------------------------------------------------------------------------------------

    def fold(self, event: AlertEvent) -> None:
        """Apply one event."""
        match event:
            case ev.AlertPut():
                self.own = event.contract
                self._note(event.at_ms, "put", version=event.contract.version, by=event.by)
            case ev.AlertDropped():
                self.dropped = event.version
                self._note(event.at_ms, "dropped", version=event.version, by=event.by)
            case ev.AlertSilenced():
                self.silenced_ms = event.until_ms
                self._note(event.at_ms, "silenced", until=event.until_ms, reason=event.reason, by=event.by)
            case ev.AlertTurned():
                self._turn(event)
            case ev.AlertTold():
                self._tell(event)
            case ev.StartDue():
                self._begin(event)
            case ev.StartSettled():
                self._settle(event)
            case ev.StartedRunEnded():
                self.runs = tuple(run for run in self.runs if run != event.run_id)
        key = getattr(event, "key", None)
        known = self.instances.get(key) if key is not None else None
        if known is not None and known.phase == "ok" and not known.told_ms:
            del self.instances[known.key]

    def _turn(self, event: ev.AlertTurned) -> None:
        instance = self.instances.get(event.key)
        if instance is None:
            instance = self.instances[event.key] = Instance(event.key, event.by)
        before = instance.phase
        if event.phase == "firing" and before != "clearing":
            instance.firing_ms, instance.starts = event.at_ms, event.starts
        elif event.phase == "ok":
            instance.firing_ms, instance.starts = 0, ""
        elif event.phase == "no_data":
            instance.firing_ms, instance.starts = -event.at_ms, ""
        # A resumed firing counts from its start, not from the end of its clearing.
        back = event.phase == "firing" and before == "clearing"
        instance.since_ms = instance.firing_ms if back else event.at_ms
        instance.phase, instance.value = event.phase, event.value
        instance.version, instance.position = event.version, event.position
        begins = (event.phase == "firing" and not back) or event.phase == "no_data"
        if begins or (event.phase == "ok" and before in ("firing", "clearing", "no_data")):
            self._note(event.at_ms, event.phase, instance=dict(event.by), value=event.value, version=event.version)

    def _tell(self, event: ev.AlertTold) -> None:
        instance = self.instances.get(event.key)
        if instance is None:
            return
        instance.told_ms = event.firing_ms
        at_ms = abs(event.firing_ms) or instance.since_ms
        turn: JsonObject = {
            "alert": self.name, "at": at_ms,
            "what": "firing" if event.firing_ms > 0 else "no_data" if event.firing_ms else "ok",
            "instance": dict(instance.by), "value": instance.value, "version": instance.version,
        }  # fmt: skip
        self.told.append((event.position or at_ms, turn))

    def _begin(self, event: ev.StartDue) -> None:
        self.due[event.start_key] = event
        self.runs, self.begun_ms = event.open, event.at_ms
        if (instance := self.instances.get(event.key)) is not None:
            instance.starts = ""

    def _settle(self, event: ev.StartSettled) -> None:
        self.due.pop(event.start_key, None)
        if event.run_id:
            self.runs = (*(run for run in self.runs if run != event.run_id), event.run_id)
            self._note(event.at_ms, "started", run_id=event.run_id)
            return
        self._note(event.at_ms, "not_started", reason=event.reason)
        instance = self.instances.get(event.key)
        if instance is not None and instance.firing_ms and self.start_key(instance) == event.start_key:
            instance.starts = ""

    def _note(self, at_ms: int, what: str, **said: JsonValue) -> None:
        self.history.append({"at": at_ms, "what": what, **said})
