"""Verbs of alerts and objectives: list, show, put, delete, silence."""

from typing import Final, Literal

import msgspec

from aob.core.answers import JsonObject
from aob.core.metric_answers import SloView
from aob.core.verb import LIVE, Http, NoArgs, Verb, ok
from aob.core.verbs.shapes import AlertList, SloList


class ListAlerts(msgspec.Struct, frozen=True):
    """The state to list; empty for all."""

    state: Literal["", "ok", "pending", "firing", "no_data", "silenced"] = ""


class NamedAlert(msgspec.Struct, frozen=True):
    """An alert by its name."""

    name: str = msgspec.field(name="alert")


class PutAlert(msgspec.Struct, frozen=True):
    """An alert, and the fields of its contract."""

    name: str = msgspec.field(name="alert")
    document: JsonObject


class SilenceAlert(msgspec.Struct, frozen=True):
    """Until when it sends no notices and starts nothing; 0 ends a silence."""

    name: str = msgspec.field(name="alert")
    until_ms: int
    reason: str = ""


class NamedSlo(msgspec.Struct, frozen=True):
    """An objective by its name."""

    name: str = msgspec.field(name="slo")


_ALERT: Final = "/v1/alerts/{alert}"
LIST: Final = Verb(
    "alerts", ListAlerts, "view", "alert", "main",
    Http("GET", "/v1/alerts", "list_alerts", "List alerts as they stand.", ok(AlertList, "The alerts."),
         wraps="alerts"),
)  # fmt: skip
SHOW: Final = Verb(
    "alert", NamedAlert, "view", "alert", "main",
    Http("GET", _ALERT, "show_alert", "Show an alert: its contract, how it stands, its history.",
         ok(JsonObject, "The alert."), cost=LIVE),
)  # fmt: skip
PUT: Final = Verb(
    "put_alert", PutAlert, "admin", "alert", "main",
    Http("PUT", _ALERT, "put_alert",
         "Make or change an alert: the fields of its contract (`metric when clear for by start` …).",
         ok(JsonObject, "The alert as it is judged from now on."), whole="document", refuses=(409,)),
)  # fmt: skip
DELETE: Final = Verb(
    "delete_alert", NamedAlert, "admin", "alert", "main",
    Http("DELETE", _ALERT, "delete_alert", "Judge an alert no more. Its history stays.",
         ok(JsonObject, "It is judged no more.")),
)  # fmt: skip
SILENCE: Final = Verb(
    "silence_alert", SilenceAlert, "approve", "alert", "main",
    Http("POST", f"{_ALERT}/silence", "silence_alert",
         "Silence an alert for a while: it tells nobody and starts nothing.",
         ok(JsonObject, "The alert as it stands."), takes="SilenceBody"),
)  # fmt: skip
SLOS: Final = Verb(
    "slos", NoArgs, "view", "slo", "main",
    Http("GET", "/v1/slo", "list_slos", "List objectives with what is left of their budgets.",
         ok(SloList, "The objectives."), wraps="slos"),
)  # fmt: skip
SLO: Final = Verb(
    "slo", NamedSlo, "view", "slo", "main",
    Http("GET", "/v1/slo/{slo}", "show_slo", "Show an objective and how fast its budget burns.",
         ok(SloView, "The objective."), cost=LIVE),
)  # fmt: skip

VERBS: Final = (LIST, SHOW, PUT, DELETE, SILENCE, SLOS, SLO)
