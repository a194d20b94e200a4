"""Verbs of alerts and objectives, as the server calls them."""

from typing import Final

import msgspec

from aob.core.answers import JsonObject
from aob.core.contract import check_set, read_contracts, to_document
from aob.core.contract_model import AlertContract, ContractSet
from aob.core.errors import Invalid, NotFound, Problem
from aob.core.hint import meant
from aob.core.metric.alert import Drop, Put, Silence
from aob.core.metric_answers import AlertView, SloView
from aob.core.policy import Caller
from aob.core.value import canonical
from aob.core.verb import NoArgs, performs
from aob.core.verbs import alert_verbs as verbs
from aob.metrics.alerting.alert_views import views_of
from aob.metrics.alerting.alerting import Alerts, Standing
from aob.metrics.alerting.law import stream_of

SILENCE_MAX_MS: Final = 366 * 86_400_000
REASON_MAX: Final = 1_000


class Alerting(Alerts):
    """Running alerts, with their verbs."""

    @performs(verbs.LIST)
    async def alerts(self, who: Caller, args: verbs.ListAlerts) -> list[AlertView]:
        """The current state of all alerts."""
        standings = sorted(self.of(who.tenant).alerts.values(), key=lambda each: each.name)
        found = [view for each in standings if each.contract is not None for view in self._views(each)]
        return [view for view in found if args.state in ("", view["state"])]

    @performs(verbs.SHOW)
    async def alert(self, who: Caller, args: verbs.NamedAlert) -> JsonObject:
        """One alert: its contract, its views, its history with the newest first. Raises NotFound."""
        name = args.name
        standing = self.of(who.tenant).alerts.get(name)
        state = self.state(who.tenant, name) if standing is not None else None
        if standing is None or state is None or (standing.contract is None and not state.history):
            raise self._unknown(who.tenant, name)
        contract = standing.contract
        told: JsonObject = {
            "name": name,
            "contract": to_document(contract) if contract is not None else None,
            "alerts": self._views(standing) if contract is not None else [],
            "silenced_until": state.silenced_ms if state.silent(self._now_ms()) else None,
            "runs": list(state.runs),
            "history": list(reversed(state.history)),
        }
        return told | {"error": standing.wrong} if standing.wrong else told

    @performs(verbs.PUT)
    async def put_alert(self, who: Caller, args: verbs.PutAlert) -> JsonObject:
        """Create or change an alert, as the next version; an equal one changes nothing. Raises Invalid."""
        name = args.name
        state, known = self.state(who.tenant, name), self._contracts(who.tenant)
        newest = known.alert(name)
        version = max(newest.version if newest else 0, state.own.version if state.own else 0, state.dropped)
        contract = self._read(name, version + 1, args.document, known)
        present = state.contract(known)
        if present is None or msgspec.structs.replace(contract, version=present.version) != present:
            await self._journal.ask(stream_of(who.tenant, name), Put(contract, version, who.name))
            self.renewed(who.tenant, name)
        return await self.alert(who, name)

    @performs(verbs.DELETE)
    async def delete_alert(self, who: Caller, args: verbs.NamedAlert) -> JsonObject:
        """Stops judging it; its history stays. Raises NotFound."""
        name = args.name
        contract = self._standing(who.tenant, name)
        await self._journal.ask(stream_of(who.tenant, name), Drop(contract.version, who.name))
        self.renewed(who.tenant, name)
        return {"name": name, "version": contract.version, "dropped": True}

    @performs(verbs.SILENCE)
    async def silence_alert(self, who: Caller, args: verbs.SilenceAlert) -> JsonObject:
        """No notices and no starts until then; an instant in the past ends a silence. Raises NotFound, Invalid for more
        than a year."""
        name, until_ms, reason = args.name, args.until_ms, args.reason
        self._standing(who.tenant, name)
        now_ms = self._now_ms()
        if until_ms > now_ms + SILENCE_MAX_MS:
            raise Invalid("an alert is silenced until an instant", [
                Problem("/until", "is not within a year from now", "out_of_range", hint="until: 2030-01-01T12:00:00Z")
            ])  # fmt: skip
        if len(reason) > REASON_MAX:
            problem = Problem("/reason", f"is no text of at most {REASON_MAX:,} characters", "too_large")
            raise Invalid("a reason is a short text", [problem])
        until_ms = until_ms if until_ms > now_ms else 0
        await self._journal.ask(stream_of(who.tenant, name), Silence(until_ms, reason, who.name))
        self.renewed(who.tenant, name)
        return await self.alert(who, name)

    @performs(verbs.SLOS)
    async def slos(self, who: Caller, args: NoArgs) -> list[SloView]:
        """All objectives."""
        return self.objectives.slos(who.tenant)

    @performs(verbs.SLO)
    async def slo(self, who: Caller, args: verbs.NamedSlo) -> SloView:
        """One objective. Raises NotFound."""
        return self.objectives.slo(who.tenant, args.name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _views(self, standing: Standing) -> list[AlertView]:
        assert standing.contract is not None
        state = self.state(standing.tenant, standing.name)
        return views_of(standing.contract, state, standing.sighted, standing.looked_ms, self._now_ms())

    def _standing(self, tenant: str, name: str) -> AlertContract:
        standing = self.of(tenant).alerts.get(name)
        if standing is None or standing.contract is None:
            raise self._unknown(tenant, name)
        return standing.contract

    def _unknown(self, tenant: str, name: str) -> NotFound:
        alerts = [each.name for each in self.of(tenant).alerts.values() if each.contract is not None]
        hint = meant(name, alerts, "alerts") or "alerts: none yet"
        return NotFound(f"there is no alert {name[:80]!r}", code="alert_not_found", hint=hint)

    @staticmethod
    def _read(name: str, version: int, document: JsonObject, known: ContractSet) -> AlertContract:
        """The contract of a document, checked against the known metrics. Raises Invalid with places in the document."""
        said = {key: value for key, value in document.items() if key not in ("alert", "version")}
        if document.get("alert", name) != name:
            raise Invalid("the alert has another name", [Problem("/alert", f"is not {name}", "wrong_name")])
        try:
            given = read_contracts({"alert": canonical({"alert": name, "version": version, **said}).decode()})
        except Invalid as error:
            raise Invalid("this is no alert", _placed(error.problems)) from None
        faults = [each for each in check_set(given, known) if not each.code.startswith("warn")]
        contract = given.alert(name)
        if faults or contract is None:
            raise Invalid("this alert cannot be judged", _placed(faults))
        return contract


def _placed(problems: list[Problem] | tuple[Problem, ...]) -> list[Problem]:
    return [
        msgspec.structs.replace(each, path=each.path.partition("#")[2], line=0, column=0, caret="") for each in problems
    ]
