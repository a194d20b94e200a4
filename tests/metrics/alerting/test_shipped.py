"""The alerts that ship with the platform fit the platform's own metrics."""

from aob.core.contract import check_set
from aob.metrics.alerting import platform_alerts
from aob.metrics.platform import platform_contracts


def test_shipped_alerts_can_be_judged() -> None:
    assert check_set(platform_alerts(), platform_contracts()) == []


def test_refused_events_old_ones_slow_folds_failed_runs_and_too_many_values_are_watched() -> None:
    watched = {alert.metric for alert in platform_alerts().newest_alerts()}
    names = ("aob_dead_letter_ratio", "aob_freshness_ms", "aob_lag_ms", "aob_error_rate", "aob_overflowed")
    assert watched == {*names, "aob_unmoved"}
