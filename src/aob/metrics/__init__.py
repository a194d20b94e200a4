"""Accepted events and the platform's own flow in; live numbers, answers, deltas, alerts and objectives flow out.

Rooms inside: `contracts` keeps what is declared, `live` folds and answers, `platform` folds what runs do, `alerting`
judges, `serving` asks the columnar copy.
"""

__all__: list[str] = []
