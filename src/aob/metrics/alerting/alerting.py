"""Alerts of every tenant: judges moved metrics and commits state changes, notices and starts. An alert is judged when
its metric moves or its answer expires, never periodically. Notices and starts follow from its committed state, so that
a killed process continues: at worst a notice is repeated under the same id, but a workflow starts once."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib import resources
from typing import Final, Protocol

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract import read_contracts
from aob.core.contract_model import AlertContract, ContractSet
from aob.core.errors import Busy, CallerError, Invalid
from aob.core.expression import EvalError
from aob.core.metric.alert import AlertState, Begin, Instance, Judge, Tell, Weigh, commands, decide
from aob.core.run.record import commands as cmd
from aob.journal import Journal
from aob.metrics.alerting.alert_views import Sighted, notice_of
from aob.metrics.alerting.law import PREFIX, AlertLaw, Ask, AskEnds, stream_of
from aob.metrics.alerting.objectives import Objectives
from aob.metrics.alerting.reevaluator import Reevaluator
from aob.ports.serving import MetricReader

SIGHTED_MAX: Final = 256  # values of the last evaluation kept for reading

OnAlert = Callable[[str, JsonObject], None]
"""Called with the tenant and the notice of a firing, or of its end, after its commit."""
OnTold = Callable[[str, int, JsonObject], None]
"""Called with the tenant, the position and the turn of an alert once it is recorded that subscribers were notified."""


@cache
def platform_alerts() -> ContractSet:
    """The alerts on platform metrics that every tenant has: `platform.yaml`, converted to JSON by
    `python -m tools.make_schema`."""
    text = resources.files("aob.metrics.alerting").joinpath("platform.json").read_text(encoding="utf-8")
    return read_contracts({"platform.json": text})


class Standing(msgspec.Struct, eq=False):
    """A running alert: its rule, and the values of the last evaluation. `wrong` says why it cannot be judged, `told` is
    the position of the last turn that subscribers here were notified of."""

    tenant: str
    name: str
    lookout: Reevaluator
    contract: AlertContract | None = None
    judge: Judge | None = None
    sighted: dict[str, Sighted] = {}
    looked_ms: int = 0
    wrong: str = ""
    told: int = 0


class Starter(Protocol):
    """Knows the workflows."""

    async def start_of(
        self, tenant: str, workflow: str, inputs: Mapping[str, JsonValue], *, tag: str, key: str, alert: str
    ) -> cmd.Start:
        """The start of a run; the same key is the same run. Raises CallerError if it can never start, Busy or OurError
        if it may later."""


class Tenant:
    """The alerts of one tenant, and the lookouts of each metric."""

    def __init__(self) -> None:
        self.contracts: ContractSet | None = None
        self.alerts: dict[str, Standing] = {}
        self.by_metric: dict[str, list[Reevaluator]] = {}


class Alerts:
    """The shell of alerts. Enter it after the journal and the live numbers; call `judge` after each fold, `changed`
    after a push of contracts."""

    def __init__(
        self,
        journal: Journal,
        reader: MetricReader,
        contracts: Callable[[str], ContractSet],
        starter: Starter,
        *,
        now_ms: Callable[[], int],
        on_alert: OnAlert,
        on_told: OnTold,
    ) -> None:
        self._journal, self._reader, self._contracts, self._starter = journal, reader, contracts, starter
        self._now_ms, self._on_alert, self._on_told = now_ms, on_alert, on_told
        self._position: dict[str, int] = {}  # of the newest notice, by tenant
        self.objectives = Objectives(reader, contracts, now_ms)
        self._tenants: dict[str, Tenant] = {}
        self._named: dict[str, set[str]] = {}  # alerts with a stream, also those in no contract
        self._open = False
        self._shipped = platform_alerts().alerts.keys()

    async def __aenter__(self) -> "Alerts":
        self._open = True
        for name in self._journal.streams:
            if name.startswith(PREFIX):
                tenant, alert = name.removeprefix(PREFIX).split("/", 1)
                self._named.setdefault(tenant, set()).add(alert)
                self._journal.tell(name, AskEnds())
        for law in self._journal.laws:
            if isinstance(law, AlertLaw):
                law.woken = self._woken
        for tenant in list(self._named):
            self.of(tenant)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._open = False
        for tenant in self._tenants.values():
            for standing in tenant.alerts.values():
                await standing.lookout.close()
        await self.objectives.close()

    # -- what happens -----------------------------------------------------------------------------------------------

    def judge(self, tenant: str, moved: Collection[str], now_ms: int) -> None:
        """Schedules the alerts of moved metrics. Never waits."""
        if not self._open:
            return
        by_metric = self.of(tenant).by_metric
        if by_metric:
            for metric in moved:
                for lookout in by_metric.get(metric, ()):
                    lookout.soon()

    def changed(self, tenant: str) -> None:
        """A tenant is new, or its contracts have changed: evaluates its current alerts."""
        if self._open:
            self.of(tenant)

    def _woken(self, stream: str) -> None:
        tenant, _, name = stream.removeprefix(PREFIX).partition("/")
        known = self._tenants.get(tenant)
        if self._open and known is not None and name in known.alerts:
            known.alerts[name].lookout.soon()

    def stepped(self) -> None:
        """The clock was set: re-checks pending times."""
        for tenant in self._tenants.values():
            for standing in tenant.alerts.values():
                standing.lookout.stepped()
        self.objectives.stepped()

    # -- alerts by tenant -------------------------------------------------------------------------------------------

    def of(self, tenant: str) -> Tenant:
        """The alerts of a tenant with its current contracts."""
        known = self._tenants.get(tenant)
        if known is None:
            known = self._tenants[tenant] = Tenant()
        contracts = self._contracts(tenant)
        if known.contracts is not contracts and self._open and self._journal.broken is None:
            known.contracts = contracts
            for name in (*contracts.alerts, *self._named.get(tenant, ())):
                self._take(tenant, known, name)
            self._index(tenant, known)
        return known

    def state(self, tenant: str, name: str) -> AlertState:
        """The state of an alert. Raises the error that makes it unknown."""
        self._journal.check()
        stream = self._journal.streams.get(stream_of(tenant, name))
        state: AlertState = stream.state if stream is not None else AlertState(tenant, name)
        return state

    def told(self, tenant: str) -> list[tuple[int, JsonObject]]:
        """The kept turns of all alerts of a tenant that subscribers were notified of, by position."""
        found = [told for name in self._named.get(tenant, ()) for told in self.state(tenant, name).told]
        return sorted(found, key=lambda each: each[0])

    def _next(self, tenant: str) -> int:
        """The position of the next notice: growing, also when several alerts turn in one instant."""
        last = self._position.get(tenant)
        if last is None:
            last = max((at for at, _ in self.told(tenant)), default=0)
        self._position[tenant] = max(last + 1, self._now_ms())
        return self._position[tenant]

    def renewed(self, tenant: str, name: str) -> None:
        """A verb has changed an alert: judge it by its current contract."""
        self._named.setdefault(tenant, set()).add(name)
        known = self.of(tenant)
        self._take(tenant, known, name)
        self._index(tenant, known)

    def _take(self, tenant: str, known: Tenant, name: str) -> None:
        standing = known.alerts.get(name)
        if standing is None:
            failures = self.objectives.failures
            lookout = Reevaluator(name, lambda: self._look(tenant, name), self._now_ms, failures)
            told = max((at for at, _ in self.state(tenant, name).told), default=0)
            standing = known.alerts[name] = Standing(tenant, name, lookout, told=told)
        contract = self.state(tenant, name).contract(self._contracts(tenant))
        if contract != standing.contract or standing.judge is None:
            standing.contract, standing.judge, standing.sighted, standing.wrong = contract, None, {}, ""
            standing.lookout.wait(contract.for_ms if contract is not None else 0, often=name not in self._shipped)
            try:
                standing.judge = Judge(contract) if contract is not None else None
            except Invalid as error:
                standing.wrong = str(error)
        standing.lookout.soon()

    def _index(self, tenant: str, known: Tenant) -> None:
        by_metric: dict[str, list[Reevaluator]] = {}
        for standing in known.alerts.values():
            if standing.contract is not None:
                by_metric.setdefault(standing.contract.metric, []).append(standing.lookout)
        for metric, lookout in self.objectives.adopt(tenant):
            by_metric.setdefault(metric, []).append(lookout)
        known.by_metric = by_metric

    # -- one look ---------------------------------------------------------------------------------------------------

    async def _look(self, tenant: str, name: str) -> int | None:
        """Reads, judges, commits changes and performs due actions. Returns when to evaluate again."""
        standing = self._tenants[tenant].alerts[name]
        self._journal.check()
        until = None
        judge = standing.judge
        if judge is not None:
            try:
                until = await self._weigh(standing, judge)
            except CallerError as error:
                if isinstance(error, Busy):
                    raise
                standing.wrong = f"{error.code}: {error.detail}"
        wake = await self._do(standing, judge)
        return min((at for at in (until, wake) if at is not None), default=None)

    async def _weigh(self, standing: Standing, judge: Judge) -> int | None:
        now_ms = self._now_ms()
        tenant, slo = standing.tenant, judge.contract.slo
        answer: JsonObject
        if slo:
            answer = self.objectives.burning(tenant, slo)
        else:
            answer = dict(await self._reader.read_metric(tenant, judge.query()))
        seen, standing.wrong = judge.weigh(answer)
        standing.sighted = {each.key: Sighted(each.by, each.value) for each in seen[:SIGHTED_MAX]}
        standing.looked_ms = now_ms
        weigh = Weigh(judge.contract, seen, now_ms, str(answer.get("position", "")), judge.absent(answer))
        if standing.judge is judge and decide(self.state(standing.tenant, standing.name), weigh, now_ms):
            await self._journal.ask(stream_of(standing.tenant, standing.name), weigh)
            self._named.setdefault(standing.tenant, set()).add(standing.name)
        until: int | None = answer.get("valid_until")
        return until

    async def _do(self, standing: Standing, judge: Judge | None) -> int | None:
        """Performs the actions due by the committed state: notices, starts. Returns when more will be due."""
        stream = self._journal.streams.get(stream_of(standing.tenant, standing.name))
        if stream is None:
            return None
        await self._journal.settled(stream)
        state: AlertState = stream.state
        self._tell(standing, state)
        owed = state.owed(standing.contract, self._now_ms())
        for instance in owed.tell:
            firing_ms = instance.firing_ms
            self._on_alert(standing.tenant, notice_of(standing.contract, state, instance, self._now_ms()))
            await self._journal.ask(stream.name, Tell(instance.key, firing_ms, self._next(state.tenant)))
            self._tell(standing, state)
        while judge is not None and (keys := state.owed(judge.contract, self._now_ms()).begin):
            command = await self._begin(state, judge, state.instances[keys[0]])
            if not (await self._journal.ask(stream.name, command)).events:
                break
        for due in owed.resume:
            start = await self._start(state, due.workflow, due.inputs, due.tag, due.start_key)
            await self._journal.ask(
                stream.name,
                commands.Settle(due.key, due.start_key, "", start) if isinstance(start, str)
                else Ask(commands.Resume(due.start_key, start.run), due.start_key, start),
            )  # fmt: skip
        return state.owed(standing.contract, self._now_ms()).wake_ms

    def _tell(self, standing: Standing, state: AlertState) -> None:
        """Hands on the committed turns that subscribers have not heard of: also one whose commit seemed to fail."""
        for position, turn in state.told:
            if position > standing.told:
                standing.told = position
                self._on_told(state.tenant, position, turn)

    async def _begin(self, state: AlertState, judge: Judge, instance: Instance) -> Begin | Ask:
        """The command that starts the workflow of a firing."""
        key, contract, start_key = instance.key, judge.contract, state.start_key(instance)
        inputs: dict[str, JsonValue] = {}
        try:
            inputs = judge.inputs(instance)
            start = await self._start(state, contract.start, inputs, contract.tag, start_key)
        except EvalError as error:
            start = f"its inputs cannot be made: {error.detail}"
        if isinstance(start, str):
            return Begin(key, contract, inputs, "", start)
        return Ask(Begin(key, contract, inputs, start.run), start_key, start)

    async def _start(
        self, state: AlertState, workflow: str, inputs: Mapping[str, JsonValue], tag: str, key: str
    ) -> cmd.Start | str:
        """The start of a run, or why it can never start."""
        try:
            return await self._starter.start_of(state.tenant, workflow, inputs, tag=tag, key=key, alert=state.name)
        except CallerError as error:
            if isinstance(error, Busy):
                raise
            return f"{error.code}: {error.detail}"
