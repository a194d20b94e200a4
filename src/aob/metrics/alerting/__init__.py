"""Judges metrics that moved; fires alerts, notifies subscribers and starts workflows."""

from aob.metrics.alerting.alerting import OnAlert, Starter, platform_alerts
from aob.metrics.alerting.law import AlertLaw
from aob.metrics.alerting.objectives import Objectives
from aob.metrics.alerting.verbs import Alerting

__all__ = ["AlertLaw", "Alerting", "Objectives", "OnAlert", "Starter", "platform_alerts"]
