"""Live metrics of accepted events and of the platform itself: answers, deltas, alerts and objectives. `contracts`
stores declarations, `live` folds and answers, `platform` folds runs, `alerting` judges, `serving` queries the columnar
copy."""

__all__: list[str] = []
