"""Guards user SQL over views made from contracts, and ranks names by search words. Pure."""

from aob.core.serving.allowed import FUNCTIONS
from aob.core.serving.ranking import Ranking, Thing
from aob.core.serving.statement import SQL_CHARS_MAX, Guarded, guard
from aob.core.serving.views import DEAD_LETTERS, INSTANT, METRICS, Column, View, views_of

__all__ = [
    "DEAD_LETTERS", "FUNCTIONS", "INSTANT", "METRICS", "SQL_CHARS_MAX", "Column", "Guarded", "Ranking", "Thing",
    "View", "guard", "views_of",
]  # fmt: skip
