"""Evaluates checked trees: CEL's operators, functions and macros as Python closures."""

from aob.core.expression.evaluation.functions import string_of
from aob.core.expression.evaluation.meter import METER, UNITS_MAX, Exhausted, Meter
from aob.core.expression.evaluation.operators import kind_of
from aob.core.expression.evaluation.static_cost import is_bounded
from aob.core.expression.evaluation.translate import Foreign, Run, translate

__all__ = [
    "METER", "UNITS_MAX", "Exhausted", "Foreign", "Meter", "Run", "is_bounded", "kind_of", "string_of",
    "translate",
]  # fmt: skip
